"""The end of one outbound connection, from our last word until its peer has ended it too."""

import asyncio
import os
import socket
from collections.abc import Callable

_PIECE = 65_536


class Goodbye:
    """Waits for the peer to close its side of *transport*, at most *timeout_s*; then calls *then*, once.

    Its owner says when there is nothing more to say (`hang_up`), and when the transport is lost (`lost`). The layer of
    TLS closes the socket while the peer still works on it: a second descriptor sees the peer's own end.
    """

    def __init__(self, transport: asyncio.Transport, timeout_s: float, then: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = transport
        self._then = then
        self._socket = None if transport.can_write_eof() else _second(transport)
        self._timer = self._loop.call_later(timeout_s, self._cut)

    def hang_up(self) -> None:
        """There is nothing more to say, and nothing to be heard but the end."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def lost(self) -> None:
        """The transport has ended."""
        self._transport = None  # which has what the encryption takes
        second = self._socket
        if second is None or self._timer.cancelled():
            self._end()
            return
        try:
            second.shutdown(socket.SHUT_WR)
        except OSError:  # the peer was quicker
            self._end()
        else:
            self._loop.add_reader(second, self._look)

    def _look(self) -> None:
        assert self._socket is not None
        try:
            if self._socket.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:  # an end as well
            pass
        self._end()

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def _end(self) -> None:
        self._timer.cancel()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        self._then()


def _second(transport: asyncio.Transport) -> socket.socket | None:
    """Return a second descriptor of the transport's socket, None if there is none to be had."""
    try:
        second = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    except OSError:
        return None
    second.setblocking(False)
    return second
