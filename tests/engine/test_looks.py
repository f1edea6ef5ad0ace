"""What an operator is shown of mail that waits: each recipient under its own cause, also of what settled long ago."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from angarium.config.load import parse_config
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.operations import QueuesArgs, RecipientsArgs
from angarium.core.records import Attempt, Recipient, Stage
from angarium.core.reply import Reply
from angarium.engine.engine import Engine
from angarium.spool.embedded import open_partition
from angarium.spool.port import Selection, SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.testing.clock import ManualClock
from angarium.testing.engine import NoWay, engine_on
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, SpoolDriver, make_message

SETTINGS = replace(SpoolSettings(), segment_bytes=4 << 20, min_free_bytes=0)
AT = NOW + 1000
GREYLISTED = Reply(451, "4.7.1", "greylisted")
FULL = Reply(452, "4.2.2", "mailbox full")
REFUSED = Reply(451, "4.4.1", "[internal] cannot connect: connection refused")
LOST = Reply(421, "4.4.2", "[internal] connection lost")


def play(folder: Path, story: Callable[[Engine, SpoolDriver, ManualClock], Awaitable[None]]) -> None:
    """Play *story* with an engine at the moment `AT` that sends nothing."""

    async def run() -> None:
        spool = open_partition(folder / "partition", asyncio.get_running_loop(), SETTINGS)
        spool.recover()
        log: Log = kept_log()
        config = parse_config("Max_Resident_Messages = 200")
        clock = ManualClock(AT)
        async with asyncio.timeout(PATIENCE_S):
            engine = await engine_on(spool, config, clock, log, Counters(), NoWay())
            await story(engine, SpoolDriver(spool), clock)
        await spool.close()

    asyncio.run(run())


async def put_off(
    driver: SpoolDriver,
    recipient: Recipient,
    reply: Reply,
    host: str,
    stage: Stage = "rcpt",
    due_s: float = 600,
) -> None:
    attempt = Attempt(started_at=AT - 9, stage=stage, host=host, peer="127.0.0.1:25")
    event = recipient.event(
        "delayed", AT - 9, "queued", due_at=AT + due_s, attempts=1, reply=reply, attempt=attempt
    )
    recipient.apply(event)
    assert await driver.record(event) is None


def test_stored_mail_is_under_the_cause_that_its_own_last_attempt_had(tmp_path: Path) -> None:
    async def story(engine: Engine, driver: SpoolDriver, clock: ManualClock) -> None:
        some = await driver.take(make_message(*["a.example"] * 9), b"body")
        for each in some[:4]:
            await put_off(driver, each, GREYLISTED, "mx1.a.example")
        await put_off(driver, some[4], FULL, "mx2.a.example", due_s=700)
        for each in some[5:7]:
            await put_off(driver, each, REFUSED, "mx1.a.example", "connect", due_s=500)
        await driver.tell(some[7], "held")
        lost = some[8].event("ambiguous", AT - 5, "held", attempts=1, reply=LOST)
        some[8].apply(lost)
        await driver.record(lost)
        await driver.settle(*some)
        [row] = await engine.operator.queues(QueuesArgs())
        told = [(each.kind, each.host, each.waiting) for each in row.held_by]
        assert told == [
            ("put_off", "mx1.a.example", 4),
            ("unreachable", "mx1.a.example", 2),
            ("held", "", 1),
            ("held_ambiguous", "", 1),
            ("put_off", "mx2.a.example", 1),
        ]
        greylisted = row.held_by[0]
        assert greylisted.text == "put off by mx1.a.example: 451 4.7.1 greylisted"
        assert (greylisted.since, greylisted.next_try, greylisted.last_try) == (AT - 9, AT + 600, AT + 600)
        assert row.delayed + row.held == sum(each.waiting for each in row.held_by) == 9

    play(tmp_path, story)


def test_mail_to_this_node_is_not_told_as_mail_that_an_operator_could_release(tmp_path: Path) -> None:
    async def story(engine: Engine, driver: SpoolDriver, clock: ManualClock) -> None:
        assert await driver.accept(make_message("a.example", fate="feedback"), b"body", settled=True) is None
        assert await engine.spool.count(Selection()) == 1
        [row] = await engine.operator.queues(QueuesArgs())
        assert [(each.kind, each.waiting) for each in row.held_by] == [("held_feedback", 1)]

    play(tmp_path, story)


def test_of_each_recipient_it_is_told_who_said_what_and_what_comes_next(tmp_path: Path) -> None:
    async def story(engine: Engine, driver: SpoolDriver, clock: ManualClock) -> None:
        greylisted, held = await driver.take(make_message("a.example", "a.example"), b"body")
        await put_off(driver, greylisted, GREYLISTED, "mx1.a.example")
        await driver.tell(held, "held")
        await driver.settle(greylisted, held)
        first, second = await engine.operator.recipients(RecipientsArgs(domain="a.example"))
        assert first.held_by is not None
        assert second.held_by is not None
        assert (first.last_host, first.last_reply, first.last_reply_at) == (
            "mx1.a.example",
            "451 4.7.1 greylisted",
            AT - 9,
        )
        assert (first.since, first.next_try, first.held_by.kind) == (AT - 9, AT + 600, "put_off")
        assert first.expires_at == greylisted.message.received_at + 5 * 86_400
        assert (second.next_try, second.held_by.kind, second.held_by.waiting) == (None, "held", 1)

    play(tmp_path, story)


def test_where_the_store_does_not_answer_the_queues_are_shown_without_its_word(tmp_path: Path) -> None:
    async def story(engine: Engine, driver: SpoolDriver, clock: ManualClock) -> None:
        some = await driver.take(make_message(*["a.example"] * 3), b"body")
        for each in some:
            await put_off(driver, each, GREYLISTED, "mx1.a.example")
        await driver.settle(*some)

        async def fails(*args: object) -> object:
            raise SpoolError("the disk is gone")

        engine.spool.look = engine.spool.last_events = fails  # type: ignore[assignment, method-assign]
        [row] = await engine.operator.queues(QueuesArgs())
        [reason] = row.held_by
        assert (reason.kind, reason.waiting, reason.reply) == ("put_off", 3, "")
        rows = await engine.operator.recipients(RecipientsArgs(domain="a.example"))
        assert [each.last_reply for each in rows] == ["451 4.7.1 greylisted"] * 3

    play(tmp_path, story)


def test_the_store_is_looked_at_again_only_after_a_multiple_of_the_time_that_took(tmp_path: Path) -> None:
    async def story(engine: Engine, driver: SpoolDriver, clock: ManualClock) -> None:
        [recipient] = await driver.take(make_message("a.example"), b"body")
        await put_off(driver, recipient, GREYLISTED, "mx1.a.example")
        await driver.settle(recipient)
        looked = []
        look = engine.spool.look

        async def slowly(*args: object) -> object:
            looked.append(clock.now())
            clock.at += 0.5
            return await look(*args)

        engine.spool.look = slowly  # type: ignore[assignment, method-assign]
        for _ in range(24):
            await engine.operator.queues(QueuesArgs())
            clock.at += 1.0
        assert looked == [AT, AT + 10.5, AT + 21.0]

    play(tmp_path, story)
