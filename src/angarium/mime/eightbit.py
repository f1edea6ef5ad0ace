"""Conversion of an 8-bit body for a peer that takes 7 bit only (RFC 6152 §3): off the usual way, but exact.

Only parts that need it are encoded; header fields stay as they are but for Content-Transfer-Encoding of what
was encoded (and of the multiparts around it), and the fields that a body without MIME needs to be read back.
"""

import binascii
import re

from angarium.mime.header import Field, HeaderBlock

MAX_DEPTH = 20
MAX_LINE_BYTES = 998  # RFC 5322 §2.1.1

_PARAMETER = rb";\s*%b\s*=\s*(?:\"((?:[^\"\\]|\\.){0,200})\"|([^\s;\"]{1,200}))"
_BOUNDARY = re.compile(_PARAMETER % b"boundary", re.I | re.S)
_IDENTITY = (b"", b"7bit", b"8bit", b"binary")
_HIGH_BYTES = bytes(range(128, 256))
_TO_ASCII = bytes(byte if byte < 128 else 63 for byte in range(256))


class _Impossible(Exception):
    """The message cannot be converted without changing what it says."""


def downgrade(message: bytes) -> bytes | None:
    """Return *message* with a body of 7-bit lines; None when that would change what it says.

    That is so for signed multiparts, for encapsulated messages with 8-bit header fields, and for MIME too
    broken to be followed. The message's own header is not converted: 8-bit bytes there stay. Linear in time
    but for the depth of nesting, which is bounded. Signatures over the body (DKIM) do not survive a
    conversion.
    """
    try:
        converted = _convert(message, 0)
    except _Impossible:
        return None
    header = HeaderBlock.scan(converted)
    if not converted[header.body_at :].isascii():
        return None
    if converted is message or header.has(b"mime-version"):
        return converted
    return b"%bMIME-Version: 1.0\r\n%b" % (header.raw, converted[header.size :])


def is_seven_bit(data: bytes) -> bool:
    """Whether *data* may be called 7bit: ASCII without NUL, in lines of at most 998 bytes (RFC 2045 §2.7)."""
    if not data.isascii() or b"\0" in data:
        return False
    return len(data) <= MAX_LINE_BYTES or max(map(len, data.split(b"\n"))) <= MAX_LINE_BYTES + 1


def quoted_printable(data: bytes) -> bytes:
    """Encode *data*, keeping its CRLFs as line ends (RFC 2045 §6.7)."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(binascii.b2a_qp(line, istext=False).replace(b"=\n", b"=\r\n") for line in lines)


def base64_lines(data: bytes) -> bytes:
    """Encode *data* in lines of 76 characters, each with CRLF (RFC 2045 §6.8)."""
    steps = range(0, len(data), 57)
    return b"".join(binascii.b2a_base64(data[at : at + 57], newline=False) + b"\r\n" for at in steps)


def _convert(entity: bytes, depth: int) -> bytes:
    """Return *entity*, the very object when it needs no conversion."""
    header = HeaderBlock.scan(entity)
    body = entity[header.body_at :]
    if is_seven_bit(body):
        return entity
    if depth > MAX_DEPTH:
        raise _Impossible
    fields = header.fields()
    type_ = _only(fields, b"content-type")
    kind = type_.partition(b";")[0].strip().lower() or b"text/plain"
    encoding = _only(fields, b"content-transfer-encoding").strip().lower()
    if kind.startswith(b"multipart/"):
        if kind == b"multipart/signed" or encoding not in _IDENTITY:
            raise _Impossible
        return _with_encoding(
            header, fields, b"7bit" if encoding else b"", _convert_parts(body, type_, depth)
        )
    if kind == b"message/rfc822":
        inner = _convert(body, depth + 1)
        if encoding not in _IDENTITY or not inner.isascii():
            raise _Impossible
        return _with_encoding(header, fields, b"7bit" if encoding else b"", inner)
    if kind.startswith(b"message/"):
        raise _Impossible
    return _convert_leaf(header, fields, kind, encoding, body)


def _convert_parts(body: bytes, type_: bytes, depth: int) -> bytes:
    match = _BOUNDARY.search(type_)
    if match is None:
        raise _Impossible
    boundary = re.sub(rb"\\(.)", rb"\1", match[1]) if match[1] is not None else match[2]
    delimiter = re.compile(rb"(?:\A|\r?\n)--%b(--)?[ \t]*(?=\r?\n|\Z)" % re.escape(boundary.rstrip()))
    pieces: list[bytes] = []
    at, inside = 0, False
    for found in delimiter.finditer(body):
        pieces += (_convert_piece(body[at : found.start()], inside, depth), found[0])
        at, inside = found.end(), found[1] is None
        if not inside:
            break
    pieces.append(_convert_piece(body[at:], inside, depth))
    return b"".join(pieces)


def _convert_piece(piece: bytes, inside: bool, depth: int) -> bytes:
    """Convert what stands between two delimiters: a part, or a preamble that nobody is shown."""
    if not inside:
        return piece.translate(_TO_ASCII)
    start = piece.find(b"\n") + 1
    return piece[:start] + _convert(piece[start:], depth + 1)


def _convert_leaf(
    header: HeaderBlock, fields: list[Field], kind: bytes, encoding: bytes, body: bytes
) -> bytes:
    if encoding == b"quoted-printable":
        # Bytes that should have been encoded: doing it now says what was meant.
        return header.raw + b"\r\n" + re.sub(rb"[\0\x80-\xff]", lambda byte: b"=%02X" % byte[0][0], body)
    if encoding == b"base64":
        # RFC 2045 §6.8: what is not of the alphabet is to be ignored.
        return header.raw + b"\r\n" + body.translate(None, _HIGH_BYTES + b"\0")
    if encoding not in _IDENTITY:
        raise _Impossible
    extra = b""
    if not any(field.name == b"content-type" for field in fields):
        extra = b"Content-Type: text/plain; charset=unknown-8bit\r\n"  # RFC 1428 §3
    high_bytes = len(body) - len(body.translate(None, _HIGH_BYTES))
    if kind.startswith(b"text/") and high_bytes * 3 <= len(body):
        return _with_encoding(header, fields, b"quoted-printable", quoted_printable(body), extra)
    return _with_encoding(header, fields, b"base64", base64_lines(body), extra)


def _with_encoding(
    header: HeaderBlock, fields: list[Field], encoding: bytes, body: bytes, extra: bytes = b""
) -> bytes:
    """Put the entity together again, saying *encoding* (nothing when empty) where that was said before."""
    line = b"Content-Transfer-Encoding: %b\r\n" % encoding if encoding else b""
    old = next((field.raw for field in fields if field.name == b"content-transfer-encoding"), None)
    if old is not None:
        at = (b"\n" + header.raw).find(b"\n" + old)
        return b"".join((header.raw[:at], line, header.raw[at + len(old) :], extra, b"\r\n", body))
    return b"".join((header.raw, line, extra, b"\r\n", body))


def _only(fields: list[Field], name: bytes) -> bytes:
    """Return the value of the field, empty without one. With two, everyone may read another message."""
    values = [field.value for field in fields if field.name == name]
    if len(values) > 1:
        raise _Impossible
    return values[0] if values else b""
