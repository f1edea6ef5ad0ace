"""The line between supervisor and worker."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from angarium.core.errors import AngariumError
from angarium.node.link import CallFailed, Link, LinkLost


async def pair(
    handler: Callable[[str, dict[str, Any]], Awaitable[Any]], heard: list[tuple[str, dict[str, Any]]]
) -> tuple[Link, Link, asyncio.Event]:
    """Two ends; the second serves *handler* and collects fast tells; the event says that the first's peer has gone."""
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()

    def fast(op: str, args: dict[str, Any]) -> bool:
        heard.append((op, args))
        return op == "note"

    async def nothing(op: str, args: dict[str, Any]) -> None:
        raise AssertionError(op)

    first = await Link.connect(ours, nothing, lambda op, args: True, lost.set)
    second = await Link.connect(theirs, handler, fast, lambda: None)
    return first, second, lost


def test_a_call_is_answered_and_an_error_comes_back_as_its_sentence() -> None:
    async def handler(op: str, args: dict[str, Any]) -> Any:
        if op == "fail":
            raise AngariumError("no such queue")
        return {"op": op, **args}

    async def scene() -> None:
        first, _, _ = await pair(handler, [])
        assert await first.call("add", a=1, big="x" * 300_000) == {"op": "add", "a": 1, "big": "x" * 300_000}
        with pytest.raises(CallFailed, match="no such queue"):
            await first.call("fail")

    asyncio.run(scene())


def test_tells_arrive_in_order_before_a_later_call() -> None:
    async def handler(op: str, args: dict[str, Any]) -> Any:
        return len(heard)

    heard: list[tuple[str, dict[str, Any]]] = []

    async def scene() -> None:
        first, _, _ = await pair(handler, heard)
        for number in range(100):
            first.tell("note", number=number)
        assert await first.call("count") == 100
        assert [args["number"] for _, args in heard] == list(range(100))

    asyncio.run(scene())


def test_calls_fail_when_the_other_process_goes() -> None:
    async def handler(op: str, args: dict[str, Any]) -> Any:
        second.close()
        await asyncio.Event().wait()

    async def scene() -> None:
        nonlocal second
        first, second, lost = await pair(handler, [])
        with pytest.raises(LinkLost):
            await first.call("anything")
        await lost.wait()
        with pytest.raises(LinkLost):
            await first.call("again")
        first.tell("unheard")

    second: Link
    asyncio.run(scene())
