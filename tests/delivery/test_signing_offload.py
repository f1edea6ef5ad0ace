"""Work for threads is done whole, whenever it comes, and the loop goes on meanwhile."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable

import pytest

from angarium.delivery.offload import Offload
from angarium.testing.programs import PATIENCE_S


def play(act: Callable[[Offload], Awaitable[None]], threads: int = 2) -> None:
    async def scene() -> None:
        async with asyncio.timeout(PATIENCE_S):
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
        await asyncio.to_thread(both.wait, PATIENCE_S)
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


def test_threads_start_when_there_is_work_and_end_with_their_owner() -> None:
    def mine() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "mine"]

    async def scene() -> list[threading.Thread]:
        offload = Offload(2, "mine")
        assert mine() == []
        await offload.start(lambda: b"done")
        assert len(mine()) == 1  # no more than are needed
        await asyncio.gather(*(offload.start(lambda: b"done") for _ in range(10)))
        return mine()

    started = asyncio.run(scene())
    gc.collect()
    for thread in started:
        thread.join(20)
    assert len(started) == 2
    assert mine() == []


def test_a_loop_that_has_ended_is_not_told() -> None:
    may_go = threading.Event()

    async def scene() -> tuple[Offload, threading.Thread]:
        offload = Offload(1, "late")
        _ = offload.start(lambda: bytes([may_go.wait(20)]))
        return offload, next(thread for thread in threading.enumerate() if thread.name == "late")

    offload, thread = asyncio.run(scene())
    may_go.set()
    del offload
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
