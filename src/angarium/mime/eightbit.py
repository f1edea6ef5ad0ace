"""Conversion of an 8-bit body for a peer that takes 7 bit only (RFC 6152 §3), and of lines that hosts on the way
would break: off the usual way, but exact.

Only parts that need it are encoded; header fields stay as they are but for Content-Transfer-Encoding of what
was encoded (and of the multiparts around it), the fields that a body without MIME needs to be read back, and
8-bit bytes in the headers of parts.

The message is gone through once, from its beginning to its end, however deep its parts lie in each other: a line
that begins with `--` is looked up among the delimiters of all multiparts that are open there.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from angarium.mime.content import ContentType, content_type, transfer_encoding
from angarium.mime.header import HeaderBlock
from angarium.mime.lines import MAX_LINE_OCTETS, folded, has_long_line, in_short_lines, truncated
from angarium.mime.words import encode_words

MAX_DEPTH: Final = 1000

_BLANK_OR_DASHES = re.compile(rb"^(?:\r?\n|--[^\n]*)", re.M)
_DASHES = re.compile(rb"^--[^\n]*", re.M)
_ATOM = rb"[!#-'*+\-./0-9A-Z^_`a-z{|}~\x80-\xff]++"
_PHRASE = re.compile(rb"%b(?: %b)*+" % (_ATOM, _ATOM))
_HIGH_BYTES: Final = bytes(range(128, 256))
_TO_ASCII: Final = bytes(byte if byte < 128 else 63 for byte in range(256))
_TEXT: Final = b"text/plain"
_MESSAGE: Final = b"message/rfc822"
_ENCODINGS: Final = (b"quoted-printable", b"base64")
_INDIVISIBLE: Final = (b"message/partial", b"message/external-body")

T = TypeVar("T")


class _Impossible(Exception):
    """The message cannot be converted without changing what it says."""


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
        converted = _Conversion(message, _SEVEN_BIT).result()
    except _Impossible:
        return None
    return converted if converted[HeaderBlock.scan(converted).body_at :].isascii() else None


def shorten_lines(message: bytes) -> bytes | None:
    """Return *message* without lines of more than 998 octets, but for those of a header field that has no blanks;
    None when that would change what it says, as in signed multiparts.

    Parts that have such lines are encoded anew, others stay as they are, 8-bit ones too. Linear in time.
    """
    try:
        return _Conversion(message, _SHORT_LINES).result()
    except _Impossible:
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


class _Entity:
    """The header of a message or a part, and what its MIME fields say. *kind* is what it is where it does not say.

    *is_message*: it has a header of its own right, in which MIME-Version belongs.
    """

    __slots__ = ("encoding", "fields", "header", "is_message", "kind", "type_")

    def __init__(self, header: HeaderBlock, kind: bytes, *, is_message: bool) -> None:
        self.header = header
        self.fields = header.fields()
        self.is_message = is_message
        self.type_ = self._only(b"content-type", content_type) or ContentType(b"", {})
        self.kind = self.type_.kind or kind
        self.encoding = self._only(b"content-transfer-encoding", transfer_encoding) or b""

    def _only(self, name: bytes, read: Callable[[bytes], T]) -> T | None:
        """Return what the field says, None without one. With two that differ, everyone may read another message."""
        said = [read(field.value) for field in self.fields if field.name == name]
        if any(each != said[0] for each in said):
            raise _Impossible
        return said[0] if said else None

    def with_encoding(self, encoding: bytes, extra: bytes = b"") -> bytes:
        """Return the header saying *encoding*, or nothing when that is empty, and *extra* fields."""
        line = b"Content-Transfer-Encoding: %b\r\n" % encoding if encoding else b""
        if self.is_message and not self.header.has(b"mime-version"):
            extra += b"MIME-Version: 1.0\r\n"
        raw = self.header.raw
        kept: list[bytes] = []
        at = 0
        for begin, end in self.header.spans(b"content-transfer-encoding"):
            kept += raw[at:begin], line
            at, line = end, b""
        return b"".join((*kept, raw[at:], line, extra))


class _Form(NamedTuple):
    """What a message is converted to: which texts are in that form, and how they are brought into it.

    *head* is for header blocks, the message's own among them if *has_own_header*; *unseen* for what is not
    shown; *put_right* for what has an encoding already. *around* is the encoding that is said of a multipart that was
    changed inside, None: what was said before.
    """

    is_met: Callable[[bytes], bool]
    head: Callable[[bytes], bytes]
    has_own_header: bool
    unseen: Callable[[bytes], bytes]
    put_right: Callable[[bytes, bytes], bytes]
    around: bytes | None


@dataclass(slots=True)
class _Container:
    """A multipart or an encapsulated message that the conversion is in.

    *at* is where in the output its header stands, followed by what separates it from its body, and in a multipart by
    its preamble. *boundary* is that of a multipart. *has_parts*: a delimiter was seen. *is_sealed*: nothing inside may
    change. *is_changed*: something did.
    """

    entity: _Entity
    at: int
    boundary: bytes
    is_sealed: bool
    has_parts: bool = False
    is_changed: bool = False


class _Delimiter(NamedTuple):
    """A delimiter in the message, from its line's beginning to its end; the line break before it belongs to it."""

    begin: int
    end: int
    level: int
    is_last: bool


class _Conversion:
    """One way through a message. *_open* are the containers around the present place, the outermost first."""

    def __init__(self, message: bytes, form: _Form) -> None:
        self._message = message
        self._form = form
        self._out: list[bytes] = []
        self._open: list[_Container] = []
        self._levels: dict[bytes, int] = {}

    def result(self) -> bytes:
        """Return the whole message converted. Raises _Impossible."""
        delimiter = self._entity(0, _TEXT, is_message=True)
        while delimiter is not None:
            delimiter = self._delimited(delimiter)
        self._leave(0)
        return b"".join(self._out)

    # -- from one delimiter to the next

    def _delimited(self, delimiter: _Delimiter) -> _Delimiter | None:
        """Pass over *delimiter* and what comes behind it; return the next."""
        self._leave(delimiter.level + 1)
        container = self._open[-1]
        container.has_parts = True
        self._out.append(self._message[delimiter.begin : delimiter.end])
        if not delimiter.is_last:
            is_digest = container.entity.kind == b"multipart/digest"  # RFC 2046 §5.1.5
            return self._entity(delimiter.end, _MESSAGE if is_digest else _TEXT, is_message=False)
        self._forget_boundary(container, delimiter.level)
        following = self._next_delimiter(delimiter.end)
        self._out.append(self._unseen(self._until(delimiter.end, following), container))
        return following

    def _entity(self, at: int, kind: bytes, *, is_message: bool) -> _Delimiter | None:
        """Convert the message or part that begins at *at*, as far as the next delimiter, which is returned."""
        body_at, following = self._end_of_header(at)
        entity = self._begin(at, body_at, kind, is_message=is_message)
        while following is None and entity.kind == _MESSAGE and self._contains(entity):
            self._enter(entity)
            at, (body_at, following) = body_at, self._end_of_header(body_at)
            entity = self._begin(at, body_at, _TEXT, is_message=True)
        is_multipart = following is None and self._contains(entity)
        if is_multipart:
            self._enter(entity)
        following = following or self._next_delimiter(body_at)
        body = self._until(body_at, following)
        self._out.append(body)
        if not is_multipart:
            self._convert_leaf(entity, len(self._out) - 3, body)
        return following

    def _begin(self, at: int, body_at: int, kind: bytes, *, is_message: bool) -> _Entity:
        """Put the header at *at*, and what is between it and the body, into the output."""
        header = HeaderBlock.scan(self._message[at:body_at])
        entity = _Entity(header, kind, is_message=is_message)
        raw = header.raw
        if self._open or self._form.has_own_header:
            raw = self._form.head(header.raw)
        if raw is not header.raw:
            entity.header = HeaderBlock(raw, header.body_at, header.is_complete)
            self._note_change()
        self._out += raw, self._message[at + header.size : body_at]
        return entity

    def _contains(self, entity: _Entity) -> bool:
        """Whether the content of *entity* is looked into: else it is taken as it is."""
        if entity.kind == _MESSAGE:
            return entity.encoding not in _ENCODINGS
        boundary = entity.type_.parameters.get(b"boundary", b"")
        return entity.kind.startswith(b"multipart/") and bool(boundary.strip())

    # -- containers

    def _enter(self, entity: _Entity) -> None:
        level = len(self._open)
        if level >= MAX_DEPTH:
            raise _Impossible
        boundary = b""
        if entity.kind != _MESSAGE:
            boundary = b"--" + entity.type_.parameters[b"boundary"].rstrip()
            self._levels.setdefault(boundary, level)
            self._levels.setdefault(boundary + b"--", level)
        is_sealed = entity.kind == b"multipart/signed" or (level > 0 and self._open[-1].is_sealed)
        self._open.append(_Container(entity, len(self._out) - 2, boundary, is_sealed))

    def _leave(self, level: int) -> None:
        """Close the containers from *level* on, the innermost first."""
        while len(self._open) > level:
            container = self._open.pop()
            self._forget_boundary(container, len(self._open))
            if container.boundary:
                self._finish_preamble(container)
            if container.is_changed:
                entity, around = container.entity, self._form.around
                if around is not None:
                    self._out[container.at] = entity.with_encoding(around if entity.encoding else b"")
                self._note_change()

    def _finish_preamble(self, container: _Container) -> None:
        """A preamble is not shown; but all that there is of a multipart without parts is its content."""
        at = container.at + 2
        if container.has_parts:
            self._out[at] = self._unseen(self._out[at], container)
        else:
            self._convert_leaf(container.entity, container.at, self._out[at])

    def _unseen(self, text: bytes, container: _Container) -> bytes:
        changed = self._form.unseen(text)
        if changed is not text:
            self._note_change(container)
        return changed

    def _note_change(self, container: _Container | None = None) -> None:
        """Something in *container*, or at the present place, is not as it was."""
        container = container or (self._open[-1] if self._open else None)
        if container is None:
            return
        if container.is_sealed:
            raise _Impossible
        container.is_changed = True

    def _forget_boundary(self, container: _Container, level: int) -> None:
        for line in (container.boundary, container.boundary + b"--"):
            if self._levels.get(line) == level:
                del self._levels[line]

    # -- places in the message

    def _end_of_header(self, at: int) -> tuple[int, _Delimiter | None]:
        """Return where the body begins behind the header at *at*, and the delimiter if no blank line comes before."""
        end, delimiter = self._blank_line(at)
        header = HeaderBlock.scan(self._message[at : end if delimiter is None else delimiter.end])
        return min(end, at + header.size) if header.lacks_blank_line else end, delimiter

    def _blank_line(self, at: int) -> tuple[int, _Delimiter | None]:
        """Return where the first blank line ends, and the delimiter if that comes before."""
        for match in _BLANK_OR_DASHES.finditer(self._message, at):
            if match[0].startswith(b"--"):
                delimiter = self._delimiter(match, at)
                if delimiter is not None:
                    return delimiter.begin, delimiter
            else:
                return match.end(), None
        return len(self._message), None

    def _next_delimiter(self, at: int) -> _Delimiter | None:
        if not self._levels:
            return None
        found = (self._delimiter(match, at) for match in _DASHES.finditer(self._message, at))
        return next((delimiter for delimiter in found if delimiter is not None), None)

    def _delimiter(self, match: re.Match[bytes], at: int) -> _Delimiter | None:
        """Return the delimiter that the line *match* is, None if it is none; what is before *at* is not its own."""
        line = match[0].rstrip(b" \t\r")
        level = self._levels.get(line)
        if level is None:
            return None
        begin = match.start()
        if begin > at:
            begin -= 2 if self._message[begin - 2 : begin] == b"\r\n" and begin - 2 >= at else 1
        end = min(match.end() + 1, len(self._message))
        return _Delimiter(begin, end, level, line != self._open[level].boundary)

    def _until(self, at: int, delimiter: _Delimiter | None) -> bytes:
        return self._message[at:] if delimiter is None else self._message[at : delimiter.begin]

    # -- leaves

    def _convert_leaf(self, entity: _Entity, at: int, body: bytes) -> None:
        """Encode *body* unless it is as it should be; its header stands at *at* in the output."""
        if self._form.is_met(body):
            return
        if entity.kind in _INDIVISIBLE:
            raise _Impossible
        self._note_change()
        if entity.encoding in _ENCODINGS:
            self._out[at + 2] = self._form.put_right(entity.encoding, body)
        else:
            encoding, extra, encoded = _encoded(entity, body)
            self._out[at : at + 3] = entity.with_encoding(encoding, extra), b"\r\n", encoded


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


def _encoded(entity: _Entity, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the encoding that suits *body*, fields that it needs, and the body in it."""
    extra = b""
    if not body.isascii() and not any(field.name == b"content-type" for field in entity.fields):
        extra = b"Content-Type: text/plain; charset=unknown-8bit\r\n"  # RFC 1428 §3
    high_bytes = len(body) - len(body.translate(None, _HIGH_BYTES))
    if entity.kind.startswith((b"text/", b"message/")) and high_bytes * 3 <= len(body):
        return b"quoted-printable", extra, quoted_printable(body)
    return b"base64", extra, base64_lines(body)


_SEVEN_BIT = _Form(is_seven_bit, _ascii_head, False, _ascii_unseen, _put_right, b"7bit")
_SHORT_LINES = _Form(lambda body: not has_long_line(body), folded, True, truncated, in_short_lines, None)
