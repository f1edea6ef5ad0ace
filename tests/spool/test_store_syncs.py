"""The settled store syncs what only the journal needs to know once in a while, and the journal keeps it until then."""

import asyncio
from dataclasses import replace

import pytest

from angarium.spool.disk import RealDisk
from angarium.spool.port import Selection
from angarium.testing.disk import FailingDisk
from angarium.testing.spool import NOW, SMALL, make_message

SELDOM = replace(SMALL, store_sync_delay_s=3600.0, store_reserve_bytes=0, journal_segments=64)
LATER = NOW + 1_000_000


class Counting(RealDisk):
    """Counts transactions of the store, and those that were synced."""

    def __init__(self):
        self.commits = self.synced = 0

    def commit(self, database):
        self.commits += 1
        self.synced += database.execute("PRAGMA synchronous").fetchone()[0] == 2
        super().commit(database)


async def drain(spool, flow):
    """Deliver all that has settled of a flow, a page at a time."""
    while page := await spool.spool.page(flow, LATER, 5):
        for recipient in page:
            await spool.tell(recipient, "delivered")


def test_mail_that_is_drained_from_the_store_has_it_synced_once(play):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(30)]
        await spool.settle(*recipients)
        before = disk.synced, disk.commits
        await drain(spool, recipients[0].flow)
        assert await spool.spool.count(Selection()) == 0
        assert disk.commits - before[1] >= 12
        assert disk.synced == before[0]
        day.synced = disk.synced

    disk = Counting()
    play(day, settings=SELDOM, disk=disk)
    assert disk.synced == day.synced + 1  # at the end


def test_the_sync_comes_when_nothing_else_happens(play):
    class Told(Counting):
        synced_once = None

        def commit(self, database):
            before = self.synced
            super().commit(database)
            if self.synced > before and self.synced_once is not None:
                self.loop.call_soon_threadsafe(self.synced_once.set)

    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"x")
        await spool.settle(recipient)
        disk.loop, disk.synced_once = asyncio.get_running_loop(), asyncio.Event()
        await drain(spool, recipient.flow)
        await disk.synced_once.wait()

    disk = Told()
    play(day, settings=replace(SELDOM, store_sync_delay_s=0.01), disk=disk)


@pytest.mark.parametrize("seed", range(6))
def test_what_the_store_had_not_synced_when_the_power_was_cut_is_still_in_the_journal(play, seed):
    message, large = make_message("bulk.example"), make_message("bulk.example", size=5000)

    async def day(spool):
        recipients = await spool.take(message, b"x")
        recipients += await spool.take(large, await spool.large(large, [b"y" * 5000]))
        await spool.settle(*recipients)
        await drain(spool, recipients[0].flow)
        for _ in range(30):  # more than would stay if the segments were thought to be of no use
            (other,) = await spool.take(make_message(), b"z" * 8000)
            await spool.tell(other, "delivered")
        disk.cut_power()

    async def next_day(spool):
        assert spool.recovered == []
        assert await spool.spool.count(Selection()) == 0

    disk = FailingDisk(seed=seed)
    play(day, settings=SELDOM, disk=disk)
    disk.release()
    play(next_day, settings=SELDOM)
