"""Answers that come piece by piece: items without end as server-sent events, until the client hangs up (HTML, section
9.2), or as lines of JSON up to the last.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from angarium.core.errors import AngariumError

MEDIA_TYPE = "text/event-stream"
LINES_TYPE = "application/x-ndjson"
_PIECE_BYTES = 65_536


async def streamed(items: AsyncIterator[Any]) -> Response:
    """Return *items* as they come, each the data of an event that is named after its type; of a dictionary, `item`.

    What is wrong before the first one is raised, so that it can be answered as a problem; what is wrong later is a last
    event `error` with a `detail`.
    """
    first = await anext(items, None)

    async def events() -> AsyncIterator[bytes]:
        if first is not None:
            yield event(first)
        try:
            async for item in items:
                yield event(item)
        except AngariumError as error:
            yield _event("error", {"detail": str(error)})

    return StreamingResponse(events(), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)


async def lined(items: AsyncIterator[Any]) -> Response:
    """Return *items* as lines. What is wrong before the first one is raised; what is wrong later breaks the answer off,
    so that part of it is not taken for the whole.
    """
    first = await anext(items, None)

    async def pieces() -> AsyncIterator[bytes]:
        piece = bytearray() if first is None else bytearray(msgspec.json.encode(first) + b"\n")
        async for item in items:
            piece += msgspec.json.encode(item) + b"\n"
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    return StreamingResponse(pieces(), headers={"Cache-Control": "no-store"}, media_type=LINES_TYPE)


async def pieced(pieces: AsyncIterator[bytes], media_type: str) -> Response:
    """Return *pieces* as one document. What is wrong before the first is raised; what is wrong later breaks it off."""
    first = await anext(pieces, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(all_of_them(), headers={"Cache-Control": "no-store"}, media_type=media_type)


def event(item: Any) -> bytes:
    """Return *item* as one event."""
    return _event(type(item).__name__.lower() if isinstance(item, msgspec.Struct) else "item", item)


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
