"""Listening sockets of one worker: accepting, and sharing the connections out between workers.

All workers listen on the same sockets. A connection wakes them all; a worker that has more sessions than another
leaves it to that one for a moment, and takes it only if nobody did. So two connections land on two workers, while no
process stands between client and worker. (SO_REUSEPORT spreads by a hash of addresses: two connections of one client
may well meet in one worker; a plain shared socket gives them all to whoever wakes first.)
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Protocol

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks

Peer = tuple[str, int] | None
"""Address and port of the other side; None for a Unix socket."""

_LEAVE_TO_OTHERS_S = 0.002
_OUT_OF_FILES_S = 0.5
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Shares(Protocol):
    """How this worker's load compares with the others'; `node.board.Board` is one."""

    def surplus(self) -> int:
        """How many more sessions this worker has than the one with the fewest."""
        ...


class Acceptor:
    """Accepts on one listening socket until closed."""

    def __init__(
        self,
        sock: socket.socket,
        make_session: Callable[[Peer], asyncio.Protocol],
        shares: Shares,
        clock: Clock,
        log: Log,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._make_session = make_session
        self._shares = shares
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._tasks = Tasks(log, clock)
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop accepting. The socket itself lives on in the supervisor and in the other workers."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        if self._shares.surplus() > 0:
            self._rest(_LEAVE_TO_OTHERS_S)
        else:
            self._accept()

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._pause = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._readable)
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
        # The session counts itself in at once, so that the shares are right before the next accept.
        session = self._make_session(address[:2] if isinstance(address, tuple) else None)
        self._tasks.start(self._loop.connect_accepted_socket(lambda: session, connection))
