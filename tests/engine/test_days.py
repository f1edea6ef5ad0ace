"""Days in the life of mail, by a clock that a test sets: an engine, its spool on disk, a peer over a socket."""

import asyncio
from itertools import pairwise
from pathlib import Path

from angarium.config.load import parse_config
from angarium.core.metrics import Counters
from angarium.core.records import Event, Message
from angarium.delivery.router import Router
from angarium.engine.engine import Engine
from angarium.spool.embedded import open_partition
from angarium.testing.clock import ManualClock
from angarium.testing.engine import NoDns, engine_on
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink import Sink
from angarium.testing.spool import NOW, SMALL, make_message

HOUR, DAY = 3600, 86_400
TEXT = b"Subject: hello\r\n\r\ntext\r\n"
CONFIG = """
Hostname = "mail.test"
Routes = ( "smtp://127.0.0.1?port={port}" )
Retry_Interval = 1200
Max_Retry_Interval = 21600
Message_Expiration = {expiration}
Generate_Delay_DSN = true
Delay_DSN_Retry_Interval = 14400
"""


async def events_of(engine: Engine, message: Message, number: int) -> list[Event]:
    """Return what has happened to *message* when that is at least *number* events."""
    while True:
        _, events = await engine.spool.history(message.id)
        if len(events) >= number:
            return events


async def live_through(engine: Engine, clock: ManualClock, message: Message, sink: Sink) -> list[Event]:
    """Let it be the time at which each next try of *message* is due, until its end; return its events.

    No time passes while something is under way: a peer that seemed to stand still for hours would be given up.
    """
    events = await events_of(engine, message, 1)
    while events[-1].state == "queued":
        await sink.wait_for_messages(events[-1].delay_dsns)
        while engine.scheduler.census.resident:
            await engine.spool.history(message.id)
        clock.at = events[-1].due_at
        engine.sweeper.sweep()
        events = await events_of(engine, message, len(events) + 1)
    return events


def test_mail_that_is_never_taken_is_tried_for_days_and_its_sender_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink("on rcpt to r0@*: reply 450 4.2.0 come back later") as sink:
            config = parse_config(CONFIG.format(port=sink.address[1], expiration=2 * DAY))
            spool = open_partition(tmp_path, asyncio.get_running_loop(), SMALL)
            clock = ManualClock(NOW)
            engine = await engine_on(spool, config, clock, kept_log(), Counters(), Router(NoDns(), config))
            engine.recover()
            message = make_message("to.example", size=len(TEXT), received_at=NOW)
            done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            engine.acceptance.enter(message, TEXT, done.set_result)
            assert await done is None
            events = await live_through(engine, clock, message, sink)
            await sink.wait_for_messages(events[-1].delay_dsns + 1)
            await engine.drain.drain(PATIENCE_S)
            await spool.close()

        assert [each.type for each in events[:-1]] == ["delayed"] * (len(events) - 1)
        assert (events[-1].type, events[-1].attempts) == ("expired", len(events))
        waits = [later.at - earlier.at for earlier, later in pairwise(events)]
        assert 1200 <= waits[0] <= 1200 * 1.2
        assert max(waits[:-1]) >= 6 * HOUR
        assert clock.at - NOW >= 2 * DAY - 1.2 * 6 * HOUR
        told = [b"Action: delayed" in each.data for each in sink.messages]
        assert told == [True, True, True, False]  # after 4, 12 and 28 hours, and of the end
        assert {each.recipients for each in sink.messages} == {("from@example.org",)}

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
