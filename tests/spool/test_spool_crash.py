"""The spool's promises, with its disk failing at every call of a day. The matrix itself ships in `testing.crash`."""

import asyncio
import contextlib
from functools import partial

import pytest

from angarium.core.ids import new_id
from angarium.core.records import Fact
from angarium.spool.embedded import open_partition
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.port import SpoolError
from angarium.testing.crash import run_crash_matrix
from angarium.testing.disk import FAILURES, FailingDisk
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import SMALL, SpoolDriver, make_message


def no_progress(done, runs):
    """Say nothing."""


@pytest.mark.slow
def test_the_promises_hold_when_the_disk_fails_at_every_thirteenth_call_in_every_way(tmp_path):
    report = run_crash_matrix(no_progress, tmp_path, every=13)
    assert report.broken == []
    assert report.runs >= 50


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 100_000, 200_001])
def test_the_promises_hold_when_the_disk_fails_at_any_call_in_every_way(tmp_path, seed):
    report = run_crash_matrix(no_progress, tmp_path, seed=seed)
    assert report.broken == []


@pytest.mark.parametrize("seed", range(8))
def test_a_power_cut_right_after_the_first_250_of_all_leaves_the_folders_that_the_message_is_in(
    tmp_path, seed
):
    path, disk = tmp_path / "p0", FailingDisk(seed=seed)

    async def run(disk, story):
        spool = open_partition(path, asyncio.get_running_loop(), SMALL, disk)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await story(spool, spool.recover()[1])
        finally:
            await spool.close()

    async def first_day(spool, _):
        driver = SpoolDriver(spool)
        assert await driver.accept(message, b"x") is None
        assert await driver.accept(large, await driver.large(large, [b"y" * 100])) is None
        disk.cut_power()

    async def next_day(spool, recovered):
        assert {each.message.id for each in recovered} == {message.id, large.id}
        assert await SpoolDriver(spool).body(large) == b"y" * 100

    message, large = make_message(), make_message(size=100)
    asyncio.run(run(disk, first_day))
    disk.release()
    asyncio.run(run(None, next_day))


@pytest.mark.parametrize("failure", FAILURES)
def test_a_fact_that_is_said_to_be_durable_is_there_whatever_the_disk_does(tmp_path, failure):
    """As of somebody who unsubscribes: told is kept; what is not kept is told so."""
    for at in range(1, 25):
        path, disk = tmp_path / f"{failure}-{at}", FailingDisk(failure, at, seed=at)
        facts = [Fact(kind="unsubscribe", id=new_id(1e9 + at), at=1e9) for _ in range(3)]
        kept = asyncio.run(noted(path, disk, facts))
        disk.cut_power()
        disk.release()
        has_journal = (path / "journal").exists()
        found = {fact.id for _, fact in FileJournalReader(path).facts()} if has_journal else set()
        assert kept <= found, f"{failure} at call {at}"


async def noted(path, disk, facts):
    """Return the ids of those facts that were said to be durable before the disk died."""
    dead, kept = asyncio.Event(), set()
    loop = asyncio.get_running_loop()
    disk.on_death = partial(loop.call_soon_threadsafe, dead.set)
    try:
        spool = open_partition(path, loop, SMALL, disk)
        spool.recover()
    except (SpoolError, OSError):
        return kept
    for fact in facts:
        answer = loop.create_future()
        spool.note([fact], answer.set_result)
        died = asyncio.ensure_future(dead.wait())
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([answer, died], return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if answer.done() and answer.result() is None:
            kept.add(fact.id)
    with contextlib.suppress(SpoolError, OSError):
        await spool.close()
    return kept
