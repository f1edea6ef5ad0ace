"""Conversion of an 8-bit body for a peer that takes 7 bit only (RFC 6152 §3), and of lines that hosts on the way
would break: off the usual way, but exact.

Only parts that need it are encoded; header fields stay as they are but for Content-Transfer-Encoding of what
was encoded (and of the multiparts around it), the fields that a body without MIME needs to be read back, and
8-bit bytes in the headers of parts.
"""

import binascii
import re
from collections.abc import Callable
from typing import Final

from angarium.mime.conversion import (
    ENCODINGS,
    Conversion,
    ConversionImpossible,
    ConvertedLeaf,
    MimeEntity,
    MimeForm,
)
from angarium.mime.header import HeaderBlock
from angarium.mime.lines import MAX_LINE_OCTETS, folded, has_long_line, in_short_lines, truncated
from angarium.mime.words import encode_words

_ATOM = rb"[!#-'*+\-./0-9A-Z^_`a-z{|}~\x80-\xff]++"
_PHRASE = re.compile(rb"%b(?: %b)*+" % (_ATOM, _ATOM))
_HIGH_BYTES: Final = bytes(range(128, 256))
_TO_ASCII: Final = bytes(byte if byte < 128 else 63 for byte in range(256))
_INDIVISIBLE: Final = (b"message/partial", b"message/external-body")


def downgrade(message: bytes) -> bytes | None:
    """Return *message* with a body of 7-bit lines, the very object if it has one; None when that would change what
    it says.

    That is so for signed multiparts and fragments of messages with 8-bit content, where two fields say different
    things of one content, and for a nesting of more than MAX_DEPTH. What is in an unknown encoding, or in
    a multipart without parts, is taken as it is. The message's own header is not converted: 8-bit bytes there stay.
    Linear in time. Signatures over the body (DKIM) do not survive a conversion.
    """
    header = HeaderBlock.scan(message)
    if is_seven_bit(message[header.body_at :]):
        return message
    try:
        converted = Conversion(message, _SEVEN_BIT).result()
    except ConversionImpossible:
        return None
    return converted if converted[HeaderBlock.scan(converted).body_at :].isascii() else None


def shorten_lines(message: bytes) -> bytes | None:
    """Return *message* without lines of more than 998 octets, but for those of a header field that has no blanks;
    None when that would change what it says, as in signed multiparts.

    Parts that have such lines are encoded anew, others stay as they are, 8-bit ones too. Linear in time.
    """
    try:
        return Conversion(message, _SHORT_LINES).result()
    except ConversionImpossible:
        return None


def is_seven_bit(data: bytes) -> bool:
    """Whether *data* may be called 7bit: ASCII without NUL, in lines of at most 998 bytes (RFC 2045 §2.7)."""
    if not data.isascii() or b"\0" in data:
        return False
    return len(data) <= MAX_LINE_OCTETS or max(map(len, data.split(b"\n"))) <= MAX_LINE_OCTETS + 1


def quoted_printable(data: bytes) -> bytes:
    """Encode *data*, keeping its CRLFs as line ends (RFC 2045 §6.7)."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(binascii.b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n") for line in lines)


def base64_lines(data: bytes) -> bytes:
    """Encode *data* in lines of 76 characters, each with CRLF (RFC 2045 §6.8)."""
    steps = range(0, len(data), 57)
    return b"".join(binascii.b2a_base64(data[at : at + 57], newline=False) + b"\r\n" for at in steps)


def _ascii_head(raw: bytes) -> bytes:
    return raw if raw.isascii() else _PHRASE.sub(_in_words, raw)


def _ascii_unseen(text: bytes) -> bytes:
    return text if text.isascii() else text.translate(_TO_ASCII)


def _in_words(phrase: re.Match[bytes]) -> bytes:
    """Return words of a header field with those beyond ASCII, and what is between them, as encoded words.

    Readers decode these within quotes too, though RFC 2047 does not have them there.
    """
    words = phrase[0].split(b" ")
    high = [index for index, word in enumerate(words) if not word.isascii()]
    if not high:
        return phrase[0]
    first, last = high[0], high[-1] + 1
    text = b" ".join(words[first:last])
    try:
        encoded = encode_words(text.decode())
    except UnicodeDecodeError:
        encoded = encode_words(text.decode("latin-1"))
    return b" ".join((*words[:first], encoded.encode(), *words[last:]))


def _put_right(encoding: bytes, body: bytes) -> bytes:
    """Return *body*, which has bytes that its encoding does not allow, without them."""
    if encoding == b"base64":
        return body.translate(
            None, _HIGH_BYTES + b"\0"
        )  # RFC 2045 §6.8: what is not of the alphabet is ignored
    # Bytes that should have been encoded: doing it now says what was meant.
    return re.sub(rb"[\0\x80-\xff]", lambda byte: b"=%02X" % byte[0][0], body)


def _encoded(entity: MimeEntity, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the encoding that suits *body*, fields that it needs, and the body in it."""
    extra = b""
    if not body.isascii() and not any(field.name == b"content-type" for field in entity.fields):
        extra = b"Content-Type: text/plain; charset=unknown-8bit\r\n"  # RFC 1428 §3
    high_bytes = len(body) - len(body.translate(None, _HIGH_BYTES))
    if entity.kind.startswith((b"text/", b"message/")) and high_bytes * 3 <= len(body):
        return b"quoted-printable", extra, quoted_printable(body)
    return b"base64", extra, base64_lines(body)


def _leaf(
    is_met: Callable[[bytes], bool], put_right: Callable[[bytes, bytes], bytes]
) -> Callable[[MimeEntity, bytes, bool], ConvertedLeaf | None]:
    """Return what encodes a body unless it *is_met*; *put_right* is for one that has an encoding already."""

    def convert(entity: MimeEntity, body: bytes, is_sealed: bool) -> ConvertedLeaf | None:
        if is_met(body):
            return None
        if entity.kind in _INDIVISIBLE:
            raise ConversionImpossible
        if entity.encoding in ENCODINGS:
            return ConvertedLeaf(put_right(entity.encoding, body))
        encoding, extra, encoded = _encoded(entity, body)
        return ConvertedLeaf(encoded, entity.with_encoding(encoding, extra))

    return convert


_SEVEN_BIT = MimeForm(_leaf(is_seven_bit, _put_right), _ascii_head, unseen=_ascii_unseen, around=b"7bit")
_SHORT_LINES = MimeForm(
    _leaf(lambda body: not has_long_line(body), in_short_lines), folded, has_own_header=True, unseen=truncated
)
