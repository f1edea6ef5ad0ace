"""The spool's threads outlive whatever the machine throws at them: once it ceases, all goes on without a restart."""

import asyncio
import errno
import sqlite3

import pytest

from angarium.core.records import Flow
from angarium.spool.disk import RealDisk
from angarium.spool.port import Selection, SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.testing.spool import NOW, make_message

SMALL = SpoolSettings(
    segment_bytes=32 << 10, journal_segments=8, history_segments=1, min_free_bytes=0, retry_delay_s=0.0
)


class Disk(RealDisk):
    """Raises what *bad* names for a call. With *blind*, the settled store cannot read after a commit that failed."""

    def __init__(self):
        self.bad = {}
        self.blind = False
        self.free = 1 << 40
        self.commit_failed = asyncio.Event()

    def _check(self, call):
        if call in self.bad:
            raise self.bad[call]

    def open(self, path, flags):
        self._check("open")
        return super().open(path, flags)

    def fallocate(self, fd, size_bytes):
        self._check("fallocate")
        super().fallocate(fd, size_bytes)

    def pwritev(self, fd, buffers, offset):
        self._check("pwritev")
        return super().pwritev(fd, buffers, offset)

    def free_bytes(self, path):
        return self.free

    def commit(self, database):
        if "commit" in self.bad:
            database.set_authorizer(self._allow)
            self.loop.call_soon_threadsafe(self.commit_failed.set)
        self._check("commit")
        super().commit(database)

    def _allow(self, action, *names):
        return sqlite3.SQLITE_DENY if self.blind and action == sqlite3.SQLITE_READ else sqlite3.SQLITE_OK


@pytest.fixture
def disk():
    return Disk()


@pytest.mark.parametrize("call", ["pwritev", "commit"])
def test_no_memory_for_a_moment_stops_neither_thread(play, disk, call):
    """Python and SQLite raise MemoryError, which is no error of the disk."""
    message = make_message()

    async def day(spool):
        (before,) = await spool.take(make_message(), b"before")
        disk.bad, disk.loop = {call: MemoryError()}, asyncio.get_running_loop()
        if call == "pwritev":
            assert isinstance(await spool.accept(make_message(), b"refused"), SpoolError)
        settled = asyncio.ensure_future(spool.settle(before))
        if call == "commit":
            await disk.commit_failed.wait()
        disk.bad = {}
        assert await settled is None
        assert await spool.accept(message, b"body") is None
        assert [r.key for r in await spool.spool.page(before.flow, NOW * 2, 1)] == [before.key]

    play(day, disk=disk, settings=SMALL)


def test_a_question_that_fails_unforeseen_is_answered_and_the_next_one_too(play):
    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"body")
        await spool.settle(recipient)
        with pytest.raises(SpoolError, match="did not answer"):
            await spool.spool.select(
                Selection(), (b"no id", 2**63), 1
            )  # more than an INTEGER of SQLite takes
        assert await spool.spool.count(Selection()) == 1

    play(day)


def test_flows_of_a_transaction_that_was_undone_are_forgotten_also_when_nothing_can_be_read_then(play, disk):
    """Rows of a flow that only memory knows would be counted, and paged, by nobody: not even after a restart."""
    first = [make_message("first.example"), make_message("first.example")]

    async def day(spool):
        (one,), (two,) = [await spool.take(message, b"body") for message in first]
        disk.bad, disk.blind = {"commit": sqlite3.OperationalError("disk I/O error")}, True
        disk.loop = asyncio.get_running_loop()
        settled = asyncio.ensure_future(spool.settle(one))
        await disk.commit_failed.wait()
        with pytest.raises(SpoolError):
            await spool.spool.page(one.flow, NOW * 2, 1)
        disk.bad, disk.blind = {}, False
        assert await settled is None
        await spool.settle(two)
        assert [summary.queued for summary in spool.spool.flows().values()] == [2]
        assert len(await spool.spool.page(one.flow, NOW * 2, 9)) == 2

    async def next_day(spool):
        assert {flow: summary.queued for flow, summary in spool.spool.flows().items()} == {
            Flow("default", "first.example", 0, "tenant"): 2
        }

    play(day, next_day, disk=disk)


def test_a_journal_that_cannot_be_written_for_long_takes_no_more_room_than_one_that_can(play, disk, tmp_path):
    """Each try begins a segment. Those in which nothing became durable are used again by the next."""
    journal = tmp_path / "partition" / "journal"

    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"body")
        disk.bad = {"pwritev": OSError(errno.EIO, "bad")}
        told = asyncio.ensure_future(spool.record(recipient.event("delayed", NOW, "queued")))
        for _ in range(SMALL.journal_segments):
            assert isinstance(await spool.accept(make_message(), b"refused"), SpoolError)
        assert len(list(journal.glob("*.seg"))) < SMALL.journal_segments
        disk.bad = {}
        assert await told is None
        assert await spool.accept(make_message(), b"body") is None

    async def next_day(spool):
        assert (spool.report.messages, spool.report.damaged) == (2, 0)

    play(day, next_day, settings=SMALL, disk=disk)


def test_the_spare_segment_is_kept_when_it_cannot_be_opened_for_a_moment(play, disk, tmp_path):
    """Renamed and then forgotten, it would share its number with the next one, and recovery take it for that."""

    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"body")
        disk.free = 0
        disk.bad = {"pwritev": OSError(errno.EIO, "bad"), "open": OSError(errno.EMFILE, "no descriptors")}
        told = asyncio.ensure_future(spool.record(recipient.event("delayed", NOW, "queued")))
        assert isinstance(await spool.accept(make_message(), b"refused"), SpoolError)
        disk.bad = {}
        assert await told is None
        disk.free = 1 << 40
        assert await spool.accept(make_message(), b"body") is None
        generations = [
            path.name.partition("-")[0] for path in (tmp_path / "partition" / "journal").glob("*.seg")
        ]
        assert sorted(set(generations)) == sorted(generations)

    play(day, settings=SMALL, disk=disk)
