"""Accepting on a listening socket that other processes accept on as well.

SO_REUSEPORT spreads by a hash of addresses: two connections of one client may well meet in one process. A plain shared
socket gives them all to the process that wakes first. So each says how long it leaves a connection to the others.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from angarium.core.clock import Clock
from angarium.core.log import Log

LEAVE_TO_OTHERS_S = 0.002
"""How long a process with more connections than another leaves a new one to that."""
_OUT_OF_FILES_S = 0.5
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class SharedListener:
    """Accepts on one listening socket until closed. *take* is given each connection, and the address of its peer.

    A connection wakes all processes that listen. *leave_s* says for how many seconds it is left to the others, 0 for
    not at all; *is_left*, asked after these, whether they did leave it.
    """

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[socket.socket, Any], None],
        leave_s: Callable[[], float],
        clock: Clock,
        log: Log,
        is_left: Callable[[], bool] = lambda: True,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._take = take
        self._leave_s = leave_s
        self._is_left = is_left
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop accepting. The socket itself lives on in the other processes."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        seconds = self._leave_s()
        if seconds > 0:
            self._rest(seconds)
        else:
            self._accept()

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._pause = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._readable)
        if self._is_left():
            self._accept()

    def _accept(self) -> None:
        try:
            connection, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in _OUT_OF_FILES:
                raise
            self._log.error("accept", self._clock.now(), error=str(error), retry_s=_OUT_OF_FILES_S)
            if self._pause is None:
                self._rest(_OUT_OF_FILES_S)
            return
        self._take(connection, address)
