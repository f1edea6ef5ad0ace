"""Health and metrics over HTTP, asked by a plain client on a real socket."""

import asyncio
import contextlib
import http.client
import json
import re
import signal
import socket
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from angarium.core.metrics import METRICS
from angarium.node.answers import Health
from angarium.node.web import WebServer, exposition, make_app
from angarium.testing.programs import PATIENCE_S

METRICS_PAGE = Path(__file__).parents[2] / "docs/metrics.md"


def serving(client, health=None, stats=(), tell_health=None, tell_stats=None):
    """Serve while *client*, a function of the port, asks from a thread; return what it returned."""

    async def told():
        return health or Health()

    async def given_stats():
        return list(stats)

    async def run():
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        server = WebServer(make_app(tell_health or told, tell_stats or given_stats), [sock])
        await server.start()
        try:
            return await asyncio.to_thread(client, port)
        finally:
            await server.stop()

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def ask(path, health=None, stats=(), method="GET"):
    """Serve one question; return status, headers and body."""

    return serving(lambda port: asked_of(port, "127.0.0.1", path, method), health, stats)


def asked_of(port, own_ip, path, method="GET"):
    """Ask once, from *own_ip*; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S, source_address=(own_ip, 0))
    with contextlib.closing(connection):
        connection.request(method, path)
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


def test_metrics_have_the_prefix_their_help_and_their_labels():
    stats = [("events_total", "delivered", 5.0), ("events_total", "bounced", 1.0), ("queues", "", 2.0)]
    code, headers, body = ask("/metrics", stats=stats)
    assert code == 200
    assert headers["content-type"].startswith("text/plain")
    assert body.decode().splitlines() == [
        "# HELP angarium_events_total State changes of recipients, by event type.",
        "# TYPE angarium_events_total counter",
        'angarium_events_total{type="delivered"} 5.0',
        'angarium_events_total{type="bounced"} 1.0',
        "# HELP angarium_queues Queues (binding and domain) with mail.",
        "# TYPE angarium_queues gauge",
        "angarium_queues 2.0",
    ]


def test_every_metric_can_be_read_by_prometheus():
    stats = [(name, "x" if metric.label else "", 1.0) for name, metric in METRICS.items()]
    families = {family.name: family for family in text_string_to_metric_families(exposition(stats).decode())}
    for name, metric in METRICS.items():
        family = families[f"angarium_{name.removesuffix('_total')}"]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert [sample.name for sample in family.samples] == [f"angarium_{name}"]


def test_counters_end_in_total_and_gauges_do_not():
    for name, metric in METRICS.items():
        assert name.endswith("_total") == (metric.kind == "counter"), name


def test_a_number_that_is_not_described_is_shown_all_the_same():
    assert b"angarium_surprise 1.0" in exposition([("surprise", "", 1.0)])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/healthz/", 404), ("POST", "/healthz", 405)]
)
def test_there_is_nothing_else(method, path, status):
    assert ask(path, method=method)[0] == status


def test_a_header_without_end_is_refused():
    def client(port):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 30_000)
            return sock.recv(100)

    assert serving(client).startswith(b"HTTP/1.1 400 ")


# -- clients that take their time


def opened(port, sent=b""):
    """Return a connection on which *sent* was said."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.sendall(sent)
    return sock


@pytest.fixture
def short(monkeypatch):
    """A limit that a test can wait for."""
    monkeypatch.setattr("angarium.node.web.REQUEST_S", 0.3)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
@pytest.mark.usefixtures("short")
def test_a_client_that_does_not_finish_its_request_is_cut_off(sent):
    def client(port):
        with opened(port, sent) as sock:
            return sock.recv(100)

    assert serving(client) == b""


@pytest.mark.usefixtures("short")
def test_bytes_that_trickle_in_win_no_time():
    def client(port):
        with opened(port, b"GET /healthz HTTP/1.1\r\nX-Slow: ") as sock:
            sock.settimeout(0.02)
            for _ in range(200):
                sock.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    return sock.recv(100)
        return b"still open"

    with contextlib.suppress(ConnectionError):
        assert serving(client) == b""


@pytest.mark.usefixtures("short")
def test_a_client_that_does_not_take_its_answer_is_cut_off():
    def client(port):
        with opened(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") as slow:
            begun = slow.recv(20)
            with opened(port) as later:
                assert later.recv(1) == b""  # its time began later and is over
            with contextlib.suppress(ConnectionError):
                while piece := slow.recv(1 << 20):
                    begun += piece
            return len(begun)

    size = 30_000_000
    assert serving(client, stats=[("events_total", "x" * size, 1.0)]) < size


@pytest.mark.usefixtures("short")
def test_the_time_that_the_node_needs_is_not_the_clients():
    def client(port):
        with opened(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as first:
            with opened(port) as later:
                assert later.recv(1) == b""
            may_answer.set()
            return b"".join(iter(lambda: first.recv(1000), b""))

    async def tell_health():
        await asyncio.to_thread(may_answer.wait)
        return Health()

    may_answer = threading.Event()
    assert b'{"ok":true' in serving(client, tell_health=tell_health)


# -- very many clients


def test_connections_that_lie_idle_do_not_keep_others_out(monkeypatch):
    """All that a stranger can open, and half-finished requests among them: health is told."""
    monkeypatch.setattr("angarium.node.web.MAX_CONNECTIONS", 20)

    def client(port):
        with contextlib.ExitStack() as stack:
            for number in range(60):
                stack.enter_context(opened(port, b"GET /heal" if number % 2 else b""))
            return [asked_of(port, "127.0.0.2", "/healthz")[0] for _ in range(30)]

    assert serving(client) == [200] * 30


def test_a_peer_with_few_connections_keeps_them(monkeypatch):
    monkeypatch.setattr("angarium.node.web.MAX_CONNECTIONS", 5)

    def client(port):
        with contextlib.ExitStack() as stack:
            own = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=("127.0.0.3", 0))
            stack.enter_context(own)
            others = [stack.enter_context(opened(port)) for _ in range(20)]
            assert [other.recv(1) for other in others[:16]] == [
                b""
            ] * 16  # the oldest went, one for each new one
            own.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return own.recv(15)

    assert serving(client) == b"HTTP/1.1 200 OK"


def test_while_very_much_is_answered_health_is_told_all_the_same(monkeypatch):
    monkeypatch.setattr("angarium.node.web.MAX_ANSWERS", 2)
    asked, may_answer = threading.Semaphore(0), threading.Event()

    async def tell_stats():
        asked.release()
        await asyncio.to_thread(may_answer.wait)
        return []

    def client(port):
        slow = [
            opened(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") for _ in range(2)
        ]
        for _ in slow:
            assert asked.acquire(timeout=PATIENCE_S)
        answers = [asked_of(port, "127.0.0.1", path) for path in ("/healthz", "/readyz", "/metrics")]
        may_answer.set()
        for sock in slow:
            assert sock.recv(15) == b"HTTP/1.1 200 OK"
            sock.close()
        return answers

    health, ready, busy = serving(client, tell_stats=tell_stats)
    assert (health[0], ready[0], busy[0]) == (200, 200, 503)
    assert busy[1]["retry-after"] == "1"


def test_signals_are_left_to_the_supervisor():
    before = signal.getsignal(signal.SIGTERM)
    ask("/healthz")
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_page_on_metrics_has_each_with_its_kind_label_and_help():
    rows = {}
    for line in METRICS_PAGE.read_text().splitlines():
        if match := re.match(r"\| `angarium_(\w+)` \| (\w+) \| (\S*) ?\| (.*?) \|", line):
            rows[match[1]] = match.groups()[1:]
    wanted = {name: (m.kind, f"`{m.label}`" if m.label else "", m.help) for name, m in METRICS.items()}
    assert rows == wanted
