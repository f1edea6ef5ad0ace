"""What is told to the scheduler is carried out once in a turn of the loop, however much it is."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from angarium.core.clock import SystemClock
from angarium.engine.live import LiveScheduler
from angarium.engine.pump import Pump
from angarium.engine.turn import Turn
from angarium.queue.commands import Quit
from angarium.testing.log import kept_log, records_of


class Scheduler:
    """Wants a connection ended for each that has closed, and nothing else."""

    def __init__(self) -> None:
        self.wake_at: float | None = None
        self.commands: list[Quit] = []
        self.asked = 0

    def take_commands(self) -> list[Quit]:
        self.asked += 1
        commands, self.commands = self.commands, []
        return commands

    def closed(self, conn: int, now: float) -> None:
        self.commands.append(Quit(conn))


class Room:
    """A pump and its scheduler. *quit* carries out what that wants."""

    def __init__(self, quit: Callable[[Quit], None]) -> None:
        self.scheduler = Scheduler()
        self.log = kept_log()
        scheduler: Any = self.scheduler
        turn, clock = Turn(), SystemClock()
        self.live = LiveScheduler(scheduler, turn, clock)
        other: Any = SimpleNamespace(
            connect=None,
            deliver=None,
            quit=quit,
            record=None,
            resolve=None,
            page=None,
            ask=None,
            give_back=None,
        )
        self.pump = Pump(self.live, turn, other, other, other, other, other, other, clock, self.log)


def play(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 5))


def test_a_burst_is_carried_out_in_one_pass() -> None:
    async def story() -> None:
        ended: list[int] = []
        room = Room(lambda command: ended.append(command.conn))
        for conn in range(3):
            room.live.closed(conn)
        assert ended == []
        await asyncio.sleep(0)
        assert ended == [0, 1, 2]
        assert room.scheduler.asked == 2  # and once more, to no avail

    play(story)


def test_each_turn_has_an_end() -> None:
    async def story() -> None:
        ended: list[int] = []
        room = Room(lambda command: ended.append(command.conn))
        for conn in range(3):
            room.live.closed(conn)
            await asyncio.sleep(0)
            assert ended[-1] == conn

    play(story)


def test_what_comes_of_a_command_is_carried_out_with_it() -> None:
    async def story() -> None:
        ended: list[int] = []

        def quit(command: Quit) -> None:
            ended.append(command.conn)
            if command.conn < 3:
                room.live.closed(command.conn + 1)

        room = Room(quit)
        room.live.closed(0)
        await asyncio.sleep(0)
        assert ended == [0, 1, 2, 3]

    play(story)


def test_a_command_that_fails_does_not_cost_those_behind_it() -> None:
    async def story() -> None:
        ended: list[int] = []

        def quit(command: Quit) -> None:
            if command.conn == 0:
                raise KeyError("unforeseen")
            ended.append(command.conn)

        room = Room(quit)
        room.live.closed(0)
        room.live.closed(1)
        await asyncio.sleep(0)
        assert ended == [1]
        (record,) = records_of(room.log)
        assert (record["event"], record["command"]) == ("bug", "Quit")

    play(story)
