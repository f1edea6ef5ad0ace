"""Requests passed on to another process of the node, over a Unix socket: one connection for each, both bodies streamed.

The other side is a `Behind` on a carrier. It learns the client's address from a field that is taken off what a client
sends; the socket is for the node's owner alone, so that no other can set it.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import httptools
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from angarium.http.api.problem import MEDIA_TYPE, HttpProblem

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Opens a connection to the other process. Raises OSError when it does not listen."""

_PEER: Final = b"angarium-peer"
_READ_BYTES: Final = 65_536
_OF_ONE_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
"""Fields that speak of a connection, not of the request (RFC 9110 §7.6.1)."""
_RETRY_AFTER_S: Final = 1


def away(detail: str) -> ASGIApp:
    """Return an application that answers 503, to be asked again soon: *detail* says why."""
    problem = HttpProblem("unavailable", detail)
    headers = {"Retry-After": str(_RETRY_AFTER_S), "Cache-Control": "no-store"}
    return Response(problem.body(), problem.status, headers, MEDIA_TYPE)


_AWAY: Final = away("this part of the node is being started; try again in a moment")


class Upstream:
    """An ASGI application that has another process answer. While that is away, it answers 503.

    When one side hangs up, so does this on the other. An answer that breaks off in the middle ends the client's
    connection, so that half of it is not taken for the whole. *away* is the answer while nobody answers.
    """

    def __init__(self, connect: Connect, away: ASGIApp = _AWAY) -> None:
        self._connect = connect
        self._away = away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            reader, writer = await self._connect()
        except OSError:
            await self._away(scope, receive, send)
            return
        request, answer = _PassedRequest(scope, receive, writer), _PassedAnswer(scope, send)
        sending = asyncio.get_running_loop().create_task(request.pass_on())
        try:
            await answer.pass_back(reader, request)
        except (OSError, httptools.HttpParserError):
            if not answer.has_begun and not request.is_abandoned:
                await self._away(scope, receive, send)
        finally:
            sending.cancel()
            writer.transport.abort()
            await asyncio.gather(sending, return_exceptions=True)


class _PassedRequest:
    """A request on its way to the process that answers it."""

    def __init__(self, scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> None:
        self.is_whole = False
        self.is_abandoned = False
        self._scope = scope
        self._receive = receive
        self._writer = writer
        self._is_chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])

    async def pass_on(self) -> None:
        """Pass it on, the body as fast as it is taken. Then wait for the client to hang up, and do the same."""
        self._writer.write(_head(self._scope, self._is_chunked))
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_abandoned = True
                self._writer.transport.abort()
                return
            if not self.is_whole:
                await self._pass_piece(message)

    async def _pass_piece(self, message: Message) -> None:
        body, self.is_whole = message.get("body", b""), not message.get("more_body", False)
        if not self._is_chunked:
            self._writer.write(body)
        elif body:
            self._writer.writelines((b"%x\r\n" % len(body), body, b"\r\n"))
        if self._is_chunked and self.is_whole:
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


class _PassedAnswer:
    """An answer on its way to the client; the methods without underscore are httptools'."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.has_begun = False
        self._is_bodiless = scope["method"] == "HEAD"
        self._send = send
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._has_head = False
        self._is_whole = False
        self._pieces: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._is_whole = True

    async def pass_back(self, reader: asyncio.StreamReader, request: _PassedRequest) -> None:
        """Pass the answer on, as fast as the client takes it. Raises OSError or HttpParserError when it breaks off."""
        while not self._is_whole:
            data = await reader.read(_READ_BYTES)
            if not data:
                raise ConnectionError("the answer broke off")
            self._parser.feed_data(data)
            if self._has_head and not self.has_begun:
                await self._begin(request)
            if self._pieces:
                body, self._pieces = b"".join(self._pieces), []
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _begin(self, request: _PassedRequest) -> None:
        self.has_begun = True
        status = self._parser.get_status_code()
        headers = [(name, value) for name, value in _of_message(self._headers) if name != b"date"]
        if not request.is_whole:  # what is still to come of the body would be read for nothing
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self._is_whole = self._is_whole or self._is_bodiless or status in (204, 304)


def _head(scope: Scope, is_chunked: bool) -> bytes:
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    fields = [*_of_message(scope["headers"])]
    if scope["client"]:
        fields.append((_PEER, b"%s %d" % (scope["client"][0].encode(), scope["client"][1])))
    if is_chunked:
        fields.append((b"transfer-encoding", b"chunked"))
    lines = [
        scope["method"].encode() + b" " + target + b" HTTP/1.1",
        *(b": ".join(field) for field in fields),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _of_message(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """Return the fields that are passed on. `Expect` is answered by the process that reads the body first."""
    given = list(headers)
    named = {
        token.strip().lower() for name, value in given if name == b"connection" for token in value.split(b",")
    }
    # The length stays, whatever the client says of it: without it, the body would be a request of the client's making.
    kept_back = (_OF_ONE_HOP | named | {b"expect", _PEER}) - {b"content-length"}
    return [(name, value) for name, value in given if name not in kept_back]


class Behind:
    """What an `Upstream` asks: *app*, which is told of the client's address as if the client had come itself.

    No answer closes the connection: the upstream does, once it has it all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [field for field in message.get("headers", ()) if field[0].lower() != b"connection"]
                message = {**message, "headers": kept}
            await send(message)

        told = [value for name, value in scope["headers"] if name == _PEER]
        headers = [field for field in scope["headers"] if field[0] != _PEER]
        scope = {**scope, "client": _client(told[0]) if told else None, "headers": headers}
        await self._app(scope, receive, send_on)


def _client(told: bytes) -> tuple[str, int]:
    host, _, port = told.decode().partition(" ")
    return str(ipaddress.ip_address(host)), int(port)
