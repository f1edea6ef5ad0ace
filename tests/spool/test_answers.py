"""Answers to requests with a key: in the journal together with their mail, until they are kept elsewhere."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from angarium.core.records import KeyedAnswer
from angarium.spool.embedded import open_partition
from angarium.spool.port import SpoolError
from angarium.testing.disk import FAILURES, FailingDisk
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, SMALL, SpoolDriver, make_message, recipients_of

SETTINGS = replace(SMALL, segment_bytes=16 << 10)


def an_answer(number: int) -> KeyedAnswer:
    key = number.to_bytes(32, "big")
    return KeyedAnswer(key=key, digest=key, status=202, media_type="a/b", body=b"{}", until=NOW + 1e6)


def live(path, story, disk=None):
    """Have *story* use the partition at *path* for a day."""

    async def run():
        spool = open_partition(path, asyncio.get_running_loop(), SETTINGS, disk)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await story(spool, spool.recover()[1])
        finally:
            await spool.close()

    return asyncio.run(run())


def test_an_answer_is_told_of_when_it_is_durable_and_again_after_a_restart_until_it_is_kept(tmp_path):
    told = []

    async def day(spool, _):
        spool.on_answer(lambda answer, kept: told.append((answer, kept)))
        assert await SpoolDriver(spool).accept_all((make_message(), b"x"), keyed=an_answer(1)) is None
        assert [answer for answer, _ in told] == [an_answer(1)]

    async def next_day(spool, recovered):
        assert len(recovered) == 1
        told.clear()
        spool.on_answer(lambda answer, kept: told.append((answer, kept)))
        assert [answer for answer, _ in told] == [an_answer(1)]

    live(tmp_path / "p", day)
    live(tmp_path / "p", next_day)
    live(tmp_path / "p", next_day)


async def mail_that_ends(spool, count):
    """Have mail come and go, of half a segment each."""
    driver = SpoolDriver(spool)
    for _ in range(count):
        message = make_message(size=8000)
        assert await driver.accept(message, b"y" * 8000) is None
        for recipient in recipients_of(message):
            await driver.tell(recipient, "delivered")


def test_an_answer_holds_its_segment_until_it_is_kept(tmp_path):
    told = []

    async def day(spool, _):
        spool.on_answer(lambda answer, kept: told.append(kept))
        message = make_message()
        assert await SpoolDriver(spool).accept_all((message, b"x"), keyed=an_answer(1)) is None
        await SpoolDriver(spool).tell(*recipients_of(message), "delivered")
        await mail_that_ends(spool, 5)
        before = spool.status().segments
        told.pop()()
        await mail_that_ends(spool, 1)
        return before, spool.status().segments

    before, after = live(tmp_path / "p", day)
    assert before >= 4
    assert after <= 2


def test_what_is_never_kept_elsewhere_keeps_no_mail_out_and_stays(tmp_path):
    told = []

    async def day(spool, _):
        spool.on_answer(lambda answer, kept: told.append(answer))
        assert await SpoolDriver(spool).accept_all((make_message(), b"x"), keyed=an_answer(1)) is None
        await mail_that_ends(spool, 60)

    async def next_day(spool, _):
        spool.on_answer(lambda answer, kept: told.append(answer))
        await mail_that_ends(spool, 20)

    live(tmp_path / "p", day)
    live(tmp_path / "p", next_day)
    assert told == [an_answer(1), an_answer(1)]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_message_is_never_there_without_its_answer_nor_that_without_it(tmp_path, failure):
    """Whatever the disk does: what was answered is there, and a crash does not come between the two."""
    for at in range(1, 26, 3):
        path, disk = tmp_path / f"{failure}-{at}", FailingDisk(failure, at, seed=at)
        messages = [make_message() for _ in range(3)]
        said: set[int] = set()

        async def day(spool, _, messages=messages, said=said):
            for number, message in enumerate(messages):
                if await SpoolDriver(spool).accept_all((message, b"x"), keyed=an_answer(number)) is None:
                    said.add(number)

        with suppress(SpoolError, OSError):
            live(path, day, disk)
        disk.cut_power()
        disk.release()

        async def next_day(spool, recovered):
            answers = []
            spool.on_answer(lambda answer, kept: answers.append(int.from_bytes(answer.key, "big")))
            return {each.message.id for each in recovered}, set(answers)

        found, answers = live(path, next_day)
        numbers = {number for number, message in enumerate(messages) if message.id in found}
        assert numbers == answers, f"{failure} at call {at}"
        assert said <= answers, f"{failure} at call {at}"
