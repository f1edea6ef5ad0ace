"""Content-Type and Content-Transfer-Encoding, read by their grammar (RFC 2045 §5.1, §6.1; comments: RFC 5322 §3.2.2;
values in sections and with a charset: RFC 2231).

What is not grammatical is read as most readers do: a value without quotes ends at a blank, a semicolon or a comment,
whatever else is in it; what has no end ends with the field; of two parameters of one name the first counts. Any bytes
will do, in time proportional to their number.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

_BLANKS = re.compile(rb"[\0- \x7f]*+")
_COMMENT_STEP = re.compile(rb"[^()\\]*+(?:\\.|\\\Z|([()]))?", re.S)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)\\?(?:"|\Z)', re.S)
_PAIR = re.compile(rb"\\(.)", re.S)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_TOKEN = re.compile(rb'[^\0- \x7f()<>@,;:\\"/\[\]?=]++')
_WORD = re.compile(rb'[^\0- \x7f;()"]++')
_SECTION = re.compile(rb"(.*?)(?:\*(0|[1-9][0-9]{0,3}))?(\*)?", re.S)
_MOST_SECTIONS: Final = 1000


class ContentType(NamedTuple):
    """A Content-Type field. *kind* is `type/subtype` in lower case, empty where the field names none.

    *parameters* are by name in lower case: values without quotes, put together where they came in sections, and
    decoded where they came with a charset, in the bytes of that charset.
    """

    kind: bytes
    parameters: dict[bytes, bytes]


def content_type(value: bytes) -> ContentType:
    """Read the value of a Content-Type field, which may be folded."""
    reader = _Reader(value)
    main = reader.take(_TOKEN)
    sub = reader.take(_TOKEN) if main and reader.has(b"/") else b""
    kind = b"%b/%b" % (main, sub) if sub else b""
    return ContentType(kind.lower(), _joined(reader.parameters()))


def transfer_encoding(value: bytes) -> bytes:
    """Return what a Content-Transfer-Encoding field names, in lower case; empty where it names nothing."""
    return _Reader(value).value().lower()


class _Reader:
    """A place in a field. Everything first passes over blanks and comments."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def parameters(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield names, in lower case, and values."""
        while self._at < len(self._text):
            name = self.take(_TOKEN)
            if name and self.has(b"="):
                yield name.lower(), self.value()
            elif not name:
                self._pass_one()

    def value(self) -> bytes:
        """Return a quoted string without its quotes, or a word."""
        self._pass_blanks()
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is None:
            return self.take(_WORD)
        self._at = quoted.end()
        return _PAIR.sub(rb"\1", _FOLD.sub(b"", quoted[1]))

    def take(self, pattern: re.Pattern[bytes]) -> bytes:
        """Return what matches *pattern* here, empty if nothing does."""
        self._pass_blanks()
        match = pattern.match(self._text, self._at)
        if match is None:
            return b""
        self._at = match.end()
        return match[0]

    def has(self, mark: bytes) -> bool:
        """Whether *mark* stands here, which is then passed."""
        self._pass_blanks()
        found = self._text.startswith(mark, self._at)
        self._at += found
        return found

    def _pass_one(self) -> None:
        """Pass over what cannot be a name: a semicolon, a stray mark, a quoted string."""
        quoted = _QUOTED.match(self._text, self._at)
        self._at = self._at + 1 if quoted is None else quoted.end()

    def _pass_blanks(self) -> None:
        self._pass(_BLANKS)
        while self._text.startswith(b"(", self._at):
            self._pass_comment()
            self._pass(_BLANKS)

    def _pass_comment(self) -> None:
        """Pass over a comment with those in it."""
        depth, self._at = 1, self._at + 1
        while depth and self._at < len(self._text):
            bracket = self._pass(_COMMENT_STEP)[1]
            depth += (bracket == b"(") - (bracket == b")")

    def _pass(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Pass over what *pattern*, which matches anywhere, matches here."""
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match


def _joined(parameters: Iterator[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Put values together that came in sections; a value in one piece goes before one in sections."""
    whole: dict[bytes, bytes] = {}
    sections: dict[bytes, dict[int, bytes]] = {}
    for name, value in parameters:
        match = _SECTION.fullmatch(name)
        assert match is not None
        base, number, is_encoded = match.groups()
        if number is None and is_encoded is None:
            whole.setdefault(base, value)
        else:
            index = int(number or 0)
            read = _decoded(value, has_charset=index == 0) if is_encoded else value
            sections.setdefault(base, {}).setdefault(index, read)
    for base, found in sections.items():
        whole.setdefault(base, b"".join(_in_order(found)))
    return whole


def _in_order(found: dict[int, bytes]) -> Iterator[bytes]:
    for index in range(_MOST_SECTIONS):
        if index not in found:
            return
        yield found[index]


def _decoded(value: bytes, *, has_charset: bool) -> bytes:
    """Undo `charset'language'text`, percent-encoded (RFC 2231 §4)."""
    if has_charset and value.count(b"'") >= 2:
        value = value.split(b"'", 2)[2]
    return unquote_to_bytes(value)
