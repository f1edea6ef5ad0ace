"""A child process as a test needs it: its output as lines to wait for, and its end by process id.

For programs that print what they do. Waiting is for a line, never for a length of time; the timeout only says
when to give up, and then the output is part of the error.
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from angarium.core.errors import AngariumError

PATIENCE_S: Final = 60.0
"""How long to wait for what happens within a second on a machine that has nothing else to do. Waiting costs nothing
when things work; on a small machine that is busy, a start alone may take many seconds."""

_LAST_LINES = 40
_LINE_CHARACTERS = 300


class ProgramFailed(AngariumError):
    """A program ended, or did not do in time what was waited for. The text ends with its last lines."""


def last_lines(log: str) -> str:
    """Return the end of a log as a report of a failure needs it: the last lines, each cut to what can be read."""
    lines = log.splitlines()
    shown = [line if len(line) <= _LINE_CHARACTERS else f"{line[:_LINE_CHARACTERS]} …" for line in lines]
    return "\n".join(shown[-_LAST_LINES:])


_PORTS = range(10_000, 32_000)
_BLOCK = 50
_blocks: list[socket.socket] = []
_mine: list[int] = []


def free_port(*hosts: str) -> int:
    """Return a port that is free now on *hosts* (127.0.0.1), for programs that cannot say which one they took.

    It lies below the ports that the kernel gives to outgoing connections, so that none of those takes it meanwhile,
    and this function gives it to no other on this machine as long as this process lives.
    """
    while True:
        if not _mine:
            _mine.extend(_claim_block())
        port = _mine.pop()
        if all(_is_free(host, port) for host in hosts or ("127.0.0.1",)):
            return port


def _claim_block() -> range:
    """Take ports for this process alone. The claim is the name of a socket, so it ends with the process."""
    starts = list(_PORTS[::_BLOCK])
    for start in random.sample(starts, len(starts)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0angarium-ports-{start}")
        except OSError:
            claim.close()
        else:
            _blocks.append(claim)
            return range(start, start + _BLOCK)
    raise AngariumError(
        f"all ports from {_PORTS.start} to {_PORTS.stop} are claimed by programs that still run"
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


_running: "list[Program]" = []


def running() -> "list[Program]":
    """Return the programs of this process that were started and not stopped yet, oldest first."""
    return list(_running)


class Program:
    """A running child. Standard output and standard error are read together into `lines`.

    Raises FileNotFoundError when there is no such program. Leaving the context stops it. With *log_to*
    the output goes to that file instead and `lines` stays empty: reading much of it costs CPU that a measurement
    would miss.
    """

    def __init__(
        self,
        arguments: Sequence[str | os.PathLike[str]],
        *,
        name: str = "",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        log_to: Path | None = None,
    ) -> None:
        self.name = name or Path(arguments[0]).name
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._log_to = log_to
        with contextlib.nullcontext(subprocess.PIPE) if log_to is None else log_to.open("ab") as output:
            self.process = subprocess.Popen(
                [os.fspath(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=None if env is None else {**os.environ, **env},
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name=f"{self.name} output", daemon=True)
        self._reader.start()
        _running.append(self)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """All that was printed so far."""
        if self._log_to is not None:
            return self._log_to.read_text(errors="replace")
        with self._news:
            return "\n".join(self.lines)

    def wait_until(self, true: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until *true*, which is asked again whenever a line was printed and ten times a second.

        Raises ProgramFailed when the time is over or the program has ended without it.
        """
        give_up_at = time.monotonic() + timeout_s
        while not true():
            with self._news:
                if self._ended and not true():
                    raise self._failed(f"ended with status {self.process.wait()} before {what}")
                if time.monotonic() > give_up_at:
                    raise self._failed(f"no {what} within {timeout_s:g} s")
                self._news.wait(0.1)

    def wait_for(self, pattern: str, count: int = 1, timeout_s: float = PATIENCE_S) -> list[re.Match[str]]:
        """Wait until *count* lines hold a match of the regular expression *pattern*; return all matches."""
        found: list[re.Match[str]] = []

        def enough() -> bool:
            with self._news:
                found[:] = [match for line in self.lines if (match := re.search(pattern, line))]
            return len(found) >= count

        self.wait_until(enough, f"{count} × {pattern!r}", timeout_s)
        return found

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Send a signal, wait for the end and return the exit status. Kills what outstays *timeout_s*."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill_group()
            status = self.process.wait()
        self._reader.join(timeout_s)
        with contextlib.suppress(ValueError):  # it was stopped before
            _running.remove(self)
        return status

    def kill_group(self) -> None:
        """Kill the program and every child that is still in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _read(self) -> None:
        if self.process.stdout is None:
            self.process.wait()
        else:
            self._collect(self.process.stdout)
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _collect(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                with self._news:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._news.notify_all()

    def _failed(self, what: str) -> ProgramFailed:
        return ProgramFailed(f"{self.name}: {what}; it printed last:\n{last_lines(self.log)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run(
    arguments: Sequence[str | os.PathLike[str]], stdin: bytes = b"", timeout_s: float = PATIENCE_S
) -> str:
    """Run a program to its end and return what it printed. Raises ProgramFailed when its status is not 0, or when it
    does not end in time.
    """
    try:
        done = subprocess.run(
            [os.fspath(argument) for argument in arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = last_lines((error.output or b"").decode("utf-8", "replace"))
        raise ProgramFailed(
            f"{arguments[0]} did not end within {timeout_s:g} s; it printed last:\n{said}"
        ) from None
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise ProgramFailed(f"{arguments[0]} ended with status {done.returncode}; it printed:\n{output}")
    return output
