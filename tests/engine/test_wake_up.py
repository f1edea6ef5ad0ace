"""Mail that is due is sent when its time has come by the clock, also after the machine slept."""

import asyncio
from types import SimpleNamespace
from typing import Any

from angarium.engine.live import LiveScheduler
from angarium.engine.pump import Pump
from angarium.engine.turn import Turn


class Scheduler:
    """Has mail that is due at *wake_at*."""

    def __init__(self, wake_at: float) -> None:
        self.wake_at: float | None = wake_at
        self.ticks: list[float] = []

    def take_commands(self) -> list[object]:
        return []

    def tick(self, now: float) -> None:
        self.ticks.append(now)
        self.wake_at = None


def test_mail_that_fell_due_while_the_machine_slept_is_tried_within_a_second_of_waking():
    async def story() -> None:
        time = SimpleNamespace(at=1000.0)
        scheduler: Any = Scheduler(wake_at=1600.0)
        other: Any = SimpleNamespace(
            connect=None,
            deliver=None,
            quit=None,
            record=None,
            resolve=None,
            page=None,
            ask=None,
            give_back=None,
        )
        clock: Any = SimpleNamespace(now=lambda: time.at)
        turn = Turn()
        live = LiveScheduler(scheduler, turn, clock)
        pump = Pump(live, turn, other, other, other, other, other, other, clock, other)
        pump.pump()
        pump.catch_up(time.at)
        assert scheduler.ticks == []
        time.at = 30_000.0
        pump.catch_up(time.at)
        assert scheduler.ticks == [30_000.0]

    asyncio.run(story())
