"""Lines beyond what any host has to take (RFC 5322 §2.1.1): seen while a message comes in, and made shorter where that
changes nothing of what they say.
"""

import re
from typing import Final

MAX_LINE_OCTETS: Final = 998
"""Octets of a line without its CRLF."""

_MOST = MAX_LINE_OCTETS + 2
_BEYOND = re.compile(rb"([^\r\n]{%d})[^\r\n]++" % MAX_LINE_OCTETS)
_SOFT_PIECE = re.compile(rb"(?:=[0-9A-Fa-f]{2}|[^\r\n]){1,24}")
_ENCODED_LINE = 76


def has_long_line(data: bytes) -> bool:
    """Whether a line of *data* is too long. Leaps from line end to line end, as far apart as they may be."""
    return _last_end(data, -1) is None


class LineMeter:
    """Sees the same in a body that comes in pieces, cut anywhere."""

    __slots__ = ("_begun", "has_long_line")

    def __init__(self) -> None:
        self.has_long_line = False
        self._begun = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        end = None if self.has_long_line else _last_end(piece, -1 - self._begun)
        self.has_long_line = end is None
        self._begun = 0 if end is None else len(piece) - 1 - end


def _last_end(data: bytes, end: int) -> int | None:
    """Return where the last line end of *data* may be taken to stand, None if a line is too long. *end* is where the
    one before *data* stood."""
    size = len(data)
    while size - end > _MOST:
        following = data.rfind(b"\n", max(end + 1, 0), end + 1 + _MOST)
        if following < 0:
            return None
        end = following
    following = data.rfind(b"\n", max(end + 1, 0))
    return end if following < 0 else following


def folded(header: bytes) -> bytes:
    """Return a header block with long lines folded at blanks, if they have any; the very object if none is long."""
    if not has_long_line(header):
        return header
    return b"\n".join(_folded_line(line) for line in header.split(b"\n"))


def _folded_line(line: bytes) -> bytes:
    pieces: list[bytes] = []
    begin = 1 if line[:1] in (b" ", b"\t") else line.find(b":") + 1  # a name and its colon stay together
    while len(line) > MAX_LINE_OCTETS + 1:
        at = max(line.rfind(blank, begin, MAX_LINE_OCTETS) for blank in (b" ", b"\t"))
        if at < 0 or not line[begin:at].strip():  # a line of blanks would end the header for some
            break
        pieces.append(line[:at] + b"\r")
        line, begin = line[at:], 1
    return b"\n".join((*pieces, line))


def truncated(text: bytes) -> bytes:
    """Return text that no program shows with its long lines cut off; the very object if none is long."""
    return _BEYOND.sub(rb"\1", text) if has_long_line(text) else text


def in_short_lines(encoding: bytes, body: bytes) -> bytes:
    """Return *body*, which is in base64 or quoted-printable, in shorter lines that say the same."""
    if encoding == b"base64":
        text = body.translate(None, b" \t\r\n")
        lines = (text[at : at + _ENCODED_LINE] for at in range(0, len(text), _ENCODED_LINE))
        return b"".join(line + b"\r\n" for line in lines)
    return b"\n".join(map(_soft_line, body.split(b"\n")))


def _soft_line(line: bytes) -> bytes:
    """Break a line of quoted-printable in such a way that it is read as one (RFC 2045 §6.7)."""
    if len(line) <= MAX_LINE_OCTETS:
        return line
    return b"=\r\n".join(_SOFT_PIECE.findall(line)) + (b"\r" if line.endswith(b"\r") else b"")
