"""The spool's promises, with its disk failing at every call of a day. The matrix itself ships in `testing.crash`."""

import asyncio

import pytest

from angarium.spool.embedded import open_partition
from angarium.testing.crash import run_crash_matrix
from angarium.testing.disk import FailingDisk
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
