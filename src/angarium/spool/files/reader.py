"""Reading a partition without its writer: beside a running node, and after a crash. Nothing is changed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from angarium.core.ids import MessageId, format_id
from angarium.core.records import Fact, reception_of
from angarium.spool.codec import (
    ACCEPT,
    CONTENT,
    EVENT,
    FACT,
    LARGE,
    MAX_OFFSET,
    VERSION,
    Record,
    decode_content,
    decode_event,
    decode_fact,
    decode_message,
    position,
)
from angarium.spool.disk import Disk, RealDisk
from angarium.spool.files.cursors import write_cursor
from angarium.spool.files.durable import read_mark
from angarium.spool.files.large import UNREAD
from angarium.spool.files.segment import SegmentLog
from angarium.spool.port import HEAD_BYTES, TO_US_BYTES, JournalEntry, NewerFormat
from angarium.spool.settings import SpoolSettings

EVERYTHING = 1 << 63


class FileJournalReader:
    """Implements `JournalReader` for the embedded engine."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self.disk = disk or RealDisk()
        self._ended: tuple[int, _WriterState] | None = None
        """The last record that there was, and how far the writer was then."""

    def entries(self, after: int = -1) -> Iterator[JournalEntry]:
        """Yield the durable records behind position *after*, oldest first, intact ones only.

        Beside a running writer, what it has not synced yet is left for the next call. Raises OSError, or
        NewerFormat at a record that a newer program has written.
        """
        state = _writer_state(self.path)
        if self._ended == (after, state):
            return  # it is asked all the time by whoever follows, and nothing has been written since
        last = after
        for found, place in self._records(after):
            if entry := self._entry(found, place):
                last = place
                yield entry
        self._ended = last, state

    def _records(self, after: int) -> Iterator[tuple[Record, int]]:
        """Yield the durable records behind *after* with their positions."""
        with opened_log(self.path, self.disk) as (log, durable):
            place = max(0, after)
            first, start = place >> 32, place & MAX_OFFSET
            for segment in log.from_generation(first):
                generation = segment.generation
                base = position(generation, 0)
                if base >= durable:
                    return
                begin = start if generation == first else 0
                end = log.ends.get(generation)
                if (
                    generation == durable >> 32
                ):  # what lies behind is nobody's business, and may be a whole segment
                    end = durable & MAX_OFFSET
                for found in log.scan_of(segment).read(begin, end):
                    place = base + found.offset
                    if place >= durable:
                        return
                    if place > after and isinstance(found, Record):
                        yield found, place

    def _entry(self, record: Record, place: int) -> JournalEntry | None:
        if record.version > VERSION:
            raise NewerFormat(f"the journal of {self.path}", record.version, VERSION)
        if record.kind == EVENT:
            return JournalEntry(place, "event", None, decode_event(record.meta), record.body_offset)
        if record.kind == FACT:
            return JournalEntry(place, "fact", None, None, record.body_offset, decode_fact(record.meta))
        if record.kind == ACCEPT:
            message = decode_message(record.meta)
            body = self._body(record, message.id)
            head = _head(body, TO_US_BYTES if message.fate == "feedback" else HEAD_BYTES)
            return JournalEntry(place, "accept", message, None, record.body_offset, head=head, body=body)
        if record.kind == CONTENT:
            content = decode_content(record.meta)
            body = self._body(record, content.id)
            return JournalEntry(
                place, "content", None, None, record.body_offset, content=content, head=_head(body), body=body
            )
        return None

    def _body(self, record: Record, body_id: MessageId) -> memoryview | Path | None:
        """Return a body, or the file that it is in; None when that is gone, since its message has ended."""
        if not record.flags & LARGE:
            return record.body
        places = (self.path / folder / format_id(body_id) for folder in (UNREAD, "large"))
        return next((path for path in places if path.exists()), None)

    def let_go(self, body: MessageId) -> None:
        """See `JournalReader.let_go`."""
        self.disk.unlink(self.path / UNREAD / format_id(body))

    def sweep(self, before: float) -> None:
        """See `JournalReader.sweep`."""
        for path in (self.path / UNREAD).glob("*"):
            if path.stat().st_ctime < before:
                self.disk.unlink(path)

    def facts(self, after: int = -1) -> Iterator[tuple[int, Fact]]:
        """Yield the facts behind position *after* with their positions, oldest first. Raises OSError."""
        for entry in self.entries(after):
            if entry.message is not None:
                yield entry.position, reception_of(entry.message)
            elif entry.fact is not None:
                yield entry.position, entry.fact

    def commit(self, name: str, place: int) -> None:
        """Note that the consumer *name* has taken all up to *place*: older segments may be used again.

        From the first call on (a place of -1 asks for everything), nothing that the consumer has not taken is
        given up. Raises OSError.
        """
        write_cursor(self.path / "cursors", name, place)


def _head(body: memoryview | Path | None, most: int = HEAD_BYTES) -> bytes:
    """Return the beginning of a body; of one whose file is gone, nothing."""
    if not isinstance(body, Path):
        return b"" if body is None else bytes(body[:most])
    try:
        with open(body, "rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return b""


_WriterState = tuple[bool, int]
"""Whether a process writes the partition, and the position before which all is durable."""


def _writer_state(path: Path) -> _WriterState:
    return is_in_use(path), read_mark(path / "durable").durable


@contextmanager
def opened_log(path: Path, disk: Disk) -> Iterator[tuple[SegmentLog, int]]:
    """Open a partition's segments for reading; with the position before which all that is there is
    durable.
    """
    in_use = is_in_use(path)
    mark = read_mark(path / "durable")
    log = SegmentLog(path / "journal", disk, SpoolSettings(), last=None if in_use else mark)
    try:
        log.load(read_only=True)
        log.needed()
        yield log, mark.durable if in_use else EVERYTHING
    finally:
        log.close()


def is_in_use(path: Path) -> bool:
    """Return whether a running process writes the partition."""
    try:
        fd = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
