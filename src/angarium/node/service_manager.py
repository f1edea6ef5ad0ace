"""The program that has started the node and wants to hear how it is: systemd, by sd_notify(3).

A service manager that is not there is told nothing.
"""

import asyncio
import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final

from angarium.core.clock import Clock
from angarium.core.log import Log

_LOOK_S: Final = 10.0
_EXTENSION_S: Final = 60
_LONGEST_START_S: Final = 3600.0
"""A node that takes no mail by then never will: a worker that dies at each start must not hold a boot up for ever."""
_NAMES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServiceManager:
    """*path* is where it listens, empty for none; *watchdog_s* how long it waits for a sign of life, None for ever."""

    def __init__(self, path: str, watchdog_s: float | None, clock: Clock, log: Log) -> None:
        self._path = path
        self._watchdog_s = watchdog_s
        self._clock = clock
        self._log = log
        self._is_ready = False

    @classmethod
    def from_environment(
        cls, environ: MutableMapping[str, str], pid: int, clock: Clock, log: Log
    ) -> "ServiceManager":
        """Read what *environ* says to the process *pid*, and take it out: it is not for the workers."""
        path, micros, whose = (environ.pop(name, "") for name in _NAMES)
        is_watched = micros.isdecimal() and whose in ("", str(pid))
        return cls(path, int(micros) / 1e6 if is_watched else None, clock, log)

    def ready(self, status: str) -> None:
        """The node takes mail."""
        self._is_ready = True
        self._tell("READY=1", f"STATUS={status}")

    @contextmanager
    def reload(self) -> Iterator[None]:
        """Say that the configuration is being read, and at the end, however it went, that mail is taken as before."""
        was_ready = self._is_ready
        if was_ready:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            if was_ready:
                self._tell("READY=1")

    def stopping(self) -> None:
        """The node drains."""
        self._tell("STOPPING=1", "STATUS=finishing what must be finished")

    async def give_signs_of_life(self) -> None:
        """Say that the event loop turns, twice in the time that the watchdog waits; and while the spool is being read,
        for an hour at most, that this may take longer than a start usually does. Until cancelled.
        """
        begun_at = time.monotonic()
        while self._path:
            signs = ["WATCHDOG=1"] if self._watchdog_s is not None else []
            if not self._is_ready and time.monotonic() - begun_at < _LONGEST_START_S:
                signs += [f"EXTEND_TIMEOUT_USEC={_EXTENSION_S * 1_000_000}", "STATUS=reading the spool"]
            self._tell(*signs)
            await asyncio.sleep(min(_LOOK_S, (self._watchdog_s or _LOOK_S) / 2))

    def _tell(self, *lines: str) -> None:
        if not self._path or not lines:
            return
        address = f"\0{self._path[1:]}" if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            self._log.warning("service_manager", self._clock.now(), error=str(error), said=" ".join(lines))
