"""Work for threads is done whole, whenever it comes, and the loop goes on meanwhile."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from angarium.delivery.offload import Offload


def play(act: Callable[[Offload], Awaitable[None]], threads: int = 2) -> None:
    async def scene() -> None:
        async with asyncio.timeout(30):
            await act(Offload(threads, "test"))

    asyncio.run(scene())


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_everything_is_done_however_it_comes(threads: int) -> None:
    async def client(offload: Offload, number: int) -> None:
        for turn in range(200):
            assert await offload.start(lambda turn=turn: b"%d.%d" % (number, turn)) == b"%d.%d" % (
                number,
                turn,
            )

    async def act(offload: Offload) -> None:
        await asyncio.gather(*(client(offload, number) for number in range(10)))
        burst = [offload.start(lambda number=number: b"%d" % number) for number in range(500)]
        assert await asyncio.gather(*burst) == [b"%d" % number for number in range(500)]

    play(act, threads)


@pytest.mark.parametrize("way", [Offload.start, Offload.at_once])
def test_what_goes_wrong_is_raised_where_it_is_awaited_and_harms_nothing_else(way) -> None:
    def fail() -> bytes:
        raise ZeroDivisionError

    async def act(offload: Offload) -> None:
        with pytest.raises(ZeroDivisionError):
            await way(offload, fail)
        assert await way(offload, lambda: b"fine") == b"fine"

    play(act)


def test_two_threads_work_at_the_same_time_and_the_loop_as_well() -> None:
    async def act(offload: Offload) -> None:
        both = threading.Barrier(3)
        waiting = [offload.start(lambda: bytes([both.wait(20)])) for _ in range(2)]
        await asyncio.to_thread(both.wait, 20)
        assert len(set(await asyncio.gather(*waiting))) == 2

    play(act)


def test_work_that_nobody_waits_for_any_more_harms_nothing() -> None:
    async def act(offload: Offload) -> None:
        may_go = threading.Event()
        given_up = offload.start(lambda: bytes([may_go.wait(20)]))
        given_up.cancel()
        may_go.set()
        assert await offload.start(lambda: b"next") == b"next"

    play(act, threads=1)
