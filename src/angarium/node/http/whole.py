"""What the supervisor serves of the node as a whole: health, numbers, autoconfig; and its operators.

Clients come by way of the workers, which take what connects to the public sockets. What no worker takes is taken here:
while they read their spools, are started again or stand still, the node can be asked how it is. What the recorder
answers is passed on to it.
"""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from angarium.config.model import Config
from angarium.config.records import ListenOptions
from angarium.core.accepting import SharedListener
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.http.carrier import NODE_BOUNDS, Bounds, HttpServer
from angarium.http.front import SENDING_PATHS, WORKER_PATHS, FirstSegmentFront, Front, no_worker
from angarium.http.operate.routes import make_operate_routes
from angarium.http.postmark.application import away as postmark_away
from angarium.http.postmark.sending.paths import SEGMENT
from angarium.http.upstream import Behind
from angarium.node.control import ControlServer
from angarium.node.http.answers import make_app
from angarium.node.http.recorder import with_recorder
from angarium.node.operations import NodeOperations
from angarium.node.socket_path import HTTP_SOCKET_NAME, SOCKET_NAME, listen_private
from angarium.node.sockets import address_of, open_listening, place_of

LEAVE_TO_WORKERS_S: Final = 0.5
"""A connection that no worker has taken for so long is taken here, if they took no other either."""
_BEHIND_BOUNDS: Final = Bounds(8192, NODE_BOUNDS.answers)
"""Connections are counted where clients have them."""


class NodeHttp:
    """The public sockets, the socket behind the workers, and the control socket, with what answers there.

    *taken* returns what workers have taken (`HttpCounts.taken`); *has_takers* whether there is one that takes any.
    *worker_paths* are answered by workers alone.
    """

    def __init__(
        self,
        data: Path,
        operations: NodeOperations,
        taken: Callable[[], object],
        has_takers: Callable[[], bool],
        clock: Clock,
        log: Log,
        worker_paths: Iterable[str] = WORKER_PATHS,
    ) -> None:
        self._data = data
        self._path = data / HTTP_SOCKET_NAME
        self._operations = operations
        self._worker_paths = worker_paths
        self._control = ControlServer(data / SOCKET_NAME)
        self._clock = clock
        self._log = log
        self._tasks = Tasks(log, clock)
        self._make_turns = partial(_Turns, taken, has_takers)
        self._public: dict[str, socket.socket] = {}
        self._listeners: list[SharedListener] = []
        self._servers: list[HttpServer] = []
        self._direct: HttpServer

    def claim(self) -> None:
        """Take the control socket. Raises ControlError when another node runs on the same data."""
        self._control.open()

    def open(self, config: Config) -> None:
        """Open the public sockets. Raises CannotListen; those that were opened before it are kept."""
        for address in config.http_listens:
            if address.name not in self._public:
                place = place_of(config, "http_listener", address.name)
                self._public[address.name] = open_listening(address, ListenOptions(), place)

    async def start(self, routes: Sequence[BaseRoute]) -> None:
        """Serve *routes* beside what the node says of itself, on the sockets that are open."""
        app = self._app(routes)
        behind = listen_private(self._path)
        self._servers = [
            HttpServer(Behind(app), [behind], _BEHIND_BOUNDS),
            HttpServer(_LastConnection(self._without_workers(app))),
        ]
        self._direct = self._servers[-1]
        for server in self._servers:
            await server.start()
        self._listeners = [self._listener(sock) for sock in self._public.values()]
        await self._control.serve(self._app([*routes, *make_operate_routes(self._operations)]))

    @property
    def public(self) -> Mapping[str, socket.socket]:
        """The listening sockets by name, to be shared with the workers."""
        return self._public

    def addresses(self) -> dict[str, str]:
        """Say where each can be reached: `http listen` to address, with the port that the kernel chose."""
        return {f"http {name}": address_of(sock) for name, sock in self._public.items()}

    async def stop(self) -> None:
        """Take no more connections, finish the answers under way, and close all sockets."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for sock in self._public.values():
            sock.close()
        for server in self._servers:
            await server.stop()
        if self._servers:
            self._path.unlink(missing_ok=True)
        await self._control.stop()

    def _listener(self, sock: socket.socket) -> SharedListener:
        turns = self._make_turns()
        return SharedListener(sock.dup(), self._take, turns.leave_s, self._clock, self._log, turns.is_left)

    def _app(self, routes: Sequence[BaseRoute]) -> ASGIApp:
        own = make_app(self._operations.health, self._operations.stats, routes)
        return with_recorder(own, self._data)

    def _without_workers(self, app: ASGIApp) -> ASGIApp:
        """Return *app* with what is the workers' answered by saying that there is none."""
        front = Front(no_worker(self._worker_paths), app, no_worker(SENDING_PATHS))
        said = "No worker takes mail at the moment; try again in a moment."
        return FirstSegmentFront({SEGMENT: postmark_away(said)}, front)

    def _take(self, connection: socket.socket, address: Any) -> None:
        self._tasks.start(self._direct.take(connection, lambda: None))


class _Turns:
    """Whose turn it is to take a connection of one socket."""

    def __init__(self, taken: Callable[[], object], has_takers: Callable[[], bool]) -> None:
        self._taken = taken
        self._has_takers = has_takers
        self._before: object = None

    def leave_s(self) -> float:
        """See SharedListener."""
        self._before = self._taken()
        return LEAVE_TO_WORKERS_S if self._has_takers() else 0

    def is_left(self) -> bool:
        """See SharedListener. Under load there is always a connection, but not always the same."""
        return not self._has_takers() or self._taken() == self._before


class _LastConnection:
    """*app*, with a connection for one request only: the next one shall find a worker."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, send_on)
