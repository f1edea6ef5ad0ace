"""Mail that was taken only to be reported as failed: bounced with its refusal, never attempted; a sender who logged in
hears of it once.

The real engine, scheduler and spool; the process ends wherever it may, and the next start does what is left.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.ids import new_id
from angarium.core.metrics import Counters
from angarium.core.operations import RecipientsArgs
from angarium.core.records import Event, ForwardPath, Message, QueueKey
from angarium.core.reply import Reply
from angarium.delivery.router import Router
from angarium.dns.records import Answer, RecordType
from angarium.engine.engine import Engine
from angarium.engine.reports.mistakes import AGAIN_S, MOST_KNOWN, Mistakes
from angarium.spool.embedded import open_partition
from angarium.spool.offline.export import export_eml, export_mbox
from angarium.spool.partition import Partition
from angarium.spool.settings import SpoolSettings
from angarium.testing.engine import engine_on
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import SMALL, make_message

REFUSAL = Reply(550, "5.6.0", "X-PM-Tag may have 1000 characters, not 1001 (Postmark error 300)")


class NoResolver:
    """Whoever asks wants to deliver."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def query(self, name: str, type: RecordType) -> Answer:
        self.asked.append(name)
        raise AssertionError("nothing is to be delivered")


class Day:
    """Spool and engine of one run."""

    def __init__(self, engine: Engine, counters: Counters) -> None:
        self.spool = engine.spool
        self.scheduler = engine.scheduler
        self.acceptance = engine.acceptance
        self.operator = engine.operator
        self.counters = counters
        self.report, recovered = engine.recover()
        engine.acceptance.add(recovered)

    @classmethod
    async def begin(cls, spool: Partition, resolver: NoResolver, text: str = "") -> "Day":
        """Recover *spool*, and go on with what is there."""
        config = parse_config(text, "angarium.conf")
        counters, routes = Counters(), Router(resolver, config)
        return cls(await engine_on(spool, config, SystemClock(), kept_log(), counters, routes), counters)

    async def enter(self, message: Message) -> None:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.acceptance.enter(message, b"Subject: x\r\n\r\n", done.set_result)
        assert await done is None

    async def waiting(self) -> list[Message]:
        """Return the messages that wait, the oldest first."""
        rows = await self.operator.recipients(RecipientsArgs())
        found = [(await self.spool.history(bytes.fromhex(row.message.replace("-", ""))))[0] for row in rows]
        return sorted((each for each in found if each is not None), key=lambda each: each.id)

    async def bounced(self, message: Message) -> list[Event]:
        """Wait until the last event of each recipient is there, and return all events."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                _, events = await self.spool.history(message.id)
                if len(events) >= len(message.recipients):
                    return events


def refused_message() -> Message:
    message = make_message("a.example", "b.example", received_at=SystemClock().now())
    return msgspec.structs.replace(message, refusal=REFUSAL, fate="fail")


def with_spool(
    path: Path, story: Callable[[Partition], Awaitable[None]], settings: SpoolSettings = SMALL
) -> None:
    async def day() -> None:
        spool = open_partition(path, asyncio.get_running_loop(), settings)
        try:
            await story(spool)
        finally:
            await spool.close()

    asyncio.run(day())


def run(
    path: Path, story: Callable[[Day], Awaitable[None]], settings: SpoolSettings = SMALL, config: str = ""
) -> None:
    """Play *story* on the engine as the day before left it. No name is looked up meanwhile."""

    async def day(spool: Partition) -> None:
        resolver = NoResolver()
        await story(await Day.begin(spool, resolver, config))
        assert resolver.asked == []

    with_spool(path, day, settings)


def accept_and_vanish(path: Path, message: Message) -> None:
    """Leave a spool as a crash does between the acceptance and the events."""

    async def day(spool: Partition) -> None:
        spool.recover()
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        spool.accept(message, b"Subject: x\r\n\r\n", done.set_result)
        assert await done is None

    with_spool(path, day)


async def all_failed(day: Day, message: Message) -> None:
    events = await day.bounced(message)
    assert [(event.type, event.state, event.index, event.attempts) for event in events] == [
        ("bounced", "bounced", 0, 0),
        ("bounced", "bounced", 1, 0),
    ]
    assert all(event.reply == REFUSAL and event.attempt is None for event in events)


def test_every_recipient_bounces_at_once_and_nobody_is_told(tmp_path: Path) -> None:
    message = refused_message()

    async def story(day: Day) -> None:
        await day.enter(message)
        await all_failed(day, message)
        assert day.counters.values["events_total", "bounced"] == 2
        assert ("reports_total", "failed") not in day.counters.values
        assert day.scheduler.census.resident == 0

    run(tmp_path, story)

    async def next_day(day: Day) -> None:
        assert (day.report.messages, day.report.settled_recipients) == (0, 0)

    run(tmp_path, next_day)


async def told(day: Day, number: int) -> list[Message]:
    """Return the reports that wait for delivery, once there are *number* of them."""
    async with asyncio.timeout(PATIENCE_S):
        while len(reports := [each for each in await day.waiting() if not each.reverse_path]) < number:
            pass
    return reports


def logged_in(message: Message, sender: str = "shop@out.example", refusal: Reply = REFUSAL) -> Message:
    return msgspec.structs.replace(
        message, id=new_id(message.received_at), is_vouched=True, reverse_path=sender, refusal=refusal
    )


def test_who_logged_in_hears_of_a_mistake_once_an_hour_and_of_another_one_at_once(tmp_path: Path) -> None:
    longer = Reply(550, "5.6.0", "X-PM-Tag may have 1000 characters, not 1002 (Postmark error 300)")
    other = Reply(550, "5.6.0", "X-PM-TrackLinks must be None, not 'perhaps' (Postmark error 300)")

    async def story(day: Day) -> None:
        day.scheduler.drain()  # nothing is tried
        for refusal in (REFUSAL, longer, other):
            message = logged_in(refused_message(), refusal=refusal)
            await day.enter(message)
            await day.bounced(message)
        reports = await told(day, 2)
        assert [report.recipients[0].address for report in reports] == ["shop@out.example"] * 2
        first = await day.spool.load_body(reports[0])
        assert b"X-PM-Tag may have 1000 characters, not 1001" in first
        assert b"of more of it within the hour there is no other report" in b" ".join(first.split())
        assert first.count(b"Action: failed") == 2  # both recipients in one report
        elsewhere = logged_in(refused_message(), "other@out.example")
        await day.enter(elsewhere)
        assert len(await told(day, 3)) == 3

    run(tmp_path, story)


@pytest.mark.parametrize("sender", ["", "stranger@victim.example"])
def test_nobody_else_is_told(tmp_path: Path, sender: str) -> None:
    """The null sender never; nor an address that only stands in the mail of somebody who did not log in."""
    message = msgspec.structs.replace(refused_message(), reverse_path=sender, is_vouched=not sender)

    async def story(day: Day) -> None:
        await day.enter(message)
        await all_failed(day, message)
        assert ("reports_total", "failed") not in day.counters.values

    run(tmp_path, story)


def test_a_mistake_is_news_again_after_an_hour() -> None:
    mistakes, message = Mistakes(), logged_in(refused_message())
    assert mistakes.is_news(message, 0.0)
    assert mistakes.is_news(message, 1.0)  # its other recipient
    assert not mistakes.is_news(logged_in(message), 2.0)
    assert not mistakes.is_news(logged_in(message), AGAIN_S - 1)
    assert mistakes.is_news(logged_in(message), AGAIN_S)


def test_so_many_senders_are_remembered_and_no_more() -> None:
    mistakes, message = Mistakes(), refused_message()
    for number in range(MOST_KNOWN + 1):
        assert mistakes.is_news(logged_in(message, f"s{number}@out.example"), 1.0)
    assert mistakes.is_news(logged_in(message, "s0@out.example"), 1.0)
    assert not mistakes.is_news(logged_in(message, f"s{MOST_KNOWN}@out.example"), 1.0)


def test_a_start_after_a_crash_does_it(tmp_path: Path) -> None:
    message = refused_message()
    accept_and_vanish(tmp_path, message)

    async def story(day: Day) -> None:
        assert day.report.recipients == 2
        await all_failed(day, message)
        assert day.scheduler.census.resident == 0

    run(tmp_path, story)


def test_so_does_one_with_no_room_in_memory(tmp_path: Path) -> None:
    message = refused_message()
    accept_and_vanish(tmp_path, message)

    async def story(day: Day) -> None:
        assert (day.report.recipients, day.report.settled_recipients) == (2, 0)
        await all_failed(day, message)

    run(tmp_path, story, replace(SMALL, max_resident=0))


def test_so_it_goes_when_it_was_settled_meanwhile(tmp_path: Path) -> None:
    """The journal may have to let go of anything; what comes back by pages is not attempted either."""
    message = refused_message()
    accept_and_vanish(tmp_path, message)

    async def settle(spool: Partition) -> None:
        _, recipients = spool.recover()
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        spool.settle(recipients, done.set_result)
        assert await done is None

    with_spool(tmp_path, settle)

    async def story(day: Day) -> None:
        assert day.report.settled_recipients == 2
        await all_failed(day, message)

    run(tmp_path, story, config='Routes = ( "smtp://127.0.0.1?port=9" )')


def test_other_mail_beside_it_goes_its_way(tmp_path: Path) -> None:
    refused, other = refused_message(), make_message("c.example")

    async def story(day: Day) -> None:
        day.scheduler.drain()  # nothing is tried
        await day.enter(other)
        await day.enter(refused)
        await all_failed(day, refused)
        assert await day.spool.history(other.id) == (other, [])

    run(tmp_path, story)


@pytest.mark.parametrize("domain", ["a.example", "b.example"])
def test_it_waits_in_no_queue(tmp_path: Path, domain: str) -> None:
    message = refused_message()

    async def story(day: Day) -> None:
        await day.enter(message)
        assert day.scheduler.census.queues == 0
        assert message.recipients[0] == ForwardPath(address="r0@a.example", domain="a.example")
        assert QueueKey("default", domain) not in {flow.queue for flow in day.spool.flows()}

    run(tmp_path, story)


def test_an_export_says_that_it_is_not_to_be_sent(tmp_path: Path) -> None:
    message = refused_message()
    accept_and_vanish(tmp_path, message)
    export_eml(tmp_path, tmp_path / "out")
    (envelope,) = (tmp_path / "out").glob("*.json")
    assert json.loads(envelope.read_text())["refusal"] == str(REFUSAL)
    with open(tmp_path / "mbox", "wb") as out:
        export_mbox(tmp_path, out)
    assert f"X-Angarium-Refusal: {REFUSAL}".encode() in (tmp_path / "mbox").read_bytes()
