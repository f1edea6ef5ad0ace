"""Reading a partition without its writer: beside a running node, and after a crash. Nothing is changed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from angarium.core.ids import MessageId
from angarium.core.records import Event, Message
from angarium.spool.codec import (
    ACCEPT,
    EVENT,
    MAX_OFFSET,
    Image,
    Record,
    decode_event,
    decode_message,
    position,
)
from angarium.spool.cursors import write_cursor
from angarium.spool.disk import Disk, RealDisk
from angarium.spool.durable import read_mark
from angarium.spool.port import JournalEntry
from angarium.spool.segment import SegmentLog, seals
from angarium.spool.settings import SpoolSettings

EVERYTHING = 1 << 63


class FileJournalReader:
    """Implements `JournalReader` for the embedded engine."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self.disk = disk or RealDisk()

    def entries(self, after: int = -1) -> Iterator[JournalEntry]:
        """Yield the durable records behind position *after*, oldest first, intact ones only.

        Beside a running writer, what it has not synced yet is left for the next call. Raises OSError.
        """
        with opened_log(self.path, self.disk) as (log, durable):
            place = max(0, after)
            for segment, image, _ in log.images(place >> 32, place & MAX_OFFSET):
                generation = segment.generation
                for found in image.read(image.base, log.ends.get(generation)):
                    place = position(generation, found.offset)
                    if place >= durable:
                        return
                    if place > after and isinstance(found, Record) and (entry := _entry(found, place)):
                        yield entry

    def commit(self, name: str, place: int) -> None:
        """Note that the consumer *name* has taken all up to *place*: older segments may be used again.

        From the first call on (a place of -1 asks for everything), nothing that the consumer has not taken is
        given up. Raises OSError.
        """
        write_cursor(self.path / "cursors", name, place)


def _entry(record: Record, place: int) -> JournalEntry | None:
    if record.kind == ACCEPT:
        return JournalEntry(place, "accept", decode_message(record.meta), None, record.body_offset)
    if record.kind == EVENT:
        return JournalEntry(place, "event", None, decode_event(record.meta), record.body_offset)
    return None


@contextmanager
def opened_log(path: Path, disk: Disk) -> Iterator[tuple[SegmentLog, int]]:
    """Open a partition's segments for reading; with the position before which all that is there is
    durable.
    """
    durable = read_mark(path / "durable") if is_in_use(path) else EVERYTHING
    log = SegmentLog(path / "journal", disk, SpoolSettings(), lambda: 0)
    try:
        log.load(read_only=True)
        log.first, log.ends = seals(log)
        yield log, durable
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


def find_message(log: SegmentLog, message_id: MessageId) -> tuple[Message | None, list[Event]]:
    """Return a message and its events as far as the segments still have them, searching for the id's
    bytes.
    """
    message: Message | None = None
    events: list[Event] = []
    for segment, image, _ in log.images():
        for record in records_with(image, segment.end, message_id):
            if record.kind == ACCEPT:
                message = decode_message(record.meta)
            elif record.kind == EVENT:
                events.append(decode_event(record.meta))
    return message, events


def records_with(image: Image, end: int, message_id: MessageId) -> Iterator[Record]:
    """Yield the records of an image, before *end*, that are of a message."""
    at = 0
    while 0 <= (at := image.data.find(message_id, at)) < end:
        record = image.record_around(at)
        if record is not None and _names(record, message_id):
            yield record
        at = max(at + 1, record.end if record is not None else 0)


def _names(record: Record, message_id: MessageId) -> bool:
    if record.kind == ACCEPT:
        return decode_message(record.meta).id == message_id
    return record.kind == EVENT and decode_event(record.meta).message == message_id
