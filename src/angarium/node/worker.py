"""One worker process: a complete engine on one event loop, with its own spool partitions.

Started by the supervisor with three inherited descriptors: the link, the socket over which listening sockets come,
and the counts of sessions. It ends when told to drain, or when the supervisor is gone.
"""

import asyncio
import gc
import signal
import socket
import sys
from typing import Any

import uvloop

from angarium.node.link import Link
from angarium.node.service import WorkerService
from angarium.spool.port import NewerFormat

_ALONE_S, _LAST_S = 5, 10
"""A worker whose supervisor is gone drains that long. A signal ends it then: none is left to kill one that hangs."""


class Worker:
    """Does as its supervisor says: begins its service, passes on to that what is asked, and ends with it."""

    def __init__(self, link_socket: socket.socket, sockets: socket.socket, counts_fd: int) -> None:
        self._link_socket = link_socket
        self._sockets = sockets
        self._counts_fd = counts_fd
        self._link = Link(self._handle, self._fast, self._supervisor_lost)
        self._service: WorkerService | None = None
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._draining = False

    async def run(self) -> None:
        """Serve until drained, or until the supervisor is gone."""
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self._link, self._link_socket)
        await self._stopped.wait()

    async def _start(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Begin the service; return what was recovered."""
        try:
            service = await WorkerService.begin(spec, self._link, self._sockets, self._counts_fd)
        except NewerFormat as error:
            self._link.tell("unusable", reason=str(error))
            raise
        # What start-up made stays for good: spare the collector from walking it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._service = service
        self._started.set()
        return service.report._asdict()

    async def _drain(self, seconds: float) -> None:
        """End the service and the process. Called again, it waits for no more than *seconds* from then on."""
        if self._draining:
            if self._service is not None:
                self._service.hurry(seconds)
            return
        self._draining = True
        if self._service is not None:
            await self._service.drain(seconds)
        self._stopped.set()

    def _supervisor_lost(self) -> None:
        signal.alarm(_LAST_S)
        if not self._draining:
            self._ending = asyncio.get_running_loop().create_task(self._drain(_ALONE_S))

    # -- what the supervisor says

    def _fast(self, op: str, args: dict[str, Any]) -> bool:
        return self._service is not None and self._service.hear(op, args)

    async def _handle(self, op: str, args: dict[str, Any]) -> Any:
        if op == "start":
            return await self._start(args)
        if op == "drain":
            return await self._drain(args["seconds"])
        await self._started.wait()
        assert self._service is not None
        return None if self._service.hear(op, args) else await self._service.answer(op, args)


def main() -> None:
    """Entry of the worker process: `python -m angarium.node.worker LINK_FD SOCKETS_FD COUNTS_FD`."""
    # Signals are the supervisor's business: Ctrl-C on a terminal reaches all processes of the group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    link, sockets, counts = (int(arg) for arg in sys.argv[1:4])
    sockets_end = socket.socket(fileno=sockets)
    sockets_end.setblocking(False)

    async def serve() -> None:
        await Worker(socket.socket(fileno=link), sockets_end, counts).run()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
