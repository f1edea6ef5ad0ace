"""What a message is made of, where it does not come whole: fields, and for each recipient what is put into them.

`Form` is durable: it is written to the journal and to the settled store as a MessagePack array, with all that is in it,
so fields may only be appended, each with a default, and never change their meaning.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

Language = Literal["mustachio", "substitution", "smarty"]
"""The languages that templates are written in."""


class NamedMailbox(NamedTuple):
    """An address and the name beside it, which may be any text, or empty."""

    address: str
    name: str = ""


class Attachment(NamedTuple):
    """A file that goes with the message. *kind* is `type/subtype`; what is none is `application/octet-stream`.
    *content_id*, without angle brackets, makes it an image of the HTML part; empty: it is one of its own.
    """

    name: str
    kind: str
    content: bytes
    content_id: str = ""


class Fields(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a message is to be built of.

    *headers* are further header fields, name and text, as they stand; None of *text*, *html*, *amp*: there is no such
    part.
    """

    author: tuple[NamedMailbox, ...]
    subject: str = ""
    to: tuple[NamedMailbox, ...] = ()
    cc: tuple[NamedMailbox, ...] = ()
    reply_to: tuple[NamedMailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    html: str | None = None
    amp: str | None = None
    attachments: tuple[Attachment, ...] = ()


class Form(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a message is made of anew for each recipient, at the moment it leaves.

    Every text of *fields* is a template in *language*, but for attachments; empty: none is, and only what is said of
    the recipient differs. Without `Fields.to` each recipient stands in To alone. *is_strict*: a value that is not in
    the data fails, and so does the message of that recipient. *shared* is a JSON object with what all recipients have
    (empty: nothing); what one has goes before it. *snippets* are the texts that a template may ask for, by id and by
    `html`, `text` or `amp`. *hostname* is behind the `@` of each Message-ID.
    """

    fields: Fields
    language: Language | Literal[""] = ""
    is_strict: bool = False
    shared: bytes = b""
    snippets: Mapping[str, Mapping[str, str]] = {}
    hostname: str = ""


_encode_form = msgspec.msgpack.Encoder().encode
_decode_form = msgspec.msgpack.Decoder(Form).decode
_BLANK_LINE: Final = b"\r\n\r\n"


def written_form(form: Form, head: bytes) -> bytes:
    """Return *form* as it is stored: behind *head*, its header block as it is before anything is put in, whole lines.
    So whoever reads the header of what is stored reads this one's, too.
    """
    return head + b"\r\n" + _encode_form(form)


def read_form(stored: bytes) -> Form:
    """Return the form in what `written_form` has made. Raises ValueError or MsgspecError for other bytes."""
    _, blank, encoded = stored.partition(_BLANK_LINE)
    if not blank:
        raise ValueError("this is no form")
    return _decode_form(encoded)


def head_of_form(stored: bytes) -> bytes:
    """Return the header block of what `written_form` has made, or of its beginning, with the blank line."""
    head, blank, _ = stored.partition(_BLANK_LINE)
    return head + blank


class Personal(NamedTuple):
    """What one recipient of a form has of its own: the *name* beside its address, and *data*, a JSON object that was
    seen to be one (empty: none). *to* is an address that stands in To in place of its own.
    """

    name: str = ""
    data: bytes = b""
    to: str = ""


NOBODY: Final = Personal()
_COUNT: Final = struct.Struct("<I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Personal).decode


def packed(personal: Iterable[Personal]) -> bytes:
    """Return what recipients have of their own as one piece of bytes, of which `personal_at` reads any without the
    others: where each ends, and then each. Empty where none has anything.
    """
    pieces = [_encode(each) if each != NOBODY else b"" for each in personal]
    if not any(pieces):
        return b""
    end, ends = 0, []
    for piece in pieces:
        end += len(piece)
        ends.append(end)
    return b"".join([struct.pack(f"<{len(ends) + 1}I", len(ends), *ends), *pieces])


def personal_at(data: bytes, index: int) -> Personal:
    """Return what recipient *index* has of its own, of what `packed` has made. Raises ValueError or
    MsgspecError for other bytes.
    """
    if not data:
        return NOBODY
    try:
        (count,) = _COUNT.unpack_from(data)
        begin = _COUNT.unpack_from(data, 4 * index)[0] if index else 0
        (end,) = _COUNT.unpack_from(data, 4 * (index + 1))
    except struct.error as error:
        raise ValueError("this is no data of recipients") from error
    if index >= count:
        raise ValueError(f"there is data of {count} recipients, and none of number {index}")
    first = 4 * (count + 1)
    return _decode(data[first + begin : first + end]) if end > begin else NOBODY
