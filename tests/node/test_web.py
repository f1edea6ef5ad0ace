"""Health and metrics over HTTP, asked by a plain client on a real socket."""

import asyncio
import contextlib
import http.client
import json
import socket
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from angarium.core.catalogue.docs import metrics_page
from angarium.core.catalogue.metrics import METRICS
from angarium.core.operations import Health, Stat
from angarium.http.carrier import HttpServer
from angarium.node.http.answers import exposition, make_app
from angarium.node.totals import RunningTotals, WorkerStats
from angarium.testing.programs import PATIENCE_S


def serving(client, health=None, stats=()):
    """Serve while *client*, a function of the port, asks from a thread; return what it returned."""

    async def told():
        return health or Health()

    async def given_stats():
        return list(stats)

    async def run():
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        server = HttpServer(make_app(told, given_stats), [sock])
        await server.start()
        try:
            return await asyncio.to_thread(client, port)
        finally:
            await server.stop()

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def ask(path, health=None, stats=(), method="GET", accept=""):
    """Serve one question; return status, headers and body."""
    return serving(lambda port: asked_of(port, path, method, accept), health, stats)


def asked_of(port, path, method, accept=""):
    """Ask once; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


@pytest.mark.parametrize(
    ("path", "health", "status", "reasons"),
    [
        ("/healthz", Health(), 200, []),
        ("/readyz", Health(), 200, []),
        ("/healthz", Health(not_ready=["worker 1: reading its spool"]), 200, []),
        ("/readyz", Health(not_ready=["worker 1: reading its spool"]), 503, ["worker 1: reading its spool"]),
        ("/healthz", Health(unwell=["worker 0: a sync failed"]), 503, ["worker 0: a sync failed"]),
        ("/readyz", Health(unwell=["worker 0: a sync failed"]), 200, []),
    ],
)
def test_healthz_is_about_the_node_and_readyz_about_taking_mail(path, health, status, reasons):
    code, headers, body = ask(path, health)
    assert (code, json.loads(body)) == (status, {"ok": not reasons, "reasons": reasons})
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"


def test_readyz_tells_what_the_machine_lacks_and_is_ready_all_the_same():
    code, _, body = ask("/readyz", Health(notes=["no name server"]))
    assert (code, json.loads(body)) == (200, {"ok": True, "reasons": [], "notes": ["no name server"]})
    assert ask("/healthz", Health(notes=["no name server"]))[0] == 200


STATS: list[Stat] = [
    ("events_total", ["delivered"], 5.0),
    ("events_total", ["bounced"], 1.0),
    ("queues", [], 2.0),
]


def test_metrics_have_the_prefix_their_help_and_their_labels():
    code, headers, body = ask("/metrics", stats=STATS)
    assert code == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert body.decode().splitlines() == [
        "# HELP angarium_events_total State changes of recipients, by event type.",
        "# TYPE angarium_events_total counter",
        'angarium_events_total{type="delivered"} 5.0',
        'angarium_events_total{type="bounced"} 1.0',
        "# HELP angarium_queues Queues (binding and domain) with mail.",
        "# TYPE angarium_queues gauge",
        "angarium_queues 2.0",
    ]


PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def test_who_asks_for_openmetrics_gets_it_with_units_and_an_end():
    stats: list[Stat] = [*STATS, ("cpu_seconds_total", [], 1.5)]
    code, headers, body = ask("/metrics", stats=stats, accept=PROMETHEUS)
    assert code == 200
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert headers["vary"] == "Accept"
    assert body.decode().splitlines() == [
        "# HELP angarium_events State changes of recipients, by event type.",
        "# TYPE angarium_events counter",
        'angarium_events_total{type="delivered"} 5.0',
        'angarium_events_total{type="bounced"} 1.0',
        "# HELP angarium_queues Queues (binding and domain) with mail.",
        "# TYPE angarium_queues gauge",
        "angarium_queues 2.0",
        "# HELP angarium_cpu_seconds CPU seconds used by workers.",
        "# TYPE angarium_cpu_seconds counter",
        "# UNIT angarium_cpu_seconds seconds",
        "angarium_cpu_seconds_total 1.5",
        "# EOF",
    ]


def everything() -> list[Stat]:
    """Every metric, with one value of each label that has none from the start."""
    numbers: list[Stat] = [
        (name, ["x"] * len(metric.labels), 1.0)
        for name, metric in METRICS.items()
        if metric.kind == "gauge" or not all(label.values for label in metric.labels)
    ]
    return RunningTotals().merge({0: WorkerStats(1.0, numbers)})


@pytest.mark.parametrize(
    ("accept", "read"),
    [("", text_string_to_metric_families), (PROMETHEUS, openmetrics_parser.text_string_to_metric_families)],
)
def test_every_metric_can_be_read_in_both_formats(accept, read):
    body, _ = exposition(everything(), accept)
    families = {family.name: family for family in read(body.decode())}
    for name, metric in METRICS.items():
        family = families[f"angarium_{name.removesuffix('_total')}"]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert family.samples != []
        labels = {label.name for label in metric.labels}
        assert all(sample.labels.keys() - {"le"} == labels for sample in family.samples)


def test_counters_end_in_total_and_others_do_not():
    for name, metric in METRICS.items():
        assert name.endswith("_total") == (metric.kind == "counter"), name


def test_a_time_is_a_timestamp_in_seconds_and_a_histogram_has_buckets_that_grow():
    for name, metric in METRICS.items():
        assert ("Unix time" in metric.help) == name.endswith("_timestamp_seconds"), name
        assert (metric.kind == "histogram") == bool(metric.bounds), name
        assert list(metric.bounds) == sorted(set(metric.bounds)), name


def test_a_number_that_is_not_described_is_shown_all_the_same():
    assert b"angarium_surprise 1.0" in exposition([("surprise", [], 1.0)])[0]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/healthz/", 404), ("POST", "/healthz", 405)]
)
def test_there_is_nothing_else(method, path, status):
    assert ask(path, method=method)[0] == status


def test_the_page_on_metrics_is_made_from_the_table():
    page = Path(__file__).parents[2] / "docs/metrics.md"
    assert page.read_text() == metrics_page(), (
        "python -m angarium.core.catalogue.docs metrics > docs/metrics.md"
    )
