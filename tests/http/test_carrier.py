"""The carrier of HTTP: what a client may take of it in bytes, time and connections. Plain sockets against real ones."""

import asyncio
import contextlib
import http.client
import inspect
import signal
import socket
import threading

import httptools
import pytest
import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from angarium.http import carrier
from angarium.http.carrier import NODE_BOUNDS, Bounds, HttpServer
from angarium.testing.programs import PATIENCE_S

ASK = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def hello(scope, receive, send):
    await Response("hello")(scope, receive, send)


async def echo(scope, receive, send):
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await Response(f"{len(scope['headers'])} headers, {len(body)} bytes")(scope, receive, send)


def serving(client, app=hello, bounds=NODE_BOUNDS):
    """Serve while *client*, a function of the port, asks from a thread; return what it returned."""

    async def run():
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        server = HttpServer(app, [sock], bounds)
        await server.start()
        try:
            return await asyncio.to_thread(client, port)
        finally:
            await server.stop()

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def asked_of(port, own_ip="127.0.0.1", path="/"):
    """Ask once, from *own_ip*; return status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S, source_address=(own_ip, 0))
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def opened(port, sent=b"", own_ip="127.0.0.1"):
    """Return a connection on which *sent* was said."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(own_ip, 0))
    sock.sendall(sent)
    return sock


def all_of(sock):
    """Return what comes until the other side closes."""
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def answer_to(sent, app=hello):
    """Return what is answered to the bytes *sent*."""

    def client(port):
        with opened(port, sent) as sock:
            return all_of(sock)

    return serving(client, app)


# -- the version that the guard was written against


def test_the_carrier_is_the_one_that_was_read():
    """Its class is no documented interface. Another version: read it against the guard, then write it here."""
    assert (uvicorn.__version__, httptools.__version__) == ("0.54.0", "0.9.0")


def test_what_the_guard_relies_on_is_there():
    async def make():
        return HttpToolsProtocol(uvicorn.Config(hello, lifespan="off", log_config=None), ServerState(), {})

    made = asyncio.run(make())
    assert {"connections", "cycle", "flow", "client", "transport", "loop"} <= vars(made).keys()
    overridden = {name for name, _ in inspect.getmembers(carrier.HttpConnection, inspect.isfunction)}
    own = {name for name in overridden if not name.startswith("_") and name in vars(carrier.HttpConnection)}
    assert own <= {name for name, _ in inspect.getmembers(HttpToolsProtocol, inspect.isfunction)}


# -- bytes


def test_a_question_is_answered_with_the_date():
    status, headers, body = serving(asked_of)
    assert (status, body) == (200, b"hello")
    assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize(
    "line", [b"X-Long: " + b"x" * 8_000, b"X: y\r\n" * 1_000, b"Cookie: a=b"], ids=["long", "many", "short"]
)
def test_a_head_without_end_is_refused_before_it_takes_memory(line):
    """60 MB of header lines took 350 MB."""
    sent = 0

    def client(port):
        nonlocal sent
        with opened(port, b"GET / HTTP/1.1\r\nHost: x\r\n") as sock:
            sock.settimeout(PATIENCE_S)
            with contextlib.suppress(ConnectionError):
                while sent < 20_000_000:
                    sent += sock.send(line.rstrip() + b"\r\n")
            with contextlib.suppress(ConnectionError):
                return sock.recv(100)
        return b""

    said = serving(client)
    assert said == b"" or said.startswith(
        b"HTTP/1.1 431 "
    )  # the rest of what was sent may reset the connection
    assert sent < 20_000_000


def test_a_url_without_end_is_refused():
    assert answer_to(b"GET /" + b"x" * 100_000).startswith(b"HTTP/1.1 431 ")


def test_a_head_of_bearable_size_is_taken():
    head = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(60))
    assert b"62 headers, 0 bytes" in answer_to(ASK.replace(b"Connection", head + b"Connection"), echo)


def test_each_request_of_a_connection_has_a_head_of_its_own():
    """What was counted for the one before is not held against the next."""
    head = b"X: " + b"y" * 40_000 + b"\r\n"
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n" + head + b"\r\n" + b"z" * 100_000
    second = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + b"\r\n"
    answers = answer_to(first + second, echo)
    assert b"3 headers, 100000 bytes" in answers
    assert b"3 headers, 0 bytes" in answers


def test_what_follows_the_body_is_no_header():
    """Trailers without end would be memory without end."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert b"3 headers, 5 bytes" in answer_to(
        head + b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", echo
    )


@pytest.mark.parametrize(
    "sent", [b"\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00"]
)
def test_what_is_no_http_is_told_so(sent):
    assert answer_to(sent).startswith(b"HTTP/1.1 400 ")


# -- time


@pytest.fixture
def short(monkeypatch):
    """A limit that a test can wait for."""
    monkeypatch.setattr(carrier, "REQUEST_S", 0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
@pytest.mark.usefixtures("short")
def test_a_client_that_does_not_finish_its_request_is_cut_off(sent):
    assert answer_to(sent, echo) == b""


@pytest.mark.usefixtures("short")
def test_bytes_that_trickle_in_win_no_time():
    def client(port):
        with opened(port, b"GET / HTTP/1.1\r\nX-Slow: ") as sock:
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
    size = 30_000_000

    async def much(scope, receive, send):
        await Response(b"x" * size)(scope, receive, send)

    def client(port):
        with opened(port, ASK) as slow:
            begun = slow.recv(20)
            with opened(port) as later:
                assert later.recv(1) == b""  # its time began later and is over
            with contextlib.suppress(ConnectionError):
                while piece := slow.recv(1 << 20):
                    begun += piece
            return len(begun)

    assert serving(client, much) < size


@pytest.mark.usefixtures("short")
def test_the_time_that_the_node_needs_is_not_the_clients():
    async def slowly(scope, receive, send):
        await asyncio.to_thread(may_answer.wait)
        await hello(scope, receive, send)

    def client(port):
        with opened(port, ASK) as first:
            with opened(port) as later:
                assert later.recv(1) == b""
            may_answer.set()
            return all_of(first)

    may_answer = threading.Event()
    assert serving(client, slowly).endswith(b"hello")


# -- very many clients


def test_connections_that_lie_idle_do_not_keep_others_out():
    """All that a stranger can open, and half-finished requests among them."""

    def client(port):
        with contextlib.ExitStack() as stack:
            for number in range(60):
                stack.enter_context(opened(port, b"GET /heal" if number % 2 else b""))
            return [asked_of(port, "127.0.0.2")[0] for _ in range(30)]

    assert serving(client, bounds=Bounds(20, 10)) == [200] * 30


@pytest.mark.parametrize("workers", [1, 2, 3, 16, 64, 256])
def test_the_limits_of_workers_are_together_those_of_the_node(workers):
    share = NODE_BOUNDS.share(workers)
    assert share.connections > share.answers > 0  # so that one always waits for its client
    assert share.connections * workers <= max(NODE_BOUNDS.connections, 16 * workers)


def test_a_peer_with_few_connections_keeps_them():

    def client(port):
        with contextlib.ExitStack() as stack:
            own = stack.enter_context(opened(port, own_ip="127.0.0.3"))
            others = [stack.enter_context(opened(port)) for _ in range(20)]
            assert [other.recv(1) for other in others[:16]] == [
                b""
            ] * 16  # the oldest went, one for each new one
            own.sendall(ASK)
            return own.recv(15)

    assert serving(client, bounds=Bounds(5, 2)) == b"HTTP/1.1 200 OK"


def test_while_very_much_is_answered_health_is_told_all_the_same():
    asked, may_answer = threading.Semaphore(0), threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/slow":
            asked.release()
            await asyncio.to_thread(may_answer.wait)
        await hello(scope, receive, send)

    def client(port):
        slow = [opened(port, ASK.replace(b"/ ", b"/slow ")) for _ in range(2)]
        for _ in slow:
            assert asked.acquire(timeout=PATIENCE_S)
        answers = [asked_of(port, path=path) for path in ("/healthz", "/readyz", "/slow")]
        may_answer.set()
        for sock in slow:
            assert all_of(sock).startswith(b"HTTP/1.1 200 OK")
            sock.close()
        return answers

    health, ready, busy = serving(client, app, Bounds(256, 2))
    assert (health[0], ready[0], busy[0]) == (200, 200, 503)
    assert busy[1]["retry-after"] == "1"


# -- the end


def test_an_answer_under_way_is_finished_when_the_server_stops():
    async def run():
        asked, may_answer = asyncio.Event(), asyncio.Event()

        async def app(scope, receive, send):
            asked.set()
            await may_answer.wait()
            await hello(scope, receive, send)

        sock = socket.create_server(("127.0.0.1", 0))
        server = HttpServer(app, [sock])
        await server.start()
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(ASK.replace(b"Connection: close\r\n", b""))
        await asked.wait()
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0)
        may_answer.set()
        answer = await reader.read()
        await stopping
        writer.close()
        return answer

    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)).endswith(b"hello")


def test_signals_are_left_to_the_supervisor():
    before = signal.getsignal(signal.SIGTERM)
    serving(asked_of)
    assert signal.getsignal(signal.SIGTERM) is before
