"""HTTP/1.1 inside the running loop: uvicorn's protocol on httptools, guarded.

That class is no documented interface: the version is pinned, and a test says what is relied upon. What it lacks is a
bound on a request's head and on a client's time, and room for others when one client takes all connections there are.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from email.utils import formatdate
from math import inf
from typing import Any, NamedTuple

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD_BYTES = 65_536
REQUEST_S = 30.0
"""How long a client may take to say what it wants, and to take the answer."""
GRACE_S = 1.0
"""How long answers under way may take when the server stops."""

HEALTH_PATHS = ("/healthz", "/readyz")


class Bounds(NamedTuple):
    """How much is served at a time. There are fewer *answers* than *connections*; see `HttpConnection`.

    Beyond *connections*, one that has kept the node waiting makes room, of the peer that has most. Beyond *answers*, a
    request is told to come again, unless it asks for health.
    """

    connections: int = 256
    answers: int = 128

    def share(self, of: int) -> "Bounds":
        """Return what each *of* so many has, that together they have these; not too few for a client to use."""
        connections = max(16, self.connections // of)
        return Bounds(connections, connections * self.answers // self.connections)


NODE_BOUNDS = Bounds()
_BUSY = Response("too many requests are being answered; try again in a moment\n", 503, {"Retry-After": "1"})
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpConnection(HttpToolsProtocol):
    """Cuts off a client that keeps a connection without using it, so that slow ones cannot take all there are.

    What the node itself needs for an answer is not the client's time. When there are too many connections, one that
    waits for its client makes room for the new one: the oldest of the peer that has most of these. As fewer requests
    are answered at a time than there are connections, there is one always, and a peer with few keeps them. *lost* is
    called at the end.
    """

    _limit: asyncio.TimerHandle | None = None
    _head_bytes: int | None = 0
    """Bytes of the request head so far; None while none is being read."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, most_connections: int, lost: Callable[[], None]
    ) -> None:
        super().__init__(config, state, {})
        self._most_connections = most_connections
        self._lost = lost

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._reckon()
        if len(self.connections) > self._most_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_limit()
        super().connection_lost(exc)
        self._lost()

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        self._reckon()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_bytes is None:
            self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if (
            self._head_bytes is not None
        ):  # else a trailer behind the body (RFC 9112 §7.1.2), which no application asks for
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._end_limit()
        self._reckon()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reckon()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reckon()

    # -- whose time it is

    def _reckon(self) -> None:
        """Let the client's time run while it is its turn; bytes that trickle in win none."""
        asked = self.cycle
        is_asked = asked is not None and not asked.response_complete and not asked.more_body
        if is_asked and not self.flow.write_paused:
            self._end_limit()
        elif self._limit is None:
            self._limit = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _make_room(self) -> None:
        waiting = [each for each in self.connections if isinstance(each, HttpConnection) and each._limit]
        of_peer = Counter(each._peer for each in waiting)
        first = min(waiting, key=lambda each: (-of_peer[each._peer], each._limit_at))
        self.connections.discard(first)  # it is as good as gone: the next one is not to be counted against it
        first.transport.abort()

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def _limit_at(self) -> float:
        return self._limit.when() if self._limit is not None else inf


class BoundedApp:
    """An ASGI application that has *app* answer *most* requests at a time, and refuses those beyond with 503.

    Questions about the node's health are answered always: what asks them restarts a node that is silent.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._answers >= self._most and scope["path"] not in HEALTH_PATHS:
            await _BUSY(scope, receive, send)
            return
        self._answers += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._answers -= 1


class HttpServer:
    """Serves *app*, an ASGI application, on listening *sockets*, and closes them at the end.

    Connections that come before it is ready wait in the sockets' backlog. `take` serves connections that were accepted
    elsewhere.
    """

    def __init__(
        self, app: ASGIApp, sockets: Sequence[socket.socket] = (), bounds: Bounds = NODE_BOUNDS
    ) -> None:
        self._config = uvicorn.Config(
            BoundedApp(app, bounds.answers),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # a client's bad request is no business of ours
            access_log=False,
            proxy_headers=False,
        )
        self._bounds = bounds
        self._sockets = list(sockets)
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._dating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._dating = loop.create_task(self._tell_date())
        for sock in self._sockets:
            is_unix = sock.family == socket.AF_UNIX
            listen = loop.create_unix_server if is_unix else loop.create_server
            self._servers.append(await listen(self._connection, sock=sock))

    async def take(self, sock: socket.socket, lost: Callable[[], None]) -> None:
        """Serve an accepted connection. *lost* is called at its end, also when it ends before it is served."""
        connection = self._connection(lost)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except OSError:  # it was reset already
            lost()

    async def stop(self) -> None:
        """Take no more connections, finish the answers under way (within a second) and return."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await self._answers()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await (
            self._answers()
        )  # a stream ends by itself once its client has gone, and is called a fault if cut off
        ending = [*self._state.tasks, *([self._dating] if self._dating is not None else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _answers(self) -> None:
        """Wait a moment for the answers under way."""
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=GRACE_S)

    def _connection(self, lost: Callable[[], None] = lambda: None) -> HttpConnection:
        return HttpConnection(self._config, self._state, self._bounds.connections, lost)

    async def _tell_date(self) -> None:
        """Keep the Date header (RFC 9110 §6.6.1) true to the second."""
        while True:
            date: list[tuple[bytes, Any]] = [(b"date", formatdate(usegmt=True).encode())]
            self._state.default_headers = date
            await asyncio.sleep(1)
