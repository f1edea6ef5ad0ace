"""Answers without end: items as server-sent events, until the client hangs up (HTML, section 9.2)."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from angarium.core.errors import AngariumError

MEDIA_TYPE = "text/event-stream"


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


def event(item: Any) -> bytes:
    """Return *item* as one event."""
    return _event(type(item).__name__.lower() if isinstance(item, msgspec.Struct) else "item", item)


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
