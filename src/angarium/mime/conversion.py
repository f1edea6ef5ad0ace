"""One way through a message that brings its parts into another form, and leaves all else byte for byte.

The message is gone through once, from its beginning to its end, however deep its parts lie in each other: a line
that begins with `--` is looked up among the delimiters of all multiparts that are open there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from angarium.mime.content import ContentType, content_type, transfer_encoding
from angarium.mime.header import HeaderBlock

MAX_DEPTH: Final = 1000

ENCODINGS: Final = (b"quoted-printable", b"base64")

_BLANK_OR_DASHES = re.compile(rb"^(?:\r?\n|--[^\n]*)", re.M)
_DASHES = re.compile(rb"^--[^\n]*", re.M)
_TEXT: Final = b"text/plain"
_MESSAGE: Final = b"message/rfc822"

T = TypeVar("T")


class ConversionImpossible(Exception):
    """The message cannot be converted without changing what it says."""


class MimeEntity:
    """The header of a message or a part, and what its MIME fields say. *kind* is what it is where it does not say.

    *is_message*: it has a header of its own right, in which MIME-Version belongs. *within* is the kind of what it is a
    part of, empty for the message, and *place* which part of it, counted from 1.
    """

    __slots__ = ("encoding", "fields", "header", "is_message", "kind", "place", "type_", "within")

    def __init__(
        self, header: HeaderBlock, kind: bytes, *, is_message: bool, within: bytes = b"", place: int = 0
    ) -> None:
        self.within = within
        self.place = place
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
            raise ConversionImpossible
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


class ConvertedLeaf(NamedTuple):
    """What takes the place of a part that holds something: its body, and its header, None where that stays. *is_gone*:
    nothing does; not for the message itself.
    """

    body: bytes
    header: bytes | None = None
    is_gone: bool = False


class MimeForm(NamedTuple):
    """What a message is converted to.

    *leaf* converts a part that holds something, from what its header says and its body; it is told whether the part
    stands in a signed one, where nothing may change, and returns None where it stays as it is. *head* is for header
    blocks, the message's own among them if *has_own_header*; *unseen* for what is not shown; both return the very
    object where nothing changes. *around* is the encoding that is said of a multipart that was changed inside, None:
    what was said before. *opens_messages*: messages within the message are gone into; else they are leaves.
    """

    leaf: Callable[["MimeEntity", bytes, bool], ConvertedLeaf | None]
    head: Callable[[bytes], bytes] = bytes
    has_own_header: bool = False
    unseen: Callable[[bytes], bytes] = bytes
    around: bytes | None = None
    opens_messages: bool = True


@dataclass(slots=True)
class _Container:
    """A multipart or an encapsulated message that the conversion is in.

    *at* is where in the output its header stands, followed by what separates it from its body, and in a multipart by
    its preamble. *boundary* is that of a multipart. *parts* counts the delimiters that were seen.
    *is_sealed*: nothing inside may change. *is_changed*: something did.
    """

    entity: MimeEntity
    at: int
    boundary: bytes
    is_sealed: bool
    parts: int = 0
    is_changed: bool = False


class _Delimiter(NamedTuple):
    """A delimiter in the message, from its line's beginning to its end; the line break before it belongs to it."""

    begin: int
    end: int
    level: int
    is_last: bool


class Conversion:
    """One way through a message. *_open* are the containers around the present place, the outermost first."""

    def __init__(self, message: bytes, form: MimeForm) -> None:
        self._message = message
        self._form = form
        self._out: list[bytes] = []
        self._open: list[_Container] = []
        self._levels: dict[bytes, int] = {}

    def result(self) -> bytes:
        """Return the whole message converted. Raises ConversionImpossible."""
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
        container.parts += 1
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

    def _begin(self, at: int, body_at: int, kind: bytes, *, is_message: bool) -> MimeEntity:
        """Put the header at *at*, and what is between it and the body, into the output."""
        header = HeaderBlock.scan(self._message[at:body_at])
        around = self._open[-1] if self._open else None
        within, place = (b"", 0) if around is None else (around.entity.kind, around.parts)
        entity = MimeEntity(header, kind, is_message=is_message, within=within, place=place)
        raw = header.raw
        if self._open or self._form.has_own_header:
            raw = self._form.head(header.raw)
        if raw is not header.raw:
            entity.header = HeaderBlock(raw, header.body_at, header.is_complete)
            self._note_change()
        self._out += raw, self._message[at + header.size : body_at]
        return entity

    def _contains(self, entity: MimeEntity) -> bool:
        """Whether the content of *entity* is looked into: else it is taken as it is."""
        if entity.kind == _MESSAGE:
            return self._form.opens_messages and entity.encoding not in ENCODINGS
        boundary = entity.type_.parameters.get(b"boundary", b"")
        return entity.kind.startswith(b"multipart/") and bool(boundary.strip())

    # -- containers

    def _enter(self, entity: MimeEntity) -> None:
        level = len(self._open)
        if level >= MAX_DEPTH:
            raise ConversionImpossible
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
        if container.parts:
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
            raise ConversionImpossible
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

    def _convert_leaf(self, entity: MimeEntity, at: int, body: bytes) -> None:
        """Convert *body*, whose header stands at *at* in the output."""
        converted = self._form.leaf(entity, body, bool(self._open) and self._open[-1].is_sealed)
        if converted is None:
            return
        self._note_change()
        self._out[at + 2] = converted.body
        if converted.is_gone:  # with the delimiter before it, and the line end before that
            self._out[at - 1 : at + 2] = b"", b"", b""
        if converted.header is not None:
            self._out[at : at + 2] = converted.header, b"\r\n"
