"""Where a text is made: on the event loop where that is known to be short, else in a thread."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.core.body import LargeBody
from angarium.delivery.attempt import NeedRender
from angarium.delivery.renderings import SHORT_S, Renderings
from angarium.render.failure import GenerationFailure
from angarium.testing.spool import make_message

SHARED = make_message(content=bytes(16))
ALONE = msgspec.structs.replace(SHARED, content=b"")


class Stopwatch:
    """Counts only what a rendering says that it has taken."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Renders, and says on which thread it was."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.renderings = Renderings(self.watch)

    async def where(self, takes_s: float, message: Any = SHARED, body: Any = b"text") -> str:
        seen: list[str] = []

        def render(text: bytes) -> bytes:
            self.watch.now += takes_s
            seen.append(threading.current_thread().name)
            return text + b"!"

        made = self.renderings.made(NeedRender(message, body, render))
        assert (await made if isinstance(made, Coroutine) else made) == b"text!"
        return seen[0]


def test_what_was_short_is_done_at_once_until_it_is_not() -> None:
    async def story() -> None:
        bench, here = Bench(), threading.current_thread().name
        assert await bench.where(SHORT_S / 2) == "render"  # nobody knows yet
        assert await bench.where(2 * SHORT_S) == here
        assert await bench.where(SHORT_S / 2) == "render"
        assert await bench.where(SHORT_S / 2) == here

    asyncio.run(story())


def test_what_one_message_has_alone_and_what_is_large_is_never_known_to_be_short(tmp_path: Path) -> None:
    async def story() -> None:
        file = tmp_path / "body"
        file.write_bytes(b"text")
        bench = Bench()
        for _ in range(2):
            assert await bench.where(0.0, ALONE) == "render"
            assert await bench.where(0.0, body=LargeBody(file, 4)) == "render"

    asyncio.run(story())


def test_what_cannot_be_made_is_raised_wherever_it_was_tried() -> None:
    def fail(body: bytes) -> bytes:
        raise GenerationFailure("no name")

    async def story() -> None:
        bench = Bench()
        with pytest.raises(GenerationFailure):
            await bench.renderings.made(NeedRender(SHARED, b"text", fail))  # type: ignore[misc]
        with pytest.raises(GenerationFailure):
            bench.renderings.made(NeedRender(SHARED, b"text", fail))

    asyncio.run(story())
