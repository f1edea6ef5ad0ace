"""The HTTP listener: whether the node is alive, whether it takes mail, its numbers for Prometheus, and what the
dialects in room `http` answer.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from math import inf

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from angarium.core import metrics
from angarium.node.answers import Health, Stat

PREFIX = "angarium_"
MAX_CONNECTIONS = 256
"""Beyond these, who has kept the node waiting makes room, of the peer that has most; see `_Connection`."""
MAX_ANSWERS = 128
"""Requests that are worked on at a time; further ones are told to come again. Health is told always."""
MAX_HEADER_BYTES = 16_384
REQUEST_S = 30.0
"""How long a client may take to say what it wants, and to take the answer."""
HEALTH_PATHS = ("/healthz", "/readyz")
_BUSY = Response("too many requests are being answered; try again in a moment\n", 503, {"Retry-After": "1"})
_UNKNOWN = metrics.Metric("gauge", "Not described.")


def make_app(
    health: Callable[[], Awaitable[Health]],
    stats: Callable[[], Awaitable[list[Stat]]],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application; `console.Console` has both functions. *more* are the routes of the dialects."""

    async def healthz(request: Request) -> Response:
        return health_answer((await health()).unwell)

    async def readyz(request: Request) -> Response:
        return health_answer((await health()).not_ready)

    async def show_metrics(request: Request) -> Response:
        return Response(exposition(await stats()), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", show_metrics),
            *more,
        ]
    )
    app.router.redirect_slashes = False  # to what the Host header says, and without the encryption of a proxy
    return app


class Bounded:
    """An ASGI application that has *app* answer so many requests at a time, and refuses those beyond with 503.

    Questions about the node's health are answered always: whoever asks them restarts a node that is silent.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._answers >= MAX_ANSWERS and scope["path"] not in HEALTH_PATHS:
            await _BUSY(scope, receive, send)
            return
        self._answers += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._answers -= 1


def health_answer(reasons: list[str]) -> Response:
    """Return 200 when there is nothing to say, else 503 with the reasons."""
    body = msgspec.json.encode({"ok": not reasons, "reasons": reasons})
    headers = {"Cache-Control": "no-store"}
    return Response(body, 503 if reasons else 200, headers, "application/json")


def exposition(stats: Iterable[Stat]) -> bytes:
    """Return the numbers in Prometheus' text format; names get the prefix, help comes from `core.metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(stats))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, stats: Iterable[Stat]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, label, value in self._stats:
            family = families.get(name)
            if family is None:
                family = families[name] = _family(name)
            described = metrics.METRICS.get(name, _UNKNOWN)
            family.add_metric([label] if described.label else [], value)
        return families.values()


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    described = metrics.METRICS.get(name, _UNKNOWN)
    labels = [described.label] if described.label else []
    if described.kind == "counter":
        return CounterMetricFamily(PREFIX + name, described.help, labels=labels)
    return GaugeMetricFamily(PREFIX + name, described.help, labels=labels)


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to the supervisor."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Connection(H11Protocol):
    """Cuts off a client that keeps a connection without using it, so that slow ones cannot take all there are.

    What the node itself needs for an answer is not the client's time. When there are too many connections, one that
    waits for its client makes room for the new one: the oldest of the peer that has most of these. As fewer requests
    are answered at a time than there are connections, there is one always, and a peer with few keeps them.
    """

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_limit()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def _make_room(self) -> None:
        waiting = [
            each for each in self.connections if isinstance(each, _Connection) and each._limit is not None
        ]
        of_peer = Counter(each.client and each.client[0] for each in waiting)
        first = min(waiting, key=lambda each: (-of_peer[each.client and each.client[0]], each._limit_at))
        self.connections.discard(first)  # it is as good as gone: the next one is not to be counted against it
        first.transport.abort()

    @property
    def _limit_at(self) -> float:
        return self._limit.when() if self._limit is not None else inf

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_limit()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        asked = self.cycle
        if asked is not None and not asked.more_body and not asked.response_complete:
            self._end_limit()  # all of the request is there

    def pause_writing(self) -> None:
        self._begin_limit()
        super().pause_writing()

    def on_response_complete(self) -> None:
        self._begin_limit()
        super().on_response_complete()

    def _begin_limit(self) -> None:
        self._end_limit()
        self._limit = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


class WebServer:
    """Serves *app* on listening *sockets* inside the running loop, and closes them at the end.

    Connections that come before it is ready wait in the sockets' backlog.
    """

    def __init__(self, app: Starlette, sockets: Sequence[socket.socket]) -> None:
        config = uvicorn.Config(
            Bounded(app),
            http=_Connection,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,  # bounds what a header block may take
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # a client's bad request is no business of ours
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._config = config
        self._server = _Uvicorn(config)
        self._sockets = list(sockets)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._config.load()
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(self._sockets))

    async def stop(self) -> None:
        """Take no more connections, finish the answers under way (within a second) and return."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._serving = None
