"""What is durable is told to its sender, whatever goes wrong with its delivery."""

import asyncio
from types import SimpleNamespace
from typing import Any

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.metrics import Counters
from angarium.delivery.dispatcher import Dispatcher
from angarium.testing.caller import a_message
from angarium.testing.log import KeptLog


class Scheduler:
    """Takes no recipient in."""

    def has_room(self, tenant: str) -> bool:
        return True

    def add(self, recipients: list[object], now: float) -> None:
        raise KeyError("unforeseen")


def test_a_message_that_cannot_be_scheduled_is_answered_all_the_same() -> None:
    async def story() -> None:
        scheduler: Any = Scheduler()
        spool: Any = SimpleNamespace(
            on_flow=lambda tell: None, accept=lambda message, body, then, settled: then(None)
        )
        other: Any = SimpleNamespace(ask=None, give_back=None)
        log = KeptLog()
        dispatcher = Dispatcher(
            parse_config(""), scheduler, spool, other, other, SystemClock(), log, Counters()
        )
        answers: list[object] = []
        message = a_message().message
        dispatcher.enter(message, b"text", answers.append)
        assert answers == [None]
        (record,) = log.records
        assert (record["event"], record["message"]) == ("bug", message.id.hex())

    asyncio.run(story())
