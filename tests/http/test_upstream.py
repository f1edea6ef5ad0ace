"""Requests that a process passes on to another: plain clients against a front, and an application behind it."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import tempfile
import threading
from functools import partial
from pathlib import Path

import pytest
from starlette.responses import Response

from angarium.http import carrier
from angarium.http.carrier import HttpServer
from angarium.http.front import Front
from angarium.http.upstream import Behind, Upstream
from angarium.testing.programs import PATIENCE_S

HEAD = b"%s /passed HTTP/1.1\r\nHost: x\r\n%s\r\n"
CLOSE = b"Connection: close\r\n"


async def body_of(receive):
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def tell(scope, receive, send):
    """Answer with what was understood of the request."""
    body = await body_of(receive)
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "client": scope["client"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": body.decode(),
    }
    await Response(json.dumps(said), 207, {"X-Told": "yes"})(scope, receive, send)


async def echo(scope, receive, send):
    """Give each piece of the body back as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        message = await receive()
        if message.get("body"):
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        if not message.get("more_body"):
            break
    await send({"type": "http.response.body"})


def passing(client, app=None, own=()):
    """Serve *app* behind a front while *client*, a function of the front's port, asks from a thread.

    Without *app* nobody is behind. Returns what the client returned.
    """

    async def run():
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "http.sock")
            servers = []
            if app is not None:
                behind = socket.socket(socket.AF_UNIX)
                behind.bind(path)
                behind.listen()
                servers.append(HttpServer(Behind(app), [behind]))
            sock = socket.create_server(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            front = Front(dict(own), Upstream(partial(asyncio.open_unix_connection, path)))
            servers.append(HttpServer(front, [sock]))
            for server in servers:
                await server.start()
            try:
                return await asyncio.to_thread(client, port)
            finally:
                for server in servers:
                    await server.stop()

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def opened(port, sent=b"", own_ip="127.0.0.1"):
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(own_ip, 0))
    sock.sendall(sent)
    return sock


def all_of(sock):
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def answer_to(sent, app=tell, own=(), own_ip="127.0.0.1"):
    """Return status, header fields and body of the answer to the bytes *sent*."""

    def client(port):
        with opened(port, sent, own_ip) as sock:
            answer = http.client.HTTPResponse(sock, method=sent.split()[0].decode())
            answer.begin()
            return answer.status, answer.headers, answer.read()

    return passing(client, app, own)


def told(sent, **how):
    """Return what the application behind was told by the bytes *sent*."""
    return json.loads(answer_to(sent, **how)[2])


# -- what arrives


def test_a_request_arrives_as_it_was_sent_and_the_answer_as_it_was_given():
    request = b"PUT /a%20b/c?d=e&f=%26 HTTP/1.1\r\nHost: x\r\nX-Own: 1\r\nX-Own: 2\r\nContent-Length: 5\r\n\r\nhello"
    status, headers, body = answer_to(request, own_ip="127.0.0.7")
    said = json.loads(body)
    assert (status, headers["x-told"]) == (207, "yes")
    assert len(headers.get_all("date")) == 1
    assert said["client"][0] == "127.0.0.7"
    assert (said["method"], said["path"], said["raw_path"]) == ("PUT", "/a b/c", "/a%20b/c")
    assert (said["query"], said["body"]) == ("d=e&f=%26", "hello")
    assert said["headers"] == [["host", "x"], ["x-own", "1"], ["x-own", "2"], ["content-length", "5"]]


def test_a_body_in_chunks_arrives():
    head = HEAD % (b"POST", b"Transfer-Encoding: chunked\r\n")
    assert told(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")["body"] == "hello world"


def test_a_body_that_waits_to_be_asked_for_is_asked_for():
    def client(port):
        with opened(port, HEAD % (b"POST", b"Expect: 100-continue\r\nContent-Length: 2\r\n" + CLOSE)) as sock:
            asked = sock.recv(100)
            sock.sendall(b"ok")
            return asked, all_of(sock)

    asked, answer = passing(client, tell)
    assert asked.startswith(b"HTTP/1.1 100 ")
    assert b'"body": "ok"' in answer


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304])
def test_an_answer_without_a_body_is_whole(method, status):
    async def app(scope, receive, send):
        await Response(b"", status, {"ETag": "x"})(scope, receive, send)

    found, headers, body = answer_to(HEAD % (method, CLOSE), app)
    assert (found, headers["etag"], body) == (status, "x", b"")


def test_the_length_that_head_is_told_is_kept():
    async def app(scope, receive, send):
        await Response(b"", 200, {"Content-Length": "1000"})(scope, receive, send)

    assert answer_to(HEAD % (b"HEAD", CLOSE), app)[1]["content-length"] == "1000"


def test_requests_of_one_connection_are_each_answered_by_the_process_they_are_for():
    async def own(scope, receive, send):
        await Response(f"own {await body_of(receive)}")(scope, receive, send)

    async def rest(scope, receive, send):
        await Response(f"rest {await body_of(receive)}")(scope, receive, send)

    def client(port):
        requests = [b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d" for _ in range(4)]
        paths = (b"/own", b"/rest", b"/rest", b"/own")
        sent = b"".join(each % (path, n) for n, (each, path) in enumerate(zip(requests, paths, strict=True)))
        with opened(port, sent + HEAD % (b"GET", CLOSE)) as sock:
            return [line for line in all_of(sock).split(b"\r\n") if line.startswith((b"own", b"rest"))]

    answers = passing(client, rest, {"/own": own})
    lines = b"".join(answers)
    assert [lines.count(word) for word in (b"own", b"rest")] == [2, 3]
    assert answers[0].startswith(b"own b'0'")


# -- what a client cannot do


def test_no_client_says_whose_address_it_has():
    said = told(HEAD % (b"GET", b"Angarium-Peer: 192.0.2.1 25\r\nangarium-peer: 192.0.2.2 25\r\n"))
    assert said["client"][0] == "127.0.0.1"
    assert said["headers"] == [["host", "x"]]


def test_fields_of_the_connection_stay_on_it():
    fields = (
        b"Connection: keep-alive, x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
    )
    assert told(HEAD % (b"GET", fields))["headers"] == [["host", "x"]]


def test_a_body_is_never_a_request():
    """Were its length taken for a field of the connection, the body would be read as what a process of ours asks."""
    asked = []

    async def app(scope, receive, send):
        asked.append((scope["path"], await body_of(receive)))
        await Response("once")(scope, receive, send)

    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nAngarium-Peer: 192.0.2.1 25\r\n\r\n"
    length = b"Content-Length: %d\r\nConnection: content-length, close\r\n" % len(smuggled)
    answer_to(HEAD % (b"POST", length) + smuggled, app)
    assert asked == [("/passed", smuggled)]


# -- as it comes, and no more than is taken


def test_both_bodies_are_passed_on_as_they_come():
    def client(port):
        with opened(port, HEAD % (b"POST", b"Transfer-Encoding: chunked\r\n")) as sock:
            stream = sock.makefile("rb")
            while stream.readline() != b"\r\n":
                pass
            pieces = []
            for piece in (b"one", b"two"):
                sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                stream.readline()
                pieces.append(stream.readline())
            return pieces

    assert passing(client, echo) == [b"one\r\n", b"two\r\n"]


OWN = b"GET /own HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def own(scope, receive, send):
    await Response("own")(scope, receive, send)


def at_rest(port, amount):
    """Return what *amount* returns once it stays the same while the server goes round and round."""
    last, same = -1, 0
    while same < 20:
        with opened(port, OWN) as other:
            assert all_of(other).endswith(b"own")
        now = amount()
        last, same = now, same + 1 if now == last else 0
    return last


def test_a_body_that_is_not_read_is_not_taken_in():
    asked, may_answer = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        asked.set()
        await asyncio.to_thread(may_answer.wait)
        await tell(scope, receive, send)

    def client(port):
        size, sent = 100_000_000, 0
        with opened(port, HEAD % (b"POST", b"Content-Length: %d\r\n" % size)) as sock:
            assert asked.wait(PATIENCE_S)
            sock.setblocking(False)

            def send_more():
                nonlocal sent
                with contextlib.suppress(BlockingIOError):
                    while sent < size:
                        sent += sock.send(b"x" * 65_536)
                return sent

            found = at_rest(port, send_more)
            may_answer.set()
            return found

    assert passing(client, app, {"/own": own}) < 20_000_000


def test_an_answer_that_the_client_does_not_take_is_not_asked_for():
    given = 0

    async def app(scope, receive, send):
        nonlocal given
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            given += 100_000
        await send({"type": "http.response.body"})

    def client(port):
        with opened(port, HEAD % (b"GET", b"")) as sock:
            sock.recv(20)
            return at_rest(port, lambda: given)

    assert passing(client, app, {"/own": own}) < 20_000_000


def test_an_answer_before_the_end_of_the_body_ends_the_connection():
    async def app(scope, receive, send):
        await Response("too large", 413)(scope, receive, send)

    def client(port):
        with opened(port, HEAD % (b"POST", b"Content-Length: 100000000\r\n") + b"x" * 1000) as sock:
            return all_of(sock)

    answer = passing(client, app)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"too large")


# -- who hangs up


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 10\r\n"], ids=["whole", "half"])
def test_a_client_that_hangs_up_is_seen_to_have_done_so_behind(fields):
    gone, asked = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    def client(port):
        with opened(port, HEAD % (b"POST", fields)):
            assert asked.wait(PATIENCE_S)
        return gone.wait(PATIENCE_S)

    assert passing(client, app)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"100")]], ids=["in chunks", "of known length"])
def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(headers):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    with pytest.raises(http.client.IncompleteRead) as error:
        answer_to(HEAD % (b"GET", b""), app)
    assert error.value.partial == b"half"


def test_while_nobody_is_behind_clients_are_told_to_come_again():
    status, headers, body = answer_to(HEAD % (b"GET", b""), app=None)
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert int(headers["retry-after"]) > 0
    assert json.loads(body)["type"] == "urn:angarium:problem:unavailable"


def test_what_is_answered_here_asks_nobody_behind():
    assert answer_to(HEAD % (b"GET", b""), None, {"/passed": own})[2] == b"own"


# -- limits


@pytest.mark.parametrize(
    "sent", [b"GET /pass", HEAD % (b"POST", b"Content-Length: 10\r\n") + b"half"], ids=["head", "body"]
)
def test_a_client_that_is_slow_is_cut_off_and_what_was_passed_on_is_ended(sent, monkeypatch):
    monkeypatch.setattr(carrier, "REQUEST_S", 0.3)
    ended = []

    async def app(scope, receive, send):
        ended.append(await body_of(receive))

    def client(port):
        with opened(port, sent) as sock, contextlib.suppress(ConnectionError):
            return all_of(sock)

    assert not passing(client, app)
    assert ended == ([None] if b"\r\n\r\n" in sent else [])


def test_nothing_is_left_open():
    def descriptors(port):
        for _ in range(20):
            with opened(port, HEAD % (b"GET", CLOSE)) as sock:
                all_of(sock)
        return len(os.listdir("/proc/self/fd"))

    def client(port):
        first = descriptors(port)
        return first, descriptors(port)

    first, then = passing(client, tell)
    assert then <= first + 2
