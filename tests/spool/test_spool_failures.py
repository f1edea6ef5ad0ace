"""What the embedded engine does when the disk fails or fills: refuse, go on elsewhere, say so, lose nothing."""

import asyncio
import errno
import os
import shutil
from dataclasses import replace

import pytest

from angarium.core.records import Origin
from angarium.spool.disk import RealDisk
from angarium.spool.embedded import open_partition
from angarium.spool.port import Selection, SpoolError, SpoolFull
from angarium.testing.spool import NOW, SMALL, make_content, make_message

IMPATIENT = replace(SMALL, retry_delay_s=0.0)


class Disk(RealDisk):
    """Fails the calls named in *bad* and has *free* bytes, until told otherwise."""

    def __init__(self):
        self.bad = {}
        self.free = 1 << 40
        self.synced = 0

    def _check(self, call):
        if call in self.bad:
            raise OSError(self.bad[call], os.strerror(self.bad[call]))

    def pwritev(self, fd, buffers, offset):
        self._check("pwritev")
        return super().pwritev(fd, buffers, offset)

    def fdatasync(self, fd):
        self._check("fdatasync")
        self.synced += 1
        super().fdatasync(fd)

    def fallocate(self, fd, size_bytes):
        self._check("fallocate")
        super().fallocate(fd, size_bytes)

    def free_bytes(self, path):
        return self.free

    def commit(self, database):
        if "commit" in self.bad:
            self.loop.call_soon_threadsafe(self.failed_commit.set)
        self._check("commit")
        super().commit(database)


@pytest.fixture
def disk():
    return Disk()


def test_a_failed_sync_refuses_who_waits_and_goes_on_in_a_fresh_segment(play, disk):
    kept, refused, later = make_message(), make_message(), make_message()

    async def day(spool):
        assert await spool.accept(kept, b"kept") is None
        disk.bad = {"fdatasync": errno.EIO}
        answer = asyncio.ensure_future(spool.accept(refused, b"refused"))
        error = await answer
        assert isinstance(error, SpoolError)
        assert not isinstance(error, SpoolFull)
        disk.bad = {}
        assert await spool.accept(later, b"later") is None
        assert "could not be written" in spool.spool.status().unwell
        assert await spool.body(kept) == b"kept"

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [kept.id, later.id]

    play(day, next_day, settings=IMPATIENT, disk=disk)


@pytest.mark.parametrize("call", ["fdatasync", "pwritev"])
def test_a_failed_call_refuses_a_group_as_a_whole_and_its_content_with_it(play, disk, call):
    shared, later = make_content(bytes(3000)), make_content(b"later")

    def naming(content):
        return [(make_message(content=content.content.id), b"") for _ in range(3)]

    async def day(spool):
        large = await spool.large(shared.content, [bytes(3000)])
        disk.bad = {call: errno.EIO}
        assert isinstance(
            await spool.accept_all(*naming(shared), content=shared._replace(body=large)), SpoolError
        )
        disk.bad = {}
        day.path, day.later = large.path, naming(later)
        assert await spool.accept_all(*day.later, content=later) is None
        assert await spool.body(day.later[0][0]) == b"later"

    async def next_day(spool):
        assert [r.message for r in spool.recovered] == [message for message, _ in day.later]
        assert await spool.body(day.later[2][0]) == b"later"
        assert not day.path.exists()

    play(day, next_day, settings=IMPATIENT, disk=disk)


def test_events_of_a_failed_batch_are_written_again_in_order(play, disk):
    messages = [make_message() for _ in range(3)]

    async def day(spool):
        recipients = [(await spool.take(m, b"x"))[0] for m in messages]
        disk.bad = {"pwritev": errno.EIO}
        answers = [asyncio.ensure_future(spool.tell(r, "delivered")) for r in recipients[:2]]
        assert await spool.accept(make_message(), b"y") is not None
        assert not any(a.done() for a in answers)
        disk.bad = {}
        await asyncio.gather(*answers)

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[2].id]

    play(day, next_day, settings=IMPATIENT, disk=disk)


def test_the_status_tells_how_much_waits_for_the_disk(play, disk):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(5)]
        assert spool.spool.status().backlog == 0
        disk.bad = {"pwritev": errno.EIO}
        answers = [asyncio.ensure_future(spool.tell(r, "delivered")) for r in recipients]
        assert await spool.accept(make_message(), b"y") is not None
        assert spool.spool.status().backlog == 5
        disk.bad = {}
        await asyncio.gather(*answers)
        assert spool.spool.status().backlog == 0

    play(day, settings=IMPATIENT, disk=disk)


def test_the_status_tells_how_much_waits_for_the_settled_store(play, disk):
    async def day(spool):
        disk.loop, disk.failed_commit = asyncio.get_running_loop(), asyncio.Event()
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(5)]
        disk.bad = {"commit": errno.EIO}
        settled = asyncio.ensure_future(spool.settle(*recipients))
        await disk.failed_commit.wait()
        assert (spool.spool.status().backlog, spool.spool.status().settled_recipients) == (5, 5)
        disk.bad = {}
        await settled
        assert (spool.spool.status().backlog, spool.spool.status().settled_recipients) == (0, 5)

    play(day, settings=IMPATIENT, disk=disk)


def test_a_recipient_that_settles_is_counted_at_every_moment(play):
    """Nobody has it in memory from the call on."""

    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x"))[0] for _ in range(3)]
        status = spool.spool.status
        settled = asyncio.ensure_future(spool.settle(*recipients))
        counts = set()
        while not settled.done():
            await asyncio.sleep(0)
            counts.add(status().settled_recipients)
        assert counts == {3}
        (one, *_) = await spool.spool.page(recipients[0].flow, NOW * 2, 1)
        assert status().settled_recipients == 2
        spool.spool.settle([one])
        assert status().settled_recipients == 3
        assert await spool.accept(make_message("a.example", "b.example"), b"y", settled=True) is None
        assert status().settled_recipients == 5

    play(day, settings=IMPATIENT)


def test_a_bounce_message_outlives_a_failed_sync_like_the_event_of_its_cause(play, disk):
    async def day(spool):
        (cause,) = await spool.take(make_message(), b"x")
        disk.bad = {"fdatasync": errno.EIO}
        bounce = asyncio.ensure_future(spool.accept(make_message("from.example", origin=Origin()), b"bounce"))
        bounced = asyncio.ensure_future(spool.tell(cause, "bounced"))
        assert await spool.accept(make_message(), b"y") is not None
        disk.bad = {}
        assert await bounce is None
        await bounced

    async def next_day(spool):
        assert [r.domain for r in spool.recovered] == ["from.example"]

    play(day, next_day, settings=IMPATIENT, disk=disk)


def test_a_full_disk_is_answered_with_spool_full_outcomes_still_fit_and_it_recovers_by_itself(play, disk):
    async def day(spool):
        recipients = [(await spool.take(make_message(), b"x" * 6000))[0] for _ in range(4)]
        disk.free = 0
        disk.bad = {"fallocate": errno.ENOSPC}
        assert isinstance(await spool.accept(make_message(), b"x" * 9000), SpoolFull)
        for recipient in recipients:
            for _ in range(30):  # more than the segment in use has room for: the spare takes them
                await spool.tell(recipient, "queued")
            if recipient is not recipients[0]:
                await spool.tell(recipient, "delivered")
        assert isinstance(await spool.accept(make_message(), b"x"), SpoolFull)
        disk.free, disk.bad = 1 << 40, {}
        assert await spool.accept(make_message("late.example"), b"x" * 6000) is None

    async def next_day(spool):
        assert [(r.domain, r.seq) for r in spool.recovered] == [("to.example", 30), ("late.example", 0)]

    play(day, next_day, settings=IMPATIENT, disk=disk)


def test_too_little_free_space_refuses_before_anything_is_written(play, disk):
    async def day(spool):
        disk.free = 99
        error = await spool.accept(make_message(), b"x")
        assert isinstance(error, SpoolFull)
        assert isinstance(spool.spool.status().accepting, SpoolFull)
        writer = spool.spool.large_body(make_message().id)
        await writer.write(b"x" * 10)
        with pytest.raises(SpoolFull):
            await writer.finish()
        writer.discard()

    play(day, settings=replace(IMPATIENT, min_free_bytes=100), disk=disk)


def test_stragglers_do_not_hold_the_log_they_are_settled_and_the_scheduler_may_go_on_with_them(play):
    stragglers = [make_message("slow.example") for _ in range(3)]

    async def day(spool):
        slow = [(await spool.take(m, b"slow"))[0] for m in stragglers]
        for _ in range(80):
            (recipient,) = await spool.take(make_message(), b"x" * 8000)
            await spool.tell(recipient, "delivered")
            # In memory: leased. The answer comes when the store has what it was given: to outrun it is to be refused.
            assert await spool.spool.count(Selection()) == 0
        assert spool.spool.status().segments < IMPATIENT.journal_segments
        assert await spool.body(stragglers[0]) == b"slow"
        await spool.tell(slow[0], "delivered")
        await spool.tell(slow[1], "queued", due_at=NOW + 7)
        await spool.settle(slow[1])
        assert await spool.spool.count(Selection()) == 1

    async def next_day(spool):
        assert spool.report.settled_recipients == 2
        assert {r.seq for r in await spool.spool.select(Selection(), None, 9)} == {0, 1}

    play(day, next_day, settings=IMPATIENT)


def test_a_store_that_cannot_commit_loses_nothing_and_is_said_to_be_unwell(play, disk):
    message = make_message()

    async def day(spool):
        disk.loop, disk.failed_commit = asyncio.get_running_loop(), asyncio.Event()
        (recipient,) = await spool.take(message, b"body")
        disk.bad = {"commit": errno.EIO}
        settled = asyncio.ensure_future(spool.settle(recipient))
        await disk.failed_commit.wait()
        with pytest.raises(SpoolError):
            await spool.spool.page(recipient.flow, NOW, 1)
        assert "settled store" in spool.spool.status().unwell
        assert await spool.body(message) == b"body"
        disk.bad = {}
        assert await settled is None
        assert spool.spool.status().unwell == ""
        assert await spool.body(message) == b"body"

    play(day, settings=IMPATIENT, disk=disk)


def test_a_page_that_cannot_be_committed_leaves_its_mail_where_it_can_be_paged_again(play, disk):
    """Who is told that a flow is empty never asks for it again."""
    told = []

    async def day(spool):
        disk.loop, disk.failed_commit = asyncio.get_running_loop(), asyncio.Event()
        (recipient,) = await spool.take(make_message(), b"body")
        await spool.settle(recipient)
        before = dict(spool.spool.flows())
        spool.spool.on_flow(lambda flow, summary: told.append(summary.queued))
        disk.bad = {"commit": errno.ENOSPC}
        with pytest.raises(SpoolError):
            await spool.spool.page(recipient.flow, NOW * 2, 1)
        assert (spool.spool.flows(), told) == (before, [])
        disk.bad = {}
        assert [r.key for r in await spool.spool.page(recipient.flow, NOW * 2, 1)] == [recipient.key]
        assert (spool.spool.flows(), told, spool.spool.status().unwell) == ({}, [0], "")

    play(day, settings=IMPATIENT, disk=disk)


def test_concurrent_acceptors_share_a_sync(play, disk):
    async def day(spool):
        before = disk.synced
        answers = await asyncio.gather(*[spool.accept(make_message(), b"x" * 100) for _ in range(50)])
        assert answers == [None] * 50
        assert disk.synced - before <= 2

    play(day, settings=IMPATIENT, disk=disk)


def test_segments_are_used_again_and_bodies_over_the_budget_read_back(play, engine):
    async def day(spool):
        kept = []
        for n in range(40):
            message = make_message()
            (recipient,) = await spool.take(message, bytes([n]) * 8000)
            if n < 38:
                await spool.tell(recipient, "delivered")
            else:
                kept.append((message, bytes([n]) * 8000))
        for message, body in kept:
            assert await spool.body(message) == body
        assert len(list((engine.path / "journal").glob("*.seg"))) <= 5
        assert spool.spool.status().resident_bodies_bytes <= 8100

    play(day, settings=replace(IMPATIENT, resident_body_bytes=8100))


def test_more_than_memory_may_hold_is_settled_during_recovery(play):
    messages = [make_message() for _ in range(30)]

    async def day(spool):
        for message in messages:
            await spool.take(message, b"b")

    async def next_day(spool):
        assert len(spool.recovered) == 10
        assert spool.report.settled_recipients == 20
        assert await spool.body(messages[0]) == b"b"
        assert await spool.body(messages[-1]) == b"b"

    play(day, next_day, next_day, settings=replace(IMPATIENT, max_resident=10))


def test_a_damaged_record_is_set_aside_and_counted_and_the_others_live(play, engine):
    messages = [make_message() for _ in range(3)]

    async def day(spool):
        for message in messages:
            await spool.accept(message, b"the body of " + message.id)

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[0].id, messages[2].id]
        assert (spool.report.damaged, spool.report.torn_bytes) == (1, 0)
        (aside,) = (engine.path / "damaged").iterdir()
        assert b"body of" in aside.read_bytes()

    play(day, settings=IMPATIENT)
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[data.find(b"the body of " + messages[1].id)] ^= 1
    segment.write_bytes(data)
    play(next_day, next_day, settings=IMPATIENT)


def test_starts_that_are_cut_off_early_leave_no_segment_each(play, engine):
    """What the mark in shared memory says does not outlive a power cut; the seal of a new segment does."""
    journal = engine.path / "journal"

    async def day(spool):
        for _ in range(40):
            (recipient,) = await spool.take(make_message(), b"x" * 3000)
            await spool.tell(recipient, "delivered")

    async def cut_off(spool):
        assert spool.recovered == []
        sizes.append(len(list(journal.glob("*.seg"))))

    def cut_power():
        (engine.path / "durable").unlink()

    sizes: list[int] = []
    play(day)
    for _ in range(12):
        cut_power()
        play(cut_off)
    assert sizes[-1] == sizes[1]
    assert max(sizes) <= SMALL.journal_segments


def test_a_torn_last_write_is_dropped_and_counted(play, engine):
    messages = [make_message() for _ in range(2)]

    async def day(spool):
        for message in messages:
            await spool.accept(message, b"the body of " + message.id)

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[0].id]
        assert spool.report.torn_bytes > 100

    async def third_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[0].id]
        assert spool.report.torn_bytes == 0

    play(day, settings=IMPATIENT)
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = segment.read_bytes()
    segment.write_bytes(data[: data.find(b"the body of " + messages[1].id) + 3].ljust(len(data), b"\0"))
    (engine.path / "durable").unlink()  # it says that all was synced
    play(next_day, third_day, settings=IMPATIENT)


def test_damage_to_the_last_write_is_told_from_a_torn_one_when_it_had_been_synced(play, engine):
    messages = [make_message() for _ in range(2)]

    async def day(spool):
        for message in messages:
            await spool.accept(message, b"the body of " + message.id)

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[0].id]
        assert (spool.report.damaged, spool.report.torn_bytes) == (1, 0)
        (aside,) = (engine.path / "damaged").iterdir()
        assert b"the body of" in aside.read_bytes()

    play(day, settings=IMPATIENT)
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = segment.read_bytes()
    segment.write_bytes(data[: data.find(b"the body of " + messages[1].id) + 14].ljust(len(data), b"\0"))
    play(next_day, next_day, settings=IMPATIENT)


def test_a_start_reads_what_was_written_and_not_what_is_left_of_a_segments_earlier_use(play, engine):
    message = make_message()
    settings = replace(IMPATIENT, segment_bytes=8 << 20)

    class Counting(RealDisk):
        read = 0

        def pread(self, fd, size_bytes, offset):
            data = super().pread(fd, size_bytes, offset)
            self.read += len(data)
            return data

    async def day(spool):
        await spool.accept(message, b"body")

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [message.id]
        assert disk.read <= 4 << 20

    play(day, settings=settings)
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = segment.read_bytes()
    segment.write_bytes(data.rstrip(b"\0").ljust(len(data), b"x"))
    disk = Counting()
    play(next_day, settings=settings, disk=disk)


def test_what_a_copied_partition_holds_is_read_whatever_the_mark_of_its_original_said(play, engine, tmp_path):
    """The mark of a partition that was being written while it was copied may be older than its segments."""
    messages = [make_message() for _ in range(3)]

    async def day(spool):
        await spool.accept(messages[0], b"first")
        shutil.copy(engine.path / "durable", tmp_path / "older")
        for message in messages[1:]:
            await spool.accept(message, b"later")

    async def next_day(spool):
        assert [r.message.id for r in spool.recovered] == [messages[0].id, messages[2].id]
        assert spool.report.damaged == 1

    play(day, settings=IMPATIENT)
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[data.find(b"later")] ^= 1
    segment.write_bytes(data)
    (engine.path / "durable").unlink()
    shutil.move(tmp_path / "older", engine.path / "durable")
    play(next_day, settings=IMPATIENT)


def test_a_segment_that_cannot_be_read_stops_the_start(play, engine):
    class Unreadable(RealDisk):
        def pread(self, fd, size_bytes, offset):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def day(spool):
        await spool.accept(make_message(), b"x")

    play(day, settings=IMPATIENT)
    with pytest.raises(SpoolError, match="cannot be read"):
        play(day, settings=IMPATIENT, disk=Unreadable())


def test_a_partition_has_one_owner(play, engine):
    async def day(spool):
        with pytest.raises(SpoolError, match="in use by another process"):
            open_partition(engine.path, asyncio.get_running_loop())

    play(day, settings=IMPATIENT)
    play(day, settings=IMPATIENT)


def test_a_message_too_large_for_a_segment_is_refused(play):
    async def day(spool):
        error = await spool.accept(make_message(), b"x" * 40_000)
        assert "does not fit" in str(error)
        assert await spool.accept(make_message(), b"x" * 20_000) is None

    play(day, settings=IMPATIENT)
