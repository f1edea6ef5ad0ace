"""One query to one server over UDP or TCP.

Each UDP query has its own socket, so its source port is the kernel's random choice, and the socket is
connected, so the kernel drops what comes from any other address. What does not
match id and question is ignored.
"""

import asyncio
from typing import cast

import dns.message

from angarium.config.values import SocketAddress
from angarium.dns.wire import is_truncated, parse_response


class Truncated(Exception):
    """The answer did not fit a datagram: ask over TCP."""


class _UdpExchange(asyncio.DatagramProtocol):
    def __init__(self, query: dns.message.Message) -> None:
        self._query = query
        self.response: asyncio.Future[dns.message.QueryMessage] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.DatagramTransport, transport).sendto(self._query.to_wire())

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.response.done():
            return
        if is_truncated(self._query, data):
            self.response.set_exception(Truncated())
        elif response := parse_response(self._query, data):
            self.response.set_result(response)

    def error_received(self, exc: Exception) -> None:
        if not self.response.done():
            self.response.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.response.done():
            self.response.set_exception(exc or ConnectionError("the socket was closed"))


async def ask_udp(server: SocketAddress, query: dns.message.Message) -> dns.message.QueryMessage:
    """Send *query* and wait for its answer. Raises OSError when the server cannot be reached, or Truncated.

    Waits for ever when nothing comes: the caller sets the time limit.
    """
    loop = asyncio.get_running_loop()
    address = (server.host, server.port)
    transport, exchange = await loop.create_datagram_endpoint(
        lambda: _UdpExchange(query), remote_addr=address
    )
    try:
        return await exchange.response
    finally:
        transport.close()


async def ask_tcp(server: SocketAddress, query: dns.message.Message) -> dns.message.QueryMessage:
    """The same over TCP (RFC 7766). Raises OSError also when the server hangs up or answers nonsense."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        response = parse_response(query, await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        raise ConnectionError("the server hung up") from None
    finally:
        writer.close()
    if response is None:
        raise ConnectionError("the server answered something else")
    return response
