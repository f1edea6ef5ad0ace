"""Structured logs: one wide line per session, attempt and state change, as `catalogue.logs` describes them.

Lines are gathered and written in batches, so that logging costs the hot path an encoding and no system call. What is
lost when the process is killed is a fraction of a second of log lines, never mail: the journal is the record.
"""

import os
import select
import stat
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from angarium.core.colours import wants_colours

LogFormat = Literal["json", "pretty"]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

MOST_LINE: Final = 4096
"""A line has at most so many bytes: what a pipe takes whole, so that no other process's lines come between."""
_CUTS: Final = (600, 200, 60, 20)
"""So many characters are left of a text in a line that would be longer, and a twentieth of that of a list's items."""
_MOST_WAITING = 256
"""So many pieces of at most `MOST_LINE` bytes are kept for a reader that has paused."""
_COLOURS = {"debug": "\x1b[2m", "info": "", "warning": "\x1b[33m", "error": "\x1b[31m"}


class Log:
    """Writes to one file descriptor. Not for use by several threads.

    *later* has what it is given called a moment later; without it every line is written at once. *fields* are those of
    every record. Whatever the fields of a record hold, its line is one, and whole.
    """

    def __init__(
        self,
        fd: int = 2,
        *,
        fmt: LogFormat | None = None,
        level: Level = "info",
        fields: dict[str, Any] | None = None,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.fd = fd
        self.level = level
        self._format: LogFormat = fmt or ("pretty" if os.isatty(fd) else "json")
        self._colours = _COLOURS if wants_colours(os.isatty(fd), os.environ) else {}
        self._fields = fields or {}
        self._lines: list[bytes] = []
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._own = b"," + self._encode(self._fields)[1:-1] if self._fields else b""
        self._second, self._stamp = -1, b""
        self._heads: dict[tuple[str, str], bytes] = {}
        """What stands between the time and the fields, by level and event."""
        self._waiting: list[bytes] = []
        self._room: select.poll | None = None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            self._room = select.poll()
            self._room.register(fd, select.POLLOUT)
        self._later = later
        self._is_planned = False
        self.lost = 0
        """Lines that could not be written and were not kept."""
        self.unread = 0
        """Those of them that were lost since the last one was written: more than 0, nobody reads the log."""

    def info(self, event: str, at: float, **fields: Any) -> None:
        """Log what happened in the course of business. *at* is epoch seconds."""
        self.add("info", event, at, fields)

    def warning(self, event: str, at: float, **fields: Any) -> None:
        """Log what a person will have to look at some day."""
        self.add("warning", event, at, fields)

    def fault(self, at: float, error: Exception, **fields: Any) -> None:
        """Log what was not foreseen, and where it happened."""
        where = "".join(traceback.format_exception(error))
        self.error("bug", at, **fields, error=repr(error), traceback=where)

    def error(self, event: str, at: float, **fields: Any) -> None:
        """Log what a person must act on."""
        self.add("error", event, at, fields)

    def debug(self, event: str, at: float, **fields: Any) -> None:
        """Log what helps to find a fault."""
        self.add("debug", event, at, fields)

    def add(self, level: Level, event: str, at: float, fields: dict[str, Any]) -> None:
        """Log *event* with *fields* that are at hand already."""
        if LEVELS[level] < LEVELS[self.level]:
            return
        render = self._pretty if self._format == "pretty" else self._json
        try:
            line = render(level, event, at, fields)
        except UnicodeError:
            fields = {name: _encodable(value) for name, value in fields.items()}
            line = render(level, event, at, fields)
        if len(line) > MOST_LINE:
            line = self._cut(render, level, event, at, fields)
        self._lines.append(line)
        if self._later is None:
            self.flush()
        elif not self._is_planned:
            self._plan()

    def _json(self, level: str, event: str, at: float, fields: dict[str, Any]) -> bytes:
        second = int(at)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime('{"at":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode()
        head = self._heads.get((level, event))
        if head is None:
            text = f'Z","level":"{level}","event":"{event}"'
            head = self._heads[level, event] = text.encode() + self._own
        said = self._encode(fields)
        return b"%b%06d%b%b%b\n" % (
            self._stamp,
            (at - second) * 1e6,
            head,
            b"," if fields else b"",
            said[1:],
        )

    def _cut(
        self,
        render: Callable[[str, str, float, dict[str, Any]], bytes],
        level: str,
        event: str,
        at: float,
        fields: dict[str, Any],
    ) -> bytes:
        """Return the line with texts and lists shortened so far that it fits."""
        for most in _CUTS:
            shorter = {name: _shortened(name, value, most) for name, value in fields.items()}
            line = render(level, event, at, {**shorter, "cut": True})
            if len(line) <= MOST_LINE:
                return line
        return render(level, event, at, {"cut": True})

    def _pretty(self, level: str, event: str, at: float, fields: dict[str, Any]) -> bytes:
        clock = datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        words = " ".join(
            f"{key}={_show(value)}"
            for key, value in {**self._fields, **fields}.items()
            if value not in ("", None)
        )
        colour = self._colours.get(level)
        name = f"{event:<12}" if colour is None else f"{colour}{event:<12}\x1b[0m"
        return f"{clock} {name} {words}\n".encode("utf-8", "replace")

    def flush(self) -> None:
        """Write what was gathered. A log that is full, closed or not read never stops the mail: what it does not take
        is kept for the next time, and what gets too much is dropped and counted.
        """
        lines, self._lines = self._lines, []
        if self._room is None:
            self._write(b"".join(lines))
            return
        self._waiting += _pieces(lines)
        while self._waiting and self._has_room(self._room):
            self._write(self._waiting.pop(0))
        if self._waiting:
            self._lose(self._waiting[_MOST_WAITING:])
            del self._waiting[_MOST_WAITING:]
            self._plan()

    def _plan(self) -> None:
        """Have what is kept written in a moment: by one call, however often it is asked for."""
        if self._later is not None and not self._is_planned:
            self._is_planned = True
            self._later(self._flush_as_planned)

    def _flush_as_planned(self) -> None:
        self._is_planned = False
        self.flush()

    def _has_room(self, room: select.poll) -> bool:
        try:
            return bool(room.poll(0))
        except OSError:
            return False  # no memory for the question, or no descriptors allowed at all: asked again the next time

    def _write(self, data: bytes) -> None:
        try:
            os.write(self.fd, data)
        except OSError:
            self._lose([data, *self._waiting])
            self._waiting.clear()
        else:
            self.unread = 0

    def _lose(self, pieces: list[bytes]) -> None:
        lines = sum(piece.count(b"\n") for piece in pieces)
        self.lost += lines
        self.unread += lines


def _show(value: Any) -> str:
    text = str(value)
    return repr(text) if " " in text or not text.isprintable() else text


def _encodable(value: Any) -> Any:
    """Return *value* without what UTF-8 cannot say: halves of surrogate pairs, which stand for bytes that were none."""
    if isinstance(value, dict):
        return {_encodable(name): _encodable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(part) for part in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _shortened(name: str, value: Any, most: int) -> Any:
    """Return at most so many characters of a text, and a few items of a list. Of a traceback the end says more."""
    if isinstance(value, dict):
        return {part: _shortened("", value[part], most) for part in list(value)[: most // 20]}
    if isinstance(value, list | tuple):
        return [_shortened("", part, most) for part in value[: most // 20]]
    if isinstance(value, int | float | None) or len(text := str(value)) <= most:
        return value
    return f"… {text[-3 * most :]}" if name == "traceback" else f"{text[:most]}…"


def _pieces(lines: list[bytes]) -> list[bytes]:
    """Put lines together to pieces that a pipe with room takes whole, also when other processes write to it."""
    pieces: list[bytes] = []
    for line in lines:
        if pieces and len(pieces[-1]) + len(line) <= MOST_LINE:
            pieces[-1] += line
        else:
            pieces.append(line)
    return pieces
