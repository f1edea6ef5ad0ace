"""Reading a spool without its writer: beside it, and after it is gone; never changing anything."""

import asyncio
import json
import mailbox
from dataclasses import replace

import pytest

from angarium.core.ids import format_id
from angarium.spool.codec import position
from angarium.spool.disk import RealDisk
from angarium.spool.files.cursors import read_cursors
from angarium.spool.files.reader import FileJournalReader
from angarium.spool.offline.check import check_spool
from angarium.spool.offline.export import export_eml, export_mbox
from angarium.spool.port import SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.testing.spool import NOW, make_message

BODY = b"Subject: hello\r\n\r\nFrom the start\r\n>From here\r\nbye\r\n"


@pytest.fixture
def files(engine):
    """All files of the partition with their contents."""

    def read():
        return {
            p: p.read_bytes() for p in engine.path.rglob("*") if p.is_file() and not p.name.endswith("-shm")
        }

    return read


async def a_day(spool):
    """Leave one message live, one half settled, one large, and one finished."""
    spool.live, spool.half, spool.large_one, spool.done = (
        make_message("a.example"),
        make_message("b.example", "c.example"),
        make_message("d.example", size=3000),
        make_message("e.example"),
    )
    await spool.take(spool.live, BODY)
    half = await spool.take(spool.half, b"Subject: half\r\n\r\nx\r\n")
    await spool.settle(half[0])
    await spool.take(
        spool.large_one, await spool.large(spool.large_one, [b"Subject: large\r\n\r\n", b"y" * 3000])
    )
    (done,) = await spool.take(spool.done, b"done")
    await spool.tell(done, "delivered")
    return spool.live, spool.half, spool.large_one, spool.done


def test_a_reader_beside_the_writer_gets_every_durable_record_once_and_in_order(play, engine):
    async def day(spool):
        live, half, large, done = await a_day(spool)
        reader = FileJournalReader(engine.path)
        entries = list(reader.entries())
        assert [e.message.id for e in entries if e.message] == [live.id, half.id, large.id, done.id]
        assert [e.event.message for e in entries if e.event] == [done.id]
        assert [e.position for e in entries] == sorted(e.position for e in entries)
        last = entries[-1].position
        assert list(reader.entries(last)) == []
        await spool.take(make_message("more.example"), b"more")
        (entry,) = reader.entries(last)
        assert entry.message.recipients[0].domain == "more.example"

    play(day)
    assert len(list(FileJournalReader(engine.path).entries())) == 6


def test_a_reader_that_follows_opens_no_segment_while_nothing_is_written(play, engine, monkeypatch):
    async def day(spool):
        await spool.take(make_message("a.example"), b"x")
        reader = FileJournalReader(engine.path)
        (entry,) = reader.entries()
        with monkeypatch.context() as patched:
            patched.setattr("angarium.spool.files.reader.opened_log", lambda *_: pytest.fail("opened"))
            assert list(reader.entries(entry.position)) == []
        await spool.take(make_message("b.example"), b"y")
        (new,) = reader.entries(entry.position)
        assert new.message.recipients[0].domain == "b.example"
        assert len(list(reader.entries())) == 2  # from the beginning, all the same

    play(day)


def test_a_reader_beside_the_writer_reads_nothing_behind_what_is_durable(play, engine):
    """Behind it lies the rest of a segment, of megabytes, and whoever follows asks many times in a second."""

    class Disk(RealDisk):
        asked = 0

        def pread(self, fd, size_bytes, offset):
            self.asked += size_bytes
            return super().pread(fd, size_bytes, offset)

    async def day(spool):
        await spool.take(make_message("a.example"), b"x" * 1000)
        disk = Disk()
        reader = FileJournalReader(engine.path, disk)
        (entry,) = reader.entries()
        assert disk.asked < 100_000
        await spool.take(make_message("b.example"), b"y" * 1000)
        (new,) = reader.entries(entry.position)
        assert new.message.recipients[0].domain == "b.example"
        assert disk.asked < 200_000

    play(day)


def test_a_reader_does_not_see_what_is_not_durable_yet(play, engine):
    class Disk(RealDisk):
        tell = staticmethod(lambda: None)

        def pwritev(self, fd, buffers, offset):
            written = super().pwritev(fd, buffers, offset)
            self.tell()
            return written

    disk = Disk()

    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"x")
        loop, disk.written = asyncio.get_running_loop(), asyncio.Event()
        disk.tell = lambda: loop.call_soon_threadsafe(disk.written.set)
        spool.spool.record([recipient.event("delivered", NOW, "delivered")])
        await disk.written.wait()
        assert len(list(FileJournalReader(engine.path).entries())) == 1

    play(
        day, settings=replace(SpoolSettings(min_free_bytes=0), sync_delay_s=1000, write_delay_s=0), disk=disk
    )
    assert len(list(FileJournalReader(engine.path).entries())) == 2


def test_a_cursor_keeps_segments_until_the_consumer_has_read_them(play, engine):
    reader = FileJournalReader(engine.path)

    async def fill(spool):
        for _ in range(30):
            (recipient,) = await spool.take(make_message(), b"x" * 8000)
            await spool.tell(recipient, "delivered")

    async def day(spool):
        reader.commit("recorder", -1)
        await fill(spool)
        entries = list(reader.entries())
        assert len(entries) == 60
        reader.commit("recorder", entries[-1].position)
        assert read_cursors(engine.path / "cursors") == {"recorder": entries[-1].position}
        await fill(spool)
        assert len(list(reader.entries())) < 120
        assert len(list(reader.entries(entries[-1].position))) == 60
        assert entries[-1].position > position(5, 0)

    play(day)


def test_check_counts_and_finds_a_sound_spool_sound(play, engine, files):
    async def day(spool):
        await a_day(spool)
        (beside,) = check_spool(engine.path.parent)
        assert (beside.in_use, beside.live, beside.settled, beside.recipients) == (True, 2, 1, 4)

    play(day)
    before = files()
    (checked,) = check_spool(engine.path.parent)
    assert (checked.in_use, checked.live, checked.settled, checked.recipients) == (False, 2, 1, 4)
    assert (checked.large_bodies, checked.set_aside, checked.problems) == (1, 0, [])
    assert sum(s.messages for s in checked.segments) == 4
    assert files() == before


def test_check_names_what_is_wrong(play, engine):
    async def day(spool):
        await a_day(spool)
        day.large = spool.large_one.id

    play(day)
    (engine.path / "large" / format_id(day.large)).unlink()
    (segment,) = (engine.path / "journal").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[data.find(b"From the start")] ^= 1
    segment.write_bytes(data)
    database = bytearray((engine.path / "settled.db").read_bytes())
    (engine.path / "settled.db").write_bytes(database[:16384] + bytes(16384) + database[32768:])
    (checked,) = check_spool(engine.path)
    problems = "\n".join(checked.problems)
    assert f"{segment.name}: 1 damaged records" in problems
    assert "settled.db: " in problems


def test_there_must_be_a_spool(tmp_path):
    with pytest.raises(SpoolError, match="no spool partition"):
        check_spool(tmp_path)
    with pytest.raises(SpoolError, match="no spool partition"):
        export_eml(tmp_path, tmp_path / "out")


def test_export_as_mbox_can_be_read_back(play, engine, tmp_path, files):
    play(a_day)
    before = files()
    with open(tmp_path / "mbox", "wb") as out:
        exported = export_mbox(engine.path.parent, out)
    assert files() == before
    assert (exported.messages, exported.recipients, exported.failed) == (3, 4, [])
    found = {m["Subject"]: m for m in mailbox.mbox(tmp_path / "mbox")}
    assert set(found) == {"hello", "half", "large"}
    assert found["half"].get_all("X-Angarium-Recipient") == ["<r0@b.example>", "<r1@c.example>"]
    assert found["hello"]["X-Angarium-Return-Path"] == "<from@example.org>"
    text = (tmp_path / "mbox").read_bytes()
    assert b"\n>From the start\n>>From here\nbye\n" in text


def test_export_as_eml_gives_the_submitted_bytes_and_the_envelope_beside_them(play, engine, tmp_path):
    async def day(spool):
        day.live = (await a_day(spool))[0]
        assert export_eml(engine.path, tmp_path / "beside").messages == 3

    play(day)
    export_eml(engine.path, tmp_path / "eml")
    name = format_id(day.live.id)
    assert (tmp_path / "eml" / f"{name}.eml").read_bytes() == BODY
    envelope = json.loads((tmp_path / "eml" / f"{name}.json").read_bytes())
    assert (envelope["id"], envelope["recipients"]) == (name, ["r0@a.example"])
    assert len(list((tmp_path / "eml").iterdir())) == 6


def test_export_says_of_mail_what_it_was_taken_for(play, engine, tmp_path):
    feedback = make_message("bounces.example", fate="feedback")

    async def day(spool):
        await spool.accept(feedback, BODY, settled=True)
        await spool.take(make_message("a.example"), BODY)

    play(day)
    with open(tmp_path / "mbox", "wb") as out:
        export_mbox(engine.path, out)
    fates = [m["X-Angarium-Fate"] for m in mailbox.mbox(tmp_path / "mbox")]
    assert sorted(fates, key=str) == [None, "feedback"]
    export_eml(engine.path, tmp_path)
    envelope = json.loads((tmp_path / f"{format_id(feedback.id)}.json").read_bytes())
    assert (envelope["fate"], envelope["recipients"]) == ("feedback", ["r0@bounces.example"])


def test_export_leaves_out_what_has_ended_but_is_not_applied_to_the_store_yet(play, engine, tmp_path):
    async def day(spool):
        (recipient,) = await spool.take(make_message(), b"x")
        await spool.settle(recipient)
        (selected,) = await spool.spool.page(recipient.flow, NOW * 2, 1)
        await spool.tell(selected, "delivered")
        assert export_eml(engine.path, tmp_path / "out").messages == 0

    play(day, settings=replace(SpoolSettings(min_free_bytes=0), settle_delay_s=1000))
