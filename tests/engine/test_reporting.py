"""Reports to senders while the disk takes nothing, and settled mail that ends meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.config.load import parse_config
from angarium.config.model import Config
from angarium.core.metrics import Counters
from angarium.core.records import Event, Message, Recipient
from angarium.core.reply import Reply
from angarium.core.waiting import NOTHING_WAITS
from angarium.engine.expiry import Expiry
from angarium.engine.record import EventWriter, Recorder
from angarium.engine.reports.report import Report, build_report
from angarium.engine.reports.reporter import Reporter
from angarium.engine.view import ConfigView
from angarium.queue.commands import WriteEvents
from angarium.queue.retry import expires_at
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import Body, SpoolError, Then
from angarium.spool.settings import SpoolSettings
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of
from angarium.testing.spool import NOW, SpoolDriver, make_message

PATIENCE_S = 30


class Desk:
    """Where reports and expired mail are written down; a report is durable when the test says so."""

    def __init__(self, spool: Any, config: Config, now: float = NOW) -> None:
        self.log, clock = kept_log(), ManualClock(now)
        self.counters = Counters()
        view = ConfigView(config)
        writer = EventWriter(spool, self.log, self.counters, NOTHING_WAITS)
        reporter = Reporter(self.enter, view, spool, clock, self.log, self.counters)
        self.recorder = Recorder(view, writer, reporter, spool, clock)
        self.expiry = Expiry(view, spool, self.recorder, clock, self.log)
        self.waiting: list[tuple[Message, Then]] = []
        self._came = asyncio.Condition()

    def enter(self, message: Message, body: Body, then: Then) -> None:
        self.waiting.append((message, then))
        self._wake = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def entered(self, number: int) -> None:
        async with self._came:
            await self._came.wait_for(lambda: len(self.waiting) >= number)

    def answer(self, error: SpoolError | None = None) -> None:
        waiting, self.waiting = self.waiting, []
        for _, then in waiting:
            then(error)

    def record(self, command: WriteEvents) -> None:
        self.recorder.record(command)

    async def written(self) -> None:
        await self.recorder.written()


def bounce(recipient: Recipient) -> Event:
    return recipient.event("bounced", NOW, "bounced", reply=Reply(550, "5.1.1", "gone"))


def bounces(number: int) -> WriteEvents:
    return WriteEvents.of(
        [Recipient(make_message(), 0, "default", "to.example") for _ in range(number)], bounce
    )


class Disk:
    """A spool that notes what it is asked."""

    def __init__(self) -> None:
        self.loads = 0
        self.events: list[Event] = []

    async def load_body(self, message: Message) -> bytes:
        self.loads += 1
        return b"Subject: x\r\n\r\n"

    def expect(self, events: list[Event]) -> None:
        pass

    def record(self, events: list[Event], then: Then | None = None) -> None:
        self.events += events
        if then is not None:
            then(None)


def run(story: Awaitable[None]) -> None:
    async def scene() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story

    asyncio.run(scene())


def test_few_reports_have_their_text_in_memory_while_the_disk_takes_nothing() -> None:
    async def story() -> None:
        disk = Disk()
        desk = Desk(disk, parse_config(""))
        desk.record(bounces(100))
        await desk.entered(64)
        assert (disk.loads, desk.recorder.unreported, disk.events) == (64, 100, [])
        desk.answer()
        await desk.entered(36)
        desk.answer()
        await desk.written()
        assert (desk.recorder.unreported, len(disk.events)) == (0, 100)
        assert desk.counters.values["reports_total", "failed"] == 100

    run(story())


def test_a_report_that_cannot_be_written_leaves_its_recipient_to_the_next_start() -> None:
    async def story() -> None:
        disk = Disk()
        desk = Desk(disk, parse_config(""))
        desk.record(bounces(1))
        await desk.entered(1)
        desk.answer(SpoolError("the spool is closed"))
        await desk.written()
        assert (desk.recorder.unreported, disk.events, desk.waiting) == (0, [], [])

    run(story())


@pytest.mark.parametrize(("segment", "is_whole"), [(1 << 20, False), (4 << 20, True)])
def test_no_report_is_larger_than_the_journal_takes(segment: int, is_whole: bool) -> None:
    size = 1 << 20
    message = msgspec.structs.replace(make_message(size=size), ret="FULL", is_vouched=True)
    recipient = Recipient(message, 0, "default", "to.example")
    report = Report("failed", message, NOW, [(bounce(recipient), recipient)])
    body = b"Subject: x\r\n\r\n".ljust(size, b"x")
    _, text = build_report(report, body, parse_config(f"Spool_Segment_Size = {segment}"))
    assert (len(text) < segment, len(text) > size) == (True, is_whole)


# -- settled mail


def with_settled(
    folder: Path, number: int, story: Callable[[Partition, Desk], Awaitable[None]], config: str
) -> None:
    """Play *story* at a time when all of *number* settled recipients were to have expired."""

    async def day() -> None:
        before = parse_config("Message_Expiration = 1")
        options = before.outbound("default", "to.example")
        settings = SpoolSettings(min_free_bytes=0, expires_at=lambda each: expires_at(each, options))
        spool = open_partition(folder, asyncio.get_running_loop(), settings)
        try:
            spool.recover()
            driver = SpoolDriver(spool)
            taken = [await driver.take(make_message(received_at=NOW)) for _ in range(number)]
            await driver.settle(*(each for some in taken for each in some))
            async with asyncio.timeout(PATIENCE_S):
                await story(spool, Desk(spool, parse_config(config), NOW + 7200))
        finally:
            await spool.close()

    asyncio.run(day())


async def wait_for_round(desk: Desk) -> None:
    task = desk.expiry._round
    assert task is not None
    await task


def test_mail_that_has_more_time_by_now_does_not_hide_what_has_none(tmp_path: Path) -> None:
    async def story(spool: Partition, desk: Desk) -> None:
        late = make_message("late.example", received_at=NOW + 1)
        driver = SpoolDriver(spool)
        await driver.settle(*await driver.take(late))
        desk.expiry.sweep(0.0)
        await desk.entered(1)
        assert [message.recipients[0].address for message, _ in desk.waiting] == ["from@example.org"]
        desk.answer()
        await wait_for_round(desk)
        _, (event,) = await spool.history(late.id)
        assert event.type == "expired"

    longer = 'Domain "to.example" { Message_Expiration = 100000 }\nMessage_Expiration = 1'
    with_settled(tmp_path, 1000, story, longer)


def test_who_expires_while_the_disk_takes_no_report_is_reported_once(tmp_path: Path) -> None:
    async def story(spool: Partition, desk: Desk) -> None:
        desk.expiry.sweep(0.0)
        await desk.entered(3)
        found = [rows async for rows in spool.due_to_expire(NOW + 7200, 1000)]
        paged = await spool.page(next(iter(spool.flows())), NOW + 7200, 10)
        assert (found, paged) == ([], [])
        desk.answer()
        await wait_for_round(desk)
        assert desk.counters.values["reports_total", "failed"] == 3

    with_settled(tmp_path, 3, story, "Message_Expiration = 1")


def test_a_round_that_the_store_does_not_answer_is_spoken_of_and_tried_again() -> None:
    class Silent(Disk):
        async def due_to_expire(self, now: float, limit: int) -> AsyncIterator[list[Recipient]]:
            raise SpoolError("input/output error")
            yield []

    async def story() -> None:
        desk = Desk(Silent(), parse_config(""))
        for now in (0.0, 5.0):
            desk.expiry.sweep(now)
            await wait_for_round(desk)
        assert [record["event"] for record in records_of(desk.log)] == ["expiry", "expiry"]

    run(story())
