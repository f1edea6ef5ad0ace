"""The texts of a message that readers are shown, edited in place: every other byte of the message stays."""

import binascii
import codecs
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from angarium.mime.conversion import Conversion, ConversionImpossible, ConvertedLeaf, MimeEntity, MimeForm
from angarium.mime.eightbit import base64_lines, is_seven_bit, quoted_printable
from angarium.mime.header import HeaderBlock, cut
from angarium.mime.lines import has_long_line

TextKind = Literal["plain", "html", "amp"]

_KINDS: Final[dict[bytes, TextKind]] = {
    b"text/plain": "plain",
    b"text/html": "html",
    b"text/x-amp-html": "amp",
}
_BARE: Final = (b"", b"7bit", b"8bit", b"binary")
_ASCII: Final = bytes(range(32, 127))
_UNQUOTED: Final = re.compile(rb'["\\]')
_SIGNED_TEXT: Final = re.compile(rb"\s*+-----BEGIN PGP ")


class ShownText(NamedTuple):
    """A text part, its transfer encoding taken off. *charset* is Python's name of a superset of ASCII."""

    kind: TextKind
    charset: str
    data: bytes


Edit = Callable[[ShownText], bytes | ShownText | None]
"""Returns the new bytes of a text, in its charset; a text where that is another one; None where it stays as it is."""


def edit_texts(message: bytes, edit: Edit) -> bytes:
    """Return *message* with what *edit* makes of each text that is shown, in order; the very object if that is nothing.

    An attached file is not shown, nor is a message within; what is signed or encrypted, in an encoding or a charset
    that is not known, or in parts that contradict themselves, is left alone. Linear in time.
    """

    def leaf(entity: MimeEntity, body: bytes, is_sealed: bool) -> ConvertedLeaf | None:
        return None if is_sealed else edited(entity, body, edit)

    form = MimeForm(leaf, opens_messages=False)
    try:
        new = Conversion(message, form).result()
    except ConversionImpossible:
        return message
    return message if new == message else new


def shown_text(entity: MimeEntity, body: bytes) -> ShownText | None:
    """Return the text that a part shows; None where it is none, or one that nobody may change."""
    kind = _KINDS.get(entity.kind)
    charset = _charset(entity)
    if kind is None or charset is None or _is_attached(entity):
        return None
    data = decoded(entity.encoding, body)
    return None if data is None or _SIGNED_TEXT.match(data) else ShownText(kind, charset, data)


def edited(entity: MimeEntity, body: bytes, edit: Edit) -> ConvertedLeaf | None:
    """Return what *edit* makes of a part that shows a text; None where it stays as it is."""
    text = shown_text(entity, body)
    new = None if text is None else edit(text)
    if text is None or new is None:
        return None
    if isinstance(new, bytes):
        new = text._replace(data=new)
    if new == text:
        return None
    return _encoded(entity, body, new.data) if new.charset == text.charset else _recoded(entity, new)


def _charset(entity: MimeEntity) -> str | None:
    named = entity.type_.parameters.get(b"charset", b"").decode("latin-1").strip() or "utf-8"
    return _over_ascii(named[:40].lower())


@lru_cache(256)
def _over_ascii(named: str) -> str | None:
    """Return Python's name of a charset in which the bytes of ASCII are ASCII, None for another one."""
    try:
        name = codecs.lookup(named).name
        is_over_ascii = _ASCII.decode(name) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        return None
    # after an escape, these have other characters in the bytes of ASCII
    return name if is_over_ascii and not name.startswith(("iso2022", "hz")) else None


def _is_attached(entity: MimeEntity) -> bool:
    """Whether its Content-Disposition says that it is a file. What has none is shown (RFC 2183 §2)."""
    values = [field.value for field in entity.fields if field.name == b"content-disposition"]
    return any(value.strip().lower().startswith(b"attachment") for value in values)


def decoded(encoding: bytes, body: bytes) -> bytes | None:
    """Take off the transfer *encoding*; None for one that is not known, and for what cannot be decoded."""
    if encoding in _BARE:
        return body
    try:
        if encoding == b"base64":
            return binascii.a2b_base64(body)
        return binascii.a2b_qp(body) if encoding == b"quoted-printable" else None
    except binascii.Error:
        return None


def _encoded(entity: MimeEntity, body: bytes, new: bytes) -> ConvertedLeaf:
    """Encode *new* as *body* was; what was not encoded and cannot be so any more becomes quoted-printable."""
    if entity.encoding == b"base64":
        encoded = base64_lines(new)
        return ConvertedLeaf(encoded if body.endswith(b"\n") else encoded.removesuffix(b"\r\n"))
    if entity.encoding == b"quoted-printable":
        return ConvertedLeaf(quoted_printable(new))
    if has_long_line(new) or (entity.encoding != b"8bit" and is_seven_bit(body) and not is_seven_bit(new)):
        return ConvertedLeaf(quoted_printable(new), entity.with_encoding(b"quoted-printable"))
    return ConvertedLeaf(new)


def _recoded(entity: MimeEntity, text: ShownText) -> ConvertedLeaf:
    """Write *text* in its charset, which is not that of the part."""
    parameters = {**entity.type_.parameters, b"charset": text.charset.encode()}
    said = b"".join(
        b';\r\n %b="%b"' % (name, _UNQUOTED.sub(rb"\\\g<0>", value)) for name, value in parameters.items()
    )
    field = b"Content-Type: %b%b\r\n" % (entity.kind, said)
    header = entity.header
    bare = HeaderBlock.scan(cut(header.raw, header.spans(b"content-type")) + b"\r\n")
    other = MimeEntity(bare, entity.kind, is_message=entity.is_message)
    return ConvertedLeaf(quoted_printable(text.data), other.with_encoding(b"quoted-printable", field))
