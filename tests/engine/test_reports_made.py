"""A terminal event is written down whatever becomes of the report: else its mail would be attempted once more."""

import asyncio
import os
from pathlib import Path
from typing import Any

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Event, Message
from angarium.core.reply import Reply
from angarium.core.waiting import NOTHING_WAITS
from angarium.engine.record import EventWriter, Recorder
from angarium.engine.reports.reporter import Reporter
from angarium.engine.view import ConfigView
from angarium.queue.commands import WriteEvents
from angarium.spool.port import LargeBody
from angarium.testing.caller import a_message

CONFIG = parse_config('Hostname = "mail.test"')


class Spool:
    """Has one body, and keeps what is recorded. It is the entrance of reports as well."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.entered: list[Message] = []
        self.recorded: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()

    async def load_body(self, message: Message) -> Any:
        return self.body

    def enter(self, message: Message, body: Any, then: Any) -> None:
        self.entered.append(message)
        then(None)

    def expect(self, events: list[Event]) -> None:
        assert all(event.state == "bounced" for event in events)

    def record(self, events: list[Event], then: Any = None) -> None:
        self.recorded.set_result(events)


def bounce(body: Any) -> Spool:
    """Have a bounce recorded of a message that has *body*."""

    async def scene() -> Spool:
        spool: Any = Spool(body)
        log = Log(os.open(os.devnull, os.O_WRONLY))
        recipient = a_message()
        event = recipient.event("bounced", 1.0, "bounced", reply=Reply(550, "5.1.1", "gone"))
        view, clock, counters = ConfigView(CONFIG), SystemClock(), Counters()
        reporter = Reporter(spool.enter, view, spool, clock, log, counters)
        recorder = Recorder(view, EventWriter(spool, log, counters, NOTHING_WAITS), reporter, spool, clock)
        recorder.record(WriteEvents([event], [recipient]))
        async with asyncio.timeout(5):
            assert await spool.recorded == [event]
        kept: Spool = spool
        return kept

    return asyncio.run(scene())


def test_a_large_body_that_cannot_be_opened_is_left_out_of_the_report(tmp_path: Path) -> None:
    assert len(bounce(LargeBody(tmp_path / "not there", 100)).entered) == 1


def test_a_report_that_cannot_be_made_does_not_keep_the_message_from_its_end() -> None:
    assert bounce("no bytes").entered == []
