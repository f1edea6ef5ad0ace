"""The header block of a message, read in place: only what is asked for is parsed.

Any bytes will do. The block ends before the blank line, or before the first line that is neither a field nor the
continuation of one: what follows is text to those who receive it, whatever it looks like. A lone LF ends a line as
CRLF does, since that is how it is read further on.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

Span = tuple[int, int]
"""A stretch of bytes: where it begins, and where it has ended."""

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_TEXT_LINE = re.compile(rb"\n(?![ \t]|[!-9;-~]++[ \t]*+:)")
"""The line end before a line that belongs to no field."""
_PLAIN_FIELD = re.compile(rb"[!-9;-~]++:")
_NOT_PLAIN = re.compile(rb"\n(?![ \t]|[!-9;-~]++:)")
"""The line end before a line that is neither a continuation nor a field as it is written today: the blank line, nearly
always.
"""
_BLANKS_BEFORE_COLON = re.compile(rb"\n[!-9;-~]++[ \t]++:")
_MBOX_LINES = re.compile(rb"(?:>*+From (?![ \t]*+:)[^\n]*+\n)+")
"""What stands before a message in a mailbox file. `From :` is a field, if an old one."""
_END_OF_FIELD = re.compile(rb"\n(?![ \t])")
_EMPTY = b" \t\r\n"


class Field(NamedTuple):
    """One field. *name* is lower case; *raw* is all of it with its line ends; *value* what follows the colon,
    folding included, without the last line end."""

    name: bytes
    raw: bytes
    value: bytes


class HeaderBlock:
    """A header block: *raw* without the blank line, *size* its bytes, *body_at* where the body begins.

    *is_complete* is False when its end was not found; *size* and *body_at* are then the length of all.
    """

    __slots__ = ("_has_blanks", "_lower", "body_at", "is_complete", "raw", "size")

    def __init__(self, raw: bytes, body_at: int, is_complete: bool, *, is_plain: bool = False) -> None:
        self.raw = raw
        self.size = len(raw)
        self.body_at = body_at
        self.is_complete = is_complete
        self._lower = lower = b"\n" + raw.lower()
        # RFC 5322 §4.5.3 lets old mail have blanks before the colon
        self._has_blanks = not is_plain and _BLANKS_BEFORE_COLON.search(lower) is not None

    @classmethod
    def scan(cls, data: bytes) -> "HeaderBlock":
        """Find the header block of *data*: a message, or as much of one as surely holds its header.

        A last line without its end may go on, so that it ends nothing.
        """
        if _PLAIN_FIELD.match(data) is not None:  # as is usual
            end = _NOT_PLAIN.search(data)
            if end is not None and data.startswith(b"\r\n", end.end()):
                return cls(data[: end.end()], end.end() + 2, True, is_plain=True)
        if data.startswith((b"\r\n", b"\n")):
            return cls(b"", 2 if data[0] == 13 else 1, True)
        last = data.find(b"\n\r\n")  # where the last line that may be the header's has its end
        body_at = last + 3
        lone = data.find(b"\n\n", 0, None if last < 0 else last + 1)
        if lone >= 0:
            last, body_at = lone, lone + 2
        is_found = last >= 0
        if not is_found:
            last = data.rfind(b"\n")
        if last >= 0:
            if _FIELD.match(data, 0, last) is None:
                return cls(b"", 0, True)
            text = _TEXT_LINE.search(data, 0, last)
            if text is not None:
                return cls(data[: text.end()], text.end(), True)
        return cls(data[: last + 1], body_at, True) if is_found else cls(data, len(data), False)

    @property
    def lacks_blank_line(self) -> bool:
        """Whether text follows with nothing in between; see `mended`."""
        return self.is_complete and self.body_at == self.size

    @property
    def received_count(self) -> int:
        """How many `Received` fields there are."""
        return self.count(b"received")

    def count(self, name: bytes) -> int:
        """Return how many fields are called *name*, given in lower case."""
        if self._has_blanks:
            return len(re.findall(rb"\n%b[ \t]*:" % re.escape(name), self._lower))
        return self._lower.count(b"\n" + name + b":")

    def has(self, name: bytes) -> bool:
        """Whether there is a field called *name*, given in lower case."""
        return b"\n" + name + b":" in self._lower or (self._has_blanks and self.count(name) > 0)

    def says(self, name: bytes) -> bool:
        """Whether a field called *name*, given in lower case, has a value that is not empty."""
        return any(self.raw[begin:end].partition(b":")[2].strip(_EMPTY) for begin, end in self.spans(name))

    def empty(self, *names: bytes) -> list[Span]:
        """Return where the fields called one of *names*, given in lower case, stand without a value."""
        return [
            (begin, end)
            for begin, end in self.spans(*names)
            if not self.raw[begin:end].partition(b":")[2].strip(_EMPTY)
        ]

    def matches(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether *pattern* is found in the block as it is in lower case, with an LF before each line.

        Where one of several names is looked for, a pattern takes a third of the time that they take one by one.
        """
        return pattern.search(self._lower) is not None

    def first(self, name: bytes) -> str:
        """Return the unfolded value of the first field called *name*, given in lower case, or empty.

        Bytes that are no UTF-8 come back as U+FFFD. Encoded words stay as they are.
        """
        colon = self._find(name)
        if colon < 0:
            return ""
        return unfold(self.raw[colon + 1 : self._end_of(colon)])

    def fields(self) -> list[Field]:
        """Return all fields in order."""
        return [field for _, field in self.placed()]

    def placed(self) -> Iterator[tuple[int, Field]]:
        """Yield all fields in order, each with the place where it begins."""
        raw = self.raw
        at = 0
        while at < len(raw):
            end = self._end_of(at)
            field = field_of(raw[at:end])
            if field is not None:
                yield at, field
            at = end

    def beginning(self, *prefixes: bytes) -> list[Span]:
        """Return where the fields stand whose names begin with one of *prefixes*, given in lower case."""
        return self._matching(rb"\n(?:%b)[!-9;-~]*+[ \t]*+:" % b"|".join(map(re.escape, prefixes)))

    def _matching(self, start: bytes) -> list[Span]:
        return [(at, self._end_of(at)) for at in (match.start() for match in re.finditer(start, self._lower))]

    def spans(self, *names: bytes) -> list[Span]:
        """Return where the fields called one of *names*, given in lower case, stand."""
        if self._has_blanks:
            return self._matching(rb"\n(?:%b)[ \t]*+:" % b"|".join(map(re.escape, names)))
        found = []
        for name in names:
            start = b"\n" + name + b":"
            at = self._lower.find(start)
            while at >= 0:
                found.append((at, self._end_of(at)))
                at = self._lower.find(start, at + 1)
        return found

    def _find(self, name: bytes) -> int:
        """Return the place of the colon of the first field called *name*, or -1."""
        if self._has_blanks:
            match = re.search(rb"\n%b[ \t]*:" % re.escape(name), self._lower)
            return -1 if match is None else match.end() - 2
        at = self._lower.find(b"\n" + name + b":")
        return -1 if at < 0 else at + len(name)

    def _end_of(self, at: int) -> int:
        """Return where the field that *at* lies in ends, its continuation lines included."""
        end = _END_OF_FIELD.search(self.raw, at)
        return len(self.raw) if end is None else end.end()


def field_of(raw: bytes) -> Field | None:
    """Return the field that *raw* is, with its continuation lines; None when it is none."""
    match = _FIELD.match(raw)
    return None if match is None else Field(match[1].lower(), raw, raw[match.end() :].rstrip(b"\r\n"))


def mended(message: bytes) -> bytes:
    """Return *message* with a header block that ends where every program sees it end; the very object where it does.

    As Postfix does: lines of a mailbox file before the first field go, and a blank line is put before the first line
    that is neither a field nor the continuation of one.
    """
    message = without_mbox_lines(message)
    header = HeaderBlock.scan(message)
    if not header.lacks_blank_line:
        return message
    return b"".join((header.raw, b"\r\n", message[header.size :]))


def without_mbox_lines(message: bytes) -> bytes:
    """Return *message* without the `From ` lines of a mailbox file before its first field."""
    lines = _MBOX_LINES.match(message)
    return message if lines is None else message[lines.end() :]


def unfold(value: bytes) -> str:
    """Return a field's value as one line of text (RFC 5322 §2.2.3), stripped. No UTF-8 comes back as U+FFFD."""
    return _FOLD.sub("", value.decode("utf-8", "replace")).strip()


def cut(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return *data* without *spans*, which may come in any order and overlap. Nothing else of it changes."""
    kept: list[bytes] = []
    at = 0
    for begin, end in sorted(spans):
        if begin > at:
            kept.append(data[at:begin])
        at = max(at, end)
    return b"".join((*kept, data[at:])) if at else data
