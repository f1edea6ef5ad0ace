"""What the node says of itself over HTTP: whether it is alive, whether it takes mail, its numbers for Prometheus."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from angarium.core import metrics
from angarium.core.operations import Health, Stat

PREFIX = "angarium_"
_UNKNOWN = metrics.Metric("gauge", "Not described.")


def make_app(
    health: Callable[[], Awaitable[Health]],
    stats: Callable[[], Awaitable[list[Stat]]],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application; `operations.NodeOperations` has both functions. *more* are the routes of the dialects."""

    async def healthz(request: Request) -> Response:
        return health_answer((await health()).unwell)

    async def readyz(request: Request) -> Response:
        found = await health()
        return health_answer(found.not_ready, found.notes or ())

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


def health_answer(reasons: list[str], notes: Sequence[str] = ()) -> Response:
    """Return 200 without *reasons*, else 503 with them. *notes*, where there are any, are told with either."""
    said: dict[str, object] = {"ok": not reasons, "reasons": reasons}
    body = msgspec.json.encode(said | {"notes": notes} if notes else said)
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
