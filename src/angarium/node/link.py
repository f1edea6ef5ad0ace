"""The private line between the supervisor and one worker: framed MessagePack over a socket pair.

Either side may `tell` (no answer) or `call` (one answer). Listening sockets travel beside it, see `sockets`.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from angarium.core.errors import AngariumError

_LENGTH = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Answers a call or takes a tell: (operation, arguments) to result. An AngariumError becomes the caller's error."""

Fast = Callable[[str, dict[str, Any]], bool]
"""Takes a tell without waiting; returns False for an operation it does not know, which then goes to the Handler."""


class LinkLost(AngariumError):
    """The other process is gone, or going; the call may or may not have been carried out."""


class CallFailed(AngariumError):
    """The other process answered with an error sentence."""


class Link(asyncio.Protocol):
    """One end of the line. Create it with `connect`."""

    def __init__(self, handler: Handler, fast: Fast, lost: Callable[[], None]) -> None:
        self._handler = handler
        self._fast = fast
        self._lost = lost
        self._buffer = bytearray()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._next_call = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls, sock: socket.socket, handler: Handler, fast: Fast, lost: Callable[[], None]
    ) -> "Link":
        """Take over *sock*, one end of a socket pair. *lost* is called once when the other end has gone."""
        loop = asyncio.get_running_loop()
        _, link = await loop.connect_accepted_socket(lambda: cls(handler, fast, lost), sock)
        return link

    def tell(self, op: str, **args: Any) -> None:
        """Send and forget. Silently nothing when the other end has gone: `lost` has told, or will."""
        self._send(["tell", 0, op, args])

    async def call(self, op: str, **args: Any) -> Any:
        """Send and wait for the answer. Raises CallFailed or LinkLost."""
        if self._transport is None or self._transport.is_closing():
            raise LinkLost(f"the process that should answer {op!r} is gone")
        self._next_call += 1
        future = asyncio.get_running_loop().create_future()
        self._calls[self._next_call] = future
        self._send(["call", self._next_call, op, args])
        return await future

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        buffer = self._buffer
        buffer += data
        position = 0
        while len(buffer) - position >= 4:
            (length,) = _LENGTH.unpack_from(buffer, position)
            if len(buffer) - position - 4 < length:
                break
            self._dispatch(_decode(memoryview(buffer)[position + 4 : position + 4 + length]))
            position += 4 + length
        del buffer[:position]

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        for future in self._calls.values():
            if not future.done():
                future.set_exception(LinkLost("the process that was asked has gone"))
        self._calls.clear()
        self._lost()

    def _send(self, frame: list[Any]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        payload = _encode(frame)
        self._transport.write(_LENGTH.pack(len(payload)) + payload)

    def _dispatch(self, frame: list[Any]) -> None:
        kind, number, op, args = frame
        if kind in ("result", "error"):
            future = self._calls.pop(number, None)
            if future is not None and not future.done():
                if kind == "result":
                    future.set_result(args)
                else:
                    future.set_exception(CallFailed(args))
        elif kind == "call" or not self._fast(op, args):
            task = asyncio.get_running_loop().create_task(self._answer(kind, number, op, args))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, kind: str, number: int, op: str, args: dict[str, Any]) -> None:
        try:
            answer = ["result", number, op, await self._handler(op, args)]
        except AngariumError as error:
            answer = ["error", number, op, str(error)]
        except Exception as error:
            if kind == "call":
                self._send(["error", number, op, f"a fault of Angarium's own: {error!r}; see the log"])
            raise
        if kind == "call":
            self._send(answer)


async def refuse_calls(op: str, args: dict[str, Any]) -> Any:
    """The `Handler` of a supervisor, which is told things and asked nothing."""
    raise AngariumError(f"the supervisor does not know {op!r}")
