"""Plays SMTP dialogs written as text, against a machine without I/O or against a live server.

A dialog is a file of lines:

# a comment                          C: MAIL FROM:<a@example.org>     we send the line, with CR LF @ limit
max_recipients 2             C*500: a long line               we send it 500 times S: 250 2.1.0
C> half a li\\x6ee\\r              we send these bytes, escapes resolved = mail a@example.org
--                               what follows is a write of its own ! wait 301

`S:` expects a reply line that begins with the text; a text of three digits alone stands for a whole reply of
any number of lines. Lines of C between other lines are one write, as a pipelining client makes it. `=`
expects an event of the peer's that begins with the text, after the events matched so far; `= closed` and `=
open` speak of the connection. `@` lines set the peer up, `!` lines act on it: both mean what the peer makes
of them.
"""

import asyncio
import re
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from angarium.core.errors import AngariumError

_LINE = re.compile(r"(C|C>|C\*\d+|S|@|=|!|--)(?:: ?| |$)(.*)")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|[rnt0\\])")
_KINDS: dict[str, Literal["reply", "event", "act"]] = {"S": "reply", "=": "event", "!": "act"}
_PLAIN_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


class DialogError(AngariumError):
    """A dialog that cannot be read, or that went another way. Names file and line."""


class Step(NamedTuple):
    """One thing to do. *data* is what to send; *text* is what to expect or do."""

    line: int
    kind: Literal["send", "reply", "event", "act"]
    text: str
    data: bytes = b""


class Dialog(NamedTuple):
    """A dialog that was read. *settings* are its `@` lines."""

    name: str
    settings: tuple[str, ...]
    steps: tuple[Step, ...]

    def error(self, step: Step, sentence: str) -> DialogError:
        """Return the error that *sentence* is about at *step*."""
        return DialogError(f"{self.name}:{step.line}: {sentence}")


class DialogPeer(Protocol):
    """The other side, where it is an object and not a live server."""

    @property
    def closing(self) -> bool:
        """Whether it has closed the connection, or will once its output is taken."""
        ...

    def send(self, data: bytes) -> None:
        """Take one write of ours."""
        ...

    def take_output(self) -> bytes:
        """Return what it has said since the last call."""
        ...

    def take_events(self) -> list[str]:
        """Return what has happened in it since the last call, one line each."""
        ...

    def act(self, text: str) -> None:
        """Do what a `!` line says. Raises ValueError when that means nothing."""
        ...


def read_dialog(path: Path) -> Dialog:
    """Read a dialog from a file. Raises DialogError."""
    return parse_dialog(path.read_text("utf-8"), path.name)


def parse_dialog(text: str, name: str = "dialog") -> Dialog:
    """Read a dialog. Raises DialogError for a line that is none of those that a dialog has."""
    settings: list[str] = []
    steps: list[Step] = []
    joins = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DialogError(f"{name}:{number}: a line begins with C: C> S: = ! @ -- or #")
        mark, rest = match.groups()
        if mark == "@":
            settings.append(rest.strip())
        elif mark in _KINDS:
            steps.append(Step(number, _KINDS[mark], rest.strip()))
        elif mark != "--":
            data = steps.pop().data if joins else b""
            steps.append(Step(number, "send", rest, data + _wire(mark, rest)))
        joins = mark.startswith("C")
    return Dialog(name, tuple(settings), tuple(steps))


def play(dialog: Dialog, peer: DialogPeer) -> None:
    """Play *dialog* with *peer*. Raises DialogError where it goes another way, or a reply is left over."""
    replies: list[str] = []
    events: list[str] = []
    for step in dialog.steps:
        if step.kind == "send":
            peer.send(step.data)
        elif step.kind == "act":
            _act(dialog, step, peer)
        elif step.kind == "reply":
            replies += _lines(peer.take_output())
            _match_reply(dialog, step, replies)
        else:
            events += peer.take_events()
            _match_event(dialog, step, events, peer.closing)
    if left := replies + _lines(peer.take_output()):
        raise DialogError(f"{dialog.name}: the peer went on with {left[0]!r}")


async def play_live(dialog: Dialog, host: str, port: int, timeout_s: float = 10.0) -> None:
    """Play *dialog* with the server at *host* and *port*, waiting up to *timeout_s* for each reply.

    A live server is set up and told what happens to it by other means, so settings and `!` lines are errors,
    and of the events only `= closed` is looked at. Raises DialogError, OSError or TimeoutError.
    """
    if dialog.settings:
        raise DialogError(f"{dialog.name}: a live server is not set up by the dialog")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for step in dialog.steps:
            async with asyncio.timeout(timeout_s):
                await _live_step(dialog, step, reader, writer)
    finally:
        writer.close()


async def _live_step(
    dialog: Dialog, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if step.kind == "act":
        raise dialog.error(step, "a live server takes no orders from a dialog")
    if step.kind == "send":
        writer.write(step.data)
        await writer.drain()
    elif step.kind == "reply":
        _match_reply(dialog, step, await _live_reply(step, reader))
    elif step.text == "closed" and await reader.read(1):
        raise dialog.error(step, "the peer went on instead of closing")


async def _live_reply(step: Step, reader: asyncio.StreamReader) -> list[str]:
    """Read what `_match_reply` needs for *step*: a line, or all lines of a reply."""
    lines: list[str] = []
    while True:
        line = await reader.readline()
        if not line:
            return lines
        lines += _lines(line)
        if len(step.text) != 3 or lines[-1][3:4] != "-":
            return lines


def _act(dialog: Dialog, step: Step, peer: DialogPeer) -> None:
    try:
        peer.act(step.text)
    except ValueError as error:
        raise dialog.error(step, str(error)) from None


def _match_reply(dialog: Dialog, step: Step, lines: list[str]) -> None:
    """Take what *step* expects from the front of *lines*."""
    if not lines:
        raise dialog.error(step, f"expected {step.text!r}, but the peer said nothing")
    line = lines.pop(0)
    if not line.startswith(step.text):
        raise dialog.error(step, f"expected {step.text!r}, but the peer said {line!r}")
    while len(step.text) == 3 and line[3:4] == "-" and lines:
        line = lines.pop(0)


def _match_event(dialog: Dialog, step: Step, events: list[str], closing: bool) -> None:
    if step.text in ("closed", "open"):
        if closing != (step.text == "closed"):
            raise dialog.error(step, f"the connection is not {step.text}")
        return
    for index, event in enumerate(events):
        if event.startswith(step.text):
            del events[: index + 1]
            return
    raise dialog.error(step, f"expected {step.text!r}, but what happened is {events}")


def _lines(output: bytes) -> list[str]:
    return output.decode("utf-8", "replace").removesuffix("\r\n").split("\r\n") if output else []


def _wire(mark: str, text: str) -> bytes:
    if mark == "C>":
        return _ESCAPE.sub(_unescape, text).encode("latin-1")
    times = int(mark[2:] or 1)
    return f"{text}\r\n".encode() * times


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] == "x" else _PLAIN_ESCAPES[code]
