"""A program at a terminal of so many columns and lines: what it shows, and what is typed."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Final

_WITHOUT: Final = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "FORCE_COLOR")
_SEQUENCE: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[()][0-9A-B]|[=>])")


class Terminal:
    """Starts *command* at a terminal of its own. *environment* goes before this process's, less what says of colours.

    To be closed; a program that still runs then is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self._set_size(columns, lines)
        kept = {name: value for name, value in os.environ.items() if name not in _WITHOUT}
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=kept | {"TERM": "xterm-256color"} | dict(environment or {}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.shown = ""
        """All that it has written so far, with its control sequences."""
        self._waited_for = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size, and tell the program."""
        self._set_size(columns, lines)
        self._process.send_signal(signal.SIGWINCH)

    def read_until(self, words: str, timeout_s: float = 30.0) -> str:
        """Return what is shown from the last such *words* up to these. Raises TimeoutError."""
        end_at = time.monotonic() + timeout_s
        while (at := self.shown.find(words, self._waited_for)) < 0:
            if not self._read(end_at):
                raise TimeoutError(f"{words!r} was not shown, but {self.shown[self._waited_for :]!r}")
        before, self._waited_for = self._waited_for, at + len(words)
        return self.shown[before : self._waited_for]

    def ended(self, timeout_s: float = 30.0) -> int:
        """Read to the end, and return the exit code. Raises TimeoutError."""
        end_at = time.monotonic() + timeout_s
        while self._read(end_at):
            pass
        try:
            return self._process.wait(max(0.1, end_at - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"it goes on: {self.shown!r}") from error

    @property
    def text(self) -> str:
        """What was shown, without control sequences."""
        return plain(self.shown)

    def _read(self, end_at: float) -> bool:
        """Read what comes next; False at the end, or when nothing came in time."""
        if not select.select([self._ours], [], [], max(0.0, end_at - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # nobody has the other end any more
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def plain(shown: str) -> str:
    """Return what a terminal was sent without its control sequences, lines ended as in a file."""
    return _SEQUENCE.sub("", shown).replace("\r\n", "\n")
