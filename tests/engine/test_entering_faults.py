"""What is durable is told to its sender, whatever goes wrong with its delivery."""

import asyncio
from types import SimpleNamespace
from typing import Any

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.metrics import Counters
from angarium.core.waiting import NOTHING_WAITS
from angarium.engine.clearance import NOTHING_SUPPRESSED
from angarium.engine.enter import Acceptance
from angarium.engine.failing import Failing
from angarium.engine.live import LiveScheduler
from angarium.engine.suppressing import Suppressing
from angarium.engine.turn import Turn
from angarium.engine.view import ConfigView
from angarium.testing.caller import a_message
from angarium.testing.log import kept_log, records_of


class Scheduler:
    """Takes no recipient in."""

    def has_room(self, tenant: str) -> bool:
        return True

    def add(self, recipients: list[object], now: float) -> None:
        raise KeyError("unforeseen")


def test_a_message_that_cannot_be_scheduled_is_answered_all_the_same() -> None:
    async def story() -> None:
        scheduler: Any = Scheduler()
        spool: Any = SimpleNamespace(accept=lambda message, body, then, settled: then(None))
        clock, log, counters = SystemClock(), kept_log(), Counters()
        live = LiveScheduler(scheduler, Turn(), clock)
        acceptance = Acceptance(
            ConfigView(parse_config("")),
            spool,
            live,
            Suppressing(NOTHING_SUPPRESSED, Failing(Turn(), clock, log), live, clock, log),
            clock,
            log,
            counters,
            NOTHING_WAITS,
        )
        answers: list[object] = []
        message = a_message().message
        acceptance.enter(message, b"text", answers.append)
        assert answers == [None]
        (record,) = records_of(log)
        assert (record["event"], record["message"]) == ("bug", message.id.hex())

    asyncio.run(story())
