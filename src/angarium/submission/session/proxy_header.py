"""Reading the PROXY header off a fresh connection: exactly it, not a byte of what follows."""

import asyncio
import socket

from angarium.smtp.proxy import Incomplete, ProxyError, ProxyHeader, parse_proxy

_LOOK_BYTES = 8192


async def read_proxy_header(connection: socket.socket, loop: asyncio.AbstractEventLoop) -> ProxyHeader:
    """Read the header from a socket that does not block. Raises ProxyError, OSError; time is the caller's matter.

    What follows the header is TLS or SMTP, which is read elsewhere, so bytes are looked at first and taken when they
    are known to belong to it: all of them while it is incomplete.
    """
    header = b""
    while True:
        await _readable(connection, loop)
        try:
            seen = connection.recv(_LOOK_BYTES, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            continue
        if not seen:
            raise ProxyError("the connection was closed before it")
        found = parse_proxy(header + seen)
        if not isinstance(found, Incomplete):
            connection.recv(found.consumed - len(header))
            return found
        header += connection.recv(len(seen))


async def _readable(connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    ready = loop.create_future()
    loop.add_reader(connection.fileno(), _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(connection.fileno())


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
