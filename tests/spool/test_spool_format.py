"""A spool of format 1 is read and drained, whatever breaks while it is taken over; and what is newer is passed over."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from zlib import crc32

import pytest

from angarium.core.ids import format_id
from angarium.core.records import Fact, KeyedAnswer, reception_of
from angarium.spool.codec import KINDS, VERSION, Image, frame
from angarium.spool.disk import RealDisk
from angarium.spool.embedded import open_partition
from angarium.spool.files.reader import FileJournalReader, opened_log
from angarium.spool.offline.check import check_partition
from angarium.spool.offline.export import export_eml
from angarium.spool.port import LargeBody, Selection, SpoolError
from angarium.testing.disk import FAILURES, FailingDisk
from angarium.testing.spool import NOW, SMALL, SpoolDriver, make_content, make_message, recipients_of

FORMAT_1 = Path(__file__).parent / "format_1" / "spool.tar.gz"

NEWER = 99
"""A kind of record that this program does not know."""


@pytest.fixture
def old(tmp_path):
    """A spool of format 1 that was killed, and what must be found in it."""
    return unpacked(tmp_path / "old")


def unpacked(folder):
    with tarfile.open(FORMAT_1) as archive:
        archive.extractall(folder, filter="data")
    return folder / "p0", json.loads((folder / "expected.json").read_text())


async def found_in(partition, recovered):
    """Return what a recovered partition has, in the words of `expected.json`."""
    found = {}
    for r in recovered + await partition.select(Selection(), None, 1000):
        entry = found.setdefault(r.message.id.hex(), {"recipients": {}, "fate": r.message.fate})
        body = await partition.load_body(r.message)
        text = body.path.read_bytes() if isinstance(body, LargeBody) else body
        entry["body"] = hashlib.sha256(text).hexdigest()
        entry["sender"] = r.message.reverse_path
        assert str(r.index) not in entry["recipients"]
        entry["recipients"][str(r.index)] = {
            "address": r.path.address,
            "state": r.state,
            "seq": r.seq,
            "attempts": r.attempts,
            "due_at": r.due_at,
        }
    return found


def taken_over(path, disk=None, story=None):
    """Start on a spool, look, and stop; return what was found."""

    async def run():
        partition = open_partition(path, asyncio.get_running_loop(), SMALL, disk)
        try:
            report, recovered = partition.recover()
            found = await found_in(partition, recovered) if disk is None else {}
            if story is not None:
                await story(SpoolDriver(partition), recovered)
            return report, found
        finally:
            await partition.close()

    return asyncio.run(run())


def expected_of(messages):
    return {
        message_id: {key: value for key, value in entry.items() if key != "settled"}
        for message_id, entry in messages.items()
    }


def test_a_spool_of_format_1_is_taken_over_with_all_that_is_in_it(old):
    path, messages = old
    report, found = taken_over(path)
    assert found == expected_of(messages)
    assert (report.damaged, report.unknown) == (0, 0)
    assert taken_over(path)[1] == expected_of(messages)


def test_a_spool_of_format_1_is_checked_and_exported_as_it_is(old, tmp_path):
    path, messages = old
    checked = check_partition(path)
    assert checked.problems == []
    assert checked.live + checked.settled == len(messages)
    assert checked.recipients == sum(len(entry["recipients"]) for entry in messages.values())
    assert export_eml(path, tmp_path / "out").failed == []
    for message_id, entry in messages.items():
        text = (tmp_path / "out" / f"{message_id}.eml").read_bytes()
        assert hashlib.sha256(text).hexdigest() == entry["body"]
        envelope = json.loads((tmp_path / "out" / f"{message_id}.json").read_bytes())
        assert envelope["fate"] == entry["fate"]


def test_a_spool_of_format_1_is_drained(old):
    path, _ = old

    async def drain(driver, recovered):
        for flow in list(driver.spool.flows()):
            recovered += await driver.spool.page(flow, 5e9, 1000)
        recovered += await driver.spool.select(Selection(), None, 1000)
        for recipient in recovered:
            await driver.tell(recipient, "delivered")
        assert await driver.spool.count(Selection()) == 0

    taken_over(path, story=drain)
    assert taken_over(path)[1] == {}
    assert not list((path / "large").iterdir())


@pytest.mark.slow
def test_whatever_fails_while_a_spool_is_taken_over_it_is_whole_at_the_next_start(tmp_path):
    archive, messages = unpacked(tmp_path / "old")
    calls = taken_over_brokenly(shutil.copytree(archive, tmp_path / "whole"), FailingDisk())
    assert calls > 10
    for failure in FAILURES:
        for at in range(1, calls + 1):
            path = shutil.copytree(archive, tmp_path / f"{failure}-{at}")
            taken_over_brokenly(path, FailingDisk(failure, at, seed=at))
            assert taken_over(path)[1] == expected_of(messages), f"{failure} at call {at}"
            shutil.rmtree(path)


def taken_over_brokenly(path, disk):
    """Start on a spool with a disk that fails; return how many calls it took."""
    try:
        taken_over(path, disk)
    except (SpoolError, OSError):
        pass
    if disk.dead and disk.failure == "power":
        disk.cut_power()
    disk.release()
    return disk.calls


TAKE_OVER = """
import asyncio, sys
from pathlib import Path
from angarium.spool.embedded import open_partition
from angarium.testing.spool import SMALL, SpoolDriver, make_message

async def run():
    partition = open_partition(Path(sys.argv[1]), asyncio.get_running_loop(), SMALL)
    print("opened", flush=True)
    partition.recover()
    print("recovered", flush=True)
    await SpoolDriver(partition).accept(make_message("new.example"), b"x")
    print("accepted", flush=True)
    sys.stdin.read()

asyncio.run(run())
"""


@pytest.mark.process
@pytest.mark.parametrize("word", ["", "opened", "recovered", "accepted"])
def test_a_process_killed_while_it_takes_a_spool_over_loses_nothing(old, word):
    path, messages = old
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", TAKE_OVER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        while word and child.stdout.readline().strip() != word:
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdin.close()
        child.stdout.close()
    found = {key: entry for key, entry in taken_over(path)[1].items() if key in messages}
    assert found == expected_of(messages)


# -- what is newer, and what is beside mail


def newest_segment(path):
    """Return the segment written last, its salt and generation, and where its records end."""
    with opened_log(path, RealDisk()) as (log, _):
        segment = log.from_generation(0)[-1]
        *_, end = log.scan_of(segment).read(0, None)
        return segment.path, segment.generation, segment.salt, end.offset


def append(path, kind, *, version=VERSION):
    """Write a record behind what is there, as another program would."""
    file, generation, salt, offset = newest_segment(path)
    head = bytearray(frame(kind, 0, b"\x90", b"", generation, salt, offset, offset))
    if version != VERSION:
        head = bytearray(with_version(bytes(head), version, salt, offset))
    with open(file, "r+b") as segment:
        segment.seek(offset)
        segment.write(bytes(head) + b"\x90")


def with_version(head, version, salt, offset):
    start = head[:25] + bytes((version,)) + head[26:28]
    return start + crc32(start, (salt + offset) & 0xFFFFFFFF).to_bytes(4, "little")


def test_records_of_unknown_kinds_are_passed_over_and_counted(play, engine):
    messages = [make_message() for _ in range(2)]

    async def day(spool):
        await spool.take(messages[0], b"x")

    async def next_day(spool):
        assert spool.report.unknown == 2
        assert [r.message.id for r in spool.recovered] == [messages[0].id]
        await spool.take(messages[1], b"x")

    play(day)
    append(engine.path, NEWER)
    append(engine.path, NEWER)
    assert sum(segment.unknown for segment in check_partition(engine.path).segments) == 2
    assert len(list(FileJournalReader(engine.path).entries())) == 1
    play(next_day)


def test_a_newer_version_of_a_record_is_not_guessed_at(play, engine):
    async def day(spool):
        await spool.take(make_message(), b"x")

    play(day)
    append(engine.path, 1, version=VERSION + 1)
    with pytest.raises(SpoolError, match="has format 3, which a newer Angarium has written"):
        play(day)


def test_a_writer_writes_no_other_kinds_than_it_can_read(play, engine):
    shared = make_content(b"body")

    async def day(spool):
        named = make_message(content=shared.content.id)
        key = b"k" * 32
        keyed = KeyedAnswer(
            key=key, digest=key, status=202, media_type="a/b", body=b"{}", until=named.received_at
        )
        together = ((named, b""), (make_message(), b""))
        assert await spool.accept_all(*together, content=shared, keyed=keyed) is None
        spool.spool.note([a_fact()])
        (recipient,) = await spool.take(make_message(), b"x")
        await spool.tell(recipient, "delivered")

    play(day)
    file, generation, salt, end = newest_segment(engine.path)
    image, offset, kinds = Image(file.read_bytes(), generation, salt), 0, []
    while offset < end:
        record = image.record_at(offset)
        kinds.append(record.kind)
        assert record.version == VERSION
        offset = record.end
    assert set(kinds) == KINDS


def a_fact(**fields):
    return Fact(kind="refusal", id=os.urandom(16), at=NOW, fields=fields)


def test_facts_are_read_beside_the_receptions_that_messages_tell_and_survive_a_restart(play, engine):
    fact, message = a_fact(peer="192.0.2.1"), make_message(size=3)

    async def day(spool):
        spool.spool.note([fact])
        (recipient,) = await spool.take(message, b"abc")
        await spool.tell(recipient, "delivered")

    async def next_day(spool):
        assert spool.recovered == []
        assert spool.report.unknown == 0

    def facts():
        return [found for _, found in FileJournalReader(engine.path).facts()]

    play(day)
    assert facts() == [fact, reception_of(message)]
    assert sum(segment.facts for segment in check_partition(engine.path).segments) == 1
    play(next_day)
    assert facts() == [fact, reception_of(message)]


def test_check_and_export_find_contents_in_journal_and_store(play, engine, tmp_path):
    shared = make_content(b"Subject: shared\r\n\r\n")
    live, settled = (make_message(content=shared.content.id, size=19) for _ in range(2))

    async def day(spool):
        assert await spool.accept_all((live, b"1"), (settled, b"2"), content=shared) is None
        await spool.settle(*recipients_of(settled))
        look()

    def look():
        assert check_partition(engine.path).problems == []
        exported = export_eml(engine.path, tmp_path / "out")
        assert (exported.messages, exported.failed) == (2, [])
        for message in (live, settled):
            assert (tmp_path / "out" / f"{format_id(message.id)}.eml").read_bytes() == shared.body

    play(day)
    look()
