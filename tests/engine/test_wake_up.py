"""Mail that is due is sent when its time has come by the clock, also after the machine slept."""

import asyncio
from types import SimpleNamespace
from typing import Any

from angarium.config.load import parse_config
from angarium.delivery.dispatcher import Dispatcher
from angarium.spool.port import SpoolStatus


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

    def pause(self, reason: str | None, now: float) -> None:
        assert reason is None


def test_mail_that_fell_due_while_the_machine_slept_is_tried_within_a_second_of_waking():
    async def story() -> None:
        time = SimpleNamespace(at=1000.0)
        scheduler: Any = Scheduler(wake_at=1600.0)
        spool: Any = SimpleNamespace(
            on_flow=lambda tell: None, status=lambda: SpoolStatus(None, "", 0, 0, 0, 0, 0)
        )
        other: Any = SimpleNamespace(ask=None, give_back=None)
        clock: Any = SimpleNamespace(now=lambda: time.at)
        config = parse_config("")
        dispatcher = Dispatcher(config, scheduler, spool, other, other, clock, other, other)
        dispatcher.pump()
        dispatcher.sweep(time.at)
        assert scheduler.ticks == []
        time.at = 30_000.0
        dispatcher.sweep(time.at)
        assert scheduler.ticks == [30_000.0]

    asyncio.run(story())
