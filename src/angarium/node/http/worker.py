"""HTTP in a worker: what ends in a message or a fact is answered here, all else by the process behind."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from angarium.core.accepting import LEAVE_TO_OTHERS_S, SharedListener
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.http.carrier import NODE_BOUNDS, HttpServer
from angarium.http.front import FirstSegmentFront, Front
from angarium.http.upstream import Upstream
from angarium.node.http.private import connect_private
from angarium.node.http.recorder import with_recorder
from angarium.node.http.sending import SendingDoors
from angarium.node.session_counts import HttpCounts
from angarium.node.socket_path import HTTP_SOCKET_NAME


class WorkerHttp:
    """The HTTP server of one of so many *workers*. *own* are the paths that it answers itself (`http.front`),
    *sending* the doors by which mail comes in.
    """

    def __init__(
        self,
        own: Mapping[str, ASGIApp],
        data: Path,
        workers: int,
        counts: HttpCounts,
        clock: Clock,
        log: Log,
        sending: SendingDoors | None = None,
    ) -> None:
        rest = with_recorder(Upstream(lambda: connect_private(data / HTTP_SOCKET_NAME)), data)
        if sending is not None:
            rest = FirstSegmentFront(sending.segments, rest)
        front = Front(own, rest, sending.posted if sending is not None else None)
        self._server = HttpServer(front, bounds=NODE_BOUNDS.share(workers))
        self._counts = counts
        self._clock = clock
        self._log = log
        self._tasks = Tasks(log, clock)
        self._listeners: dict[str, SharedListener] = {}

    async def start(self) -> None:
        """Be ready to serve."""
        await self._server.start()

    def listen(self, sockets: Mapping[str, int]) -> None:
        """Accept on the sockets whose descriptors these are, by name, and no longer on others."""
        for name in self._listeners.keys() - sockets.keys():
            self._listeners.pop(name).close()
        for name, fd in sockets.items():
            sock = socket.socket(fileno=fd)
            if name in self._listeners:
                sock.close()
            else:
                self._listeners[name] = SharedListener(
                    sock, self._take, self._leave_s, self._clock, self._log
                )

    def close(self) -> None:
        """Accept no more."""
        self.listen({})

    async def stop(self) -> None:
        """Finish the answers under way, and close the connections."""
        await self._server.stop()

    def _leave_s(self) -> float:
        return LEAVE_TO_OTHERS_S if self._counts.surplus() > 0 else 0

    def _take(self, connection: socket.socket, address: Any) -> None:
        self._counts.enter()
        self._tasks.start(self._server.take(connection, self._counts.leave))
