"""How soon what has ended is started again."""

import asyncio

from angarium.node.restarts import Restarts, how_ended, pause


def test_each_wait_is_twice_the_one_before_up_to_ten_seconds() -> None:
    restarts = Restarts()
    assert [restarts.after(1.0) for _ in range(7)] == [0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_what_has_lived_long_is_started_again_soon() -> None:
    restarts = Restarts()
    restarts.after(1.0)
    assert restarts.after(31.0) == 0.2


def test_nobody_waits_while_the_node_stops() -> None:
    async def stopping() -> None:
        told = asyncio.Event()
        told.set()
        await asyncio.wait_for(pause(1_000.0, told), 60)

    asyncio.run(stopping())


def test_an_end_is_told_by_its_signal_or_its_status() -> None:
    assert (how_ended(-9), how_ended(1)) == ("killed by SIGKILL", "exit status 1")
