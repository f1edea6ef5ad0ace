"""What the node says of itself over HTTP: whether it is alive, whether it takes mail, its numbers for Prometheus."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import groupby

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from angarium.core.catalogue.metrics import PREFIX, unit_of
from angarium.core.metrics import BUCKET, family_of, metric_of
from angarium.core.operations import Condition, Health, Stat


def make_app(
    health: Callable[[], Awaitable[Health]],
    stats: Callable[[], Awaitable[list[Stat]]],
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application; `operations.NodeOperations` has both functions. *more* are the routes of the dialects."""

    async def healthz(request: Request) -> Response:
        found = await health()
        return health_answer(
            found.unwell, conditions=[each for each in found.conditions if each.severity == "unwell"]
        )

    async def readyz(request: Request) -> Response:
        found = await health()
        return health_answer(found.not_ready, found.notes or (), found.conditions)

    async def show_metrics(request: Request) -> Response:
        body, content_type = exposition(await stats(), request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Vary": "Accept"})

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


def health_answer(
    reasons: list[str], notes: Sequence[str] = (), conditions: Sequence[Condition] = ()
) -> Response:
    """Return 200 without *reasons*, else 503 with them. *notes* and *conditions*, where there are any, are told with
    either.
    """
    told = {"notes": notes, "conditions": conditions}
    said: dict[str, object] = {"ok": not reasons, "reasons": reasons}
    body = msgspec.json.encode(said | {name: values for name, values in told.items() if values})
    headers = {"Cache-Control": "no-store"}
    return Response(body, 503 if reasons else 200, headers, "application/json")


def exposition(stats: Iterable[Stat], accept: str = "") -> tuple[bytes, str]:
    """Return the numbers and their content type: OpenMetrics where *accept*, the client's header, asks for it, else
    Prometheus' text format. Names get the prefix; help and units come from the catalogue.
    """
    encode, content_type = choose_encoder(accept)
    return encode(_Snapshot(stats)), content_type


class _Snapshot(CollectorRegistry):
    """Numbers of one metric stand together, as `RunningTotals` returns them."""

    def __init__(self, stats: Iterable[Stat]) -> None:
        super().__init__(auto_describe=False)
        self._stats = stats

    def collect(self) -> Iterable[Family]:
        for name, numbers in groupby(self._stats, key=lambda stat: family_of(stat[0])):
            described = metric_of(name)
            family = Family(
                PREFIX + name.removesuffix("_total"), described.help, described.kind, unit_of(name)
            )
            for number, labels, value in numbers:
                family.add_sample(PREFIX + number, _labelled(number, labels), value)
            yield family


def _labelled(number: str, values: Sequence[str]) -> dict[str, str]:
    names = [label.name for label in metric_of(number).labels]
    if number.endswith(BUCKET) and family_of(number) != number:
        names.append("le")
    return dict(zip(names, values, strict=False))
