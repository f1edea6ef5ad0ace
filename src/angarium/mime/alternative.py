"""A plain text beside the HTML part of a message that has none: every other byte of the message stays."""

import hashlib
from collections.abc import Callable
from typing import Final

from angarium.mime.conversion import Conversion, ConversionImpossible, ConvertedLeaf, MimeEntity, MimeForm
from angarium.mime.eightbit import quoted_printable
from angarium.mime.header import cut
from angarium.mime.texts import ShownText, shown_text

_OF_THE_PART: Final = (
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"content-language",
)
"""Fields that go with the HTML; others (Content-ID) are of what stands in its place."""
_VERSION: Final = b"MIME-Version: 1.0\r\n"


def with_plain_text(message: bytes, text_of: Callable[[ShownText], str]) -> bytes:
    """Return *message* with multipart/alternative in the place of its first HTML part: what *text_of* makes of that,
    and the part itself (RFC 2046 §5.1.4). The very object where it shows a plain text already, where it shows no HTML,
    where *text_of* makes nothing of it, and where it is signed, encrypted or contradicts itself. Linear in time.
    """
    made = _PlainText(text_of)
    try:
        added = Conversion(message, MimeForm(made.leaf, opens_messages=False)).result()
    except ConversionImpossible:
        return message
    return added if made.is_added and not made.has_plain else message


class _PlainText:
    """Hears of the parts of one message."""

    def __init__(self, text_of: Callable[[ShownText], str]) -> None:
        self._text_of = text_of
        self.has_plain = False
        self.is_added = False

    def leaf(self, entity: MimeEntity, body: bytes, is_sealed: bool) -> ConvertedLeaf | None:
        """Take a part, or let it stay."""
        shown = shown_text(entity, body)
        self.has_plain = self.has_plain or (shown is not None and shown.kind == "plain")
        if is_sealed or shown is None or shown.kind != "html" or self.is_added or self.has_plain:
            return None
        text = self._text_of(shown)
        if not text.strip():
            return None
        self.is_added = True
        return _alternative(entity, body, text)


def _alternative(entity: MimeEntity, body: bytes, text: str) -> ConvertedLeaf:
    header = entity.header
    spans = sorted(header.spans(*_OF_THE_PART))
    own = b"".join(header.raw[begin:end] for begin, end in spans)
    boundary = b"=_" + hashlib.sha256(body).hexdigest()[:32].encode()
    plain = quoted_printable(text.replace("\n", "\r\n").encode())
    inner = (
        b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        + plain.removesuffix(b"\r\n"),
        b"%b\r\n%b" % (own, body),
    )
    parts = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in inner)
    around = b'Content-Type: multipart/alternative; boundary="%b"\r\n' % boundary
    version = b"" if not entity.is_message or header.has(b"mime-version") else _VERSION
    return ConvertedLeaf(
        b"%b--%b--%b" % (parts, boundary, b"\r\n" * entity.is_message),
        b"%b%b%b" % (cut(header.raw, spans), version, around),
    )
