"""Whether a message has to travel by SMTPUTF8 (RFC 6531 §3.1, §3.5).

That its client said SMTPUTF8 declares that it may be needed, and many programs say it with every message. What is
needed is measured: here on the header, in the envelope of each transaction on its addresses (`smtp.envelope`). The
header of mail whose client said nothing of the kind is passed on as it is, as ever.
"""

from typing import BinaryIO, Final

from angarium.core.records import Message
from angarium.mime.header import HeaderBlock
from angarium.spool.port import Body, LargeBody

_PIECE: Final = 262_144


def is_measured(message: Message) -> bool:
    """Whether it takes a look at the header to know: SMTPUTF8 was declared, and there is more than ASCII."""
    return message.smtputf8 and message.eight_bit


def header_needs_smtputf8(message: Message, body: Body) -> bool:
    """Whether the header of *message* does. A large body without `header` is taken to need it."""
    if not is_measured(message):
        return False
    if isinstance(body, LargeBody):
        return body.header is None or not body.header.isascii()
    return not HeaderBlock.scan(body).raw.isascii()


def with_header(body: LargeBody) -> LargeBody:
    """Return *body* with its header. Reads its file; raises OSError."""
    with open(body.path, "rb") as file:
        return body._replace(header=read_header(file)[0].raw)


def read_header(file: BinaryIO) -> tuple[HeaderBlock, bytes]:
    """Read *file* as far as its header goes; return that, and all that was read."""
    start = file.read(_PIECE)
    block = HeaderBlock.scan(start)
    while not block.is_complete and (more := file.read(len(start))):
        start += more
        block = HeaderBlock.scan(start)
    return block, start
