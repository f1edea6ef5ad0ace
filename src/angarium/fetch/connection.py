"""One connection to a server of HTTP/1.1: a request, and its answer within bounds, one after the other."""

import asyncio
from typing import Final, cast

import httptools

from angarium.fetch.answer import BrokenOff, HttpAnswer

MAX_HEAD_BYTES: Final = 65_536


class HttpClientConnection(asyncio.Protocol):
    """Made by the loop. What is wrong with an answer ends the connection; an answer is there, or `BrokenOff` raised.

    *lost* is called once, when it is gone.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[HttpAnswer] | None = None
        self._parser: httptools.HttpResponseParser
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()
        self._head_bytes = 0
        self._most = 0
        self._has_head = False
        self._is_closed = False
        self.idle_since = 0.0
        """When its last answer was complete, by the loop's clock."""

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._is_closed

    @property
    def peer(self) -> str:
        """The address that it really leads to."""
        return str(self._transport.get_extra_info("peername")[0]) if self._transport is not None else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes, most: int) -> HttpAnswer:
        """Send *request* and wait for the answer, of whose body *most* bytes are taken. Waits for ever; whoever gives
        up calls `abort`. Raises BrokenOff.
        """
        transport = self._transport
        if transport is None or self._is_closed or self._answered is not None:
            raise BrokenOff("the connection is closed", is_unheard=True)
        self._answered = asyncio.get_running_loop().create_future()
        self._most = most
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0
        self._begin()
        transport.write(request)
        try:
            return await self._answered
        finally:
            self._answered = None

    def abort(self) -> None:
        """End it at once, whatever state it is in."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._answered is None or self._answered.done():
            self.abort()  # nobody has asked for this
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._answered.done():
                self._fail(f"the answer is no HTTP: {error}")
        if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(f"the head of the answer is longer than {MAX_HEAD_BYTES} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._is_closed = True
        if self._answered is None or self._answered.done():
            return
        if self._has_head and not self._is_framed():
            self._complete()  # RFC 9112 §6.3: such a body ends with the connection
        else:
            self._fail("the connection was closed before the whole answer")

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self._answered is None or self._answered.done():  # one more than was asked for
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        room = self._most - len(self._body)
        self._body += data[:room]
        if len(data) > room:
            self._complete(is_cut=True)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._parser.get_status_code() < 200:  # RFC 9110 §15.2: another follows
            self._begin()
        else:
            self._complete()

    def _begin(self) -> None:
        self._headers, self._body, self._has_head = [], bytearray(), False

    def _is_framed(self) -> bool:
        return any(name in ("content-length", "transfer-encoding") for name, _ in self._headers)

    def _complete(self, *, is_cut: bool = False) -> None:
        if self._answered is None or self._answered.done():
            return
        status = self._parser.get_status_code()
        self._answered.set_result(
            HttpAnswer(status, tuple(self._headers), bytes(self._body), is_cut, self.peer)
        )
        self.idle_since = asyncio.get_running_loop().time()
        if is_cut or not self._parser.should_keep_alive():
            self.abort()

    def _fail(self, why: str) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(BrokenOff(why, is_unheard=self._head_bytes == 0))
        self.abort()
