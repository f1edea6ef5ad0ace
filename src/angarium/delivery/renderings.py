"""What recipients get, made on its way: at once where that is known to be short, else in a thread.

A thread that renders and the event loop have one interpreter lock between them: a loop that wakes up waits for it, up
to 5 ms. So a rendering that takes less than that is best done on the loop, and costs no change of threads.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from angarium.core.bounded import Bounded
from angarium.delivery.attempt import NeedRender
from angarium.delivery.offload import Offload

SHORT_S: Final = 0.002
_THREADS: Final = 1
_MOST_KNOWN: Final = 1_000
_LARGEST: Final = 262_144


class Renderings:
    """The renderings of one event loop. *now* measures how long they take, in seconds."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._threads = Offload(_THREADS, "render")
        self._now = now
        self._short: Bounded[bytes, bool] = Bounded(_MOST_KNOWN)
        """Contents by their id: whether the last rendering of each was short."""

    def made(self, need: NeedRender) -> bytes | Coroutine[Any, Any, bytes | None] | None:
        """Return what comes of *need*, or what waits for it. Raises what the rendering raises, and OSError."""
        content, body = need.message.content, need.body
        if content and isinstance(body, bytes) and len(body) <= _LARGEST and self._short.get(content):
            return self._timed(content, need.render, body)
        return self._in_thread(need)

    async def _in_thread(self, need: NeedRender) -> bytes | None:
        body = need.body
        data = body if isinstance(body, bytes) else await asyncio.to_thread(body.path.read_bytes)
        made: bytes | None = await self._threads.start(
            lambda: self._timed(need.message.content, need.render, data)
        )
        return made

    def _timed(self, content: bytes, render: Callable[[bytes], bytes | None], body: bytes) -> bytes | None:
        if not content:
            return render(body)
        begun = self._now()
        try:
            return render(body)
        finally:
            self._short.put(content, self._now() - begun < SHORT_S)
