"""The log as files: a row of segments of one size, appended to at the end, released from the start, used
again.

A segment's name holds its generation and its salt, so that nothing in the file must be believed before its
records are checked. A file is used again by renaming it: the records of its earlier generation are no longer
valid there.

Used by the journal's thread alone, except for `read` and for setting `first`.
"""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from angarium.spool.codec import SEAL, Image, Record, Seal, decode_seal, encode, frame
from angarium.spool.disk import Disk
from angarium.spool.port import SpoolError, SpoolFull
from angarium.spool.settings import SpoolSettings

IOV_MAX = 1000
READ_BYTES = 4 << 20
SEAL_READ_BYTES = 64 << 10
SPARE = "spare.free"
FRESH = "fresh.tmp"

_NAME = re.compile(r"(\d{10})-([0-9a-f]{8})\.seg")


class Entry(Protocol):
    """What can be written: the log notes in it where it went."""

    kind: int
    flags: int
    meta: bytes
    body: bytes
    generation: int
    offset: int


@dataclass(slots=True, eq=False)
class Segment:
    """One file. *end* is where the next record goes (or where the last one ended), *synced* how far it is
    durable.

    *poisoned*: takes nothing more. *reserved*: was the spare, and takes only what no client can be refused.
    """

    generation: int
    salt: int
    path: Path
    fd: int
    end: int = 0
    synced: int = 0
    poisoned: bool = False
    reserved: bool = False


def segment_name(generation: int, salt: int) -> str:
    """Return the file name of a segment."""
    return f"{generation:010d}-{salt:08x}.seg"


def parse_name(name: str) -> tuple[int, int] | None:
    """Return generation and salt, or None for a file that is no segment in use."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2], 16)) if found else None


def read_image(disk: Disk, fd: int, generation: int, salt: int, base: int = 0) -> tuple[Image, int]:
    """Read a segment from *base* on. Returns it, and how many bytes the disk would not give (zeros stand for
    them).
    """
    data, unread, at = bytearray(), 0, base
    while True:
        try:
            piece = disk.pread(fd, READ_BYTES, at)
        except OSError:
            size = os.fstat(fd).st_size
            piece = bytes(max(0, min(READ_BYTES, size - at)))
            unread += len(piece)
        if not piece:
            return Image(data, generation, salt, base), unread
        data += piece
        at += len(piece)


class SegmentLog:
    """The segments of one partition."""

    def __init__(
        self, directory: Path, disk: Disk, settings: SpoolSettings, pinned: Callable[[], int]
    ) -> None:
        self.directory = directory
        self.disk = disk
        self.settings = settings
        self.segments: dict[int, Segment] = {}
        self.ends: dict[int, int] = {}
        self.first = 0
        """The oldest generation that is still needed; older ones are history."""
        self._pinned = pinned
        self._spare: Path | None = None

    def load(self, *, read_only: bool = False) -> None:
        """Find the segments that the last run left. Raises OSError."""
        for name in self.disk.listdir(self.directory):
            if parsed := parse_name(name):
                path = self.directory / name
                try:
                    fd = self.disk.open(path, os.O_RDONLY if read_only else os.O_RDWR)
                except FileNotFoundError:
                    if read_only:
                        continue  # the writer used it again meanwhile
                    raise
                self.segments[parsed[0]] = Segment(*parsed, path, fd)
            elif read_only:
                continue
            elif name == FRESH:
                self.disk.unlink(self.directory / name)
            elif name == SPARE:
                self._spare = self.directory / name

    def ensure_spare(self) -> None:
        """Keep one segment aside for outcomes on a full disk. Does nothing when there is no room for it
        either.
        """
        spare = self.directory / SPARE
        if self._spare is None and self._room():
            try:
                self.disk.close(self._create(spare))
            except (SpoolFull, OSError):
                return  # nothing depends on it yet; the next rotation tries again
            self._spare = spare

    def open_next(self, *, urgent: bool) -> Segment:
        """Make the next segment: a released one used again, else a new one; where *urgent*, at last the
        spare.

        Raises SpoolFull when the disk or the limit does not allow it, OSError when the disk fails.
        """
        generation = max(self.first, *self.segments, 0) + 1
        salt = int.from_bytes(os.urandom(4), "big")
        path = self.directory / segment_name(generation, salt)
        spare = self._spare
        fd = self._take_file(path, urgent)
        segment = self.segments[generation] = Segment(generation, salt, path, fd)
        segment.reserved = spare is not self._spare
        try:
            self.disk.fsync_dir(self.directory)
        except OSError:
            self.poison(segment)
            raise
        return segment

    def _take_file(self, path: Path, urgent: bool) -> int:
        active = sum(1 for g in self.segments if g >= self.first)
        roomy = self._room() and (urgent or active < self.settings.journal_segments)
        if (old := self._reusable(keep=self.settings.history_segments if roomy else 0)) is not None:
            return self._rename(old, path)
        if roomy:
            try:
                return self._create(path)
            except SpoolFull:
                if not urgent:
                    raise
        if urgent and self._spare is not None:
            self.disk.rename(self._spare, path)
            self._spare = None
            return self.disk.open(path, os.O_RDWR)
        if active >= self.settings.journal_segments:
            raise SpoolFull(f"the journal has reached its limit of {active} segments")
        raise SpoolFull("the disk has no room for another journal segment")

    def _rename(self, old: Segment, path: Path) -> int:
        self.disk.rename(old.path, path)
        del self.segments[old.generation]
        self.ends.pop(old.generation, None)
        return old.fd

    def _reusable(self, keep: int) -> Segment | None:
        """Return the oldest released segment that neither history (the last *keep*) nor a consumer needs."""
        limit = min(self.first, self._pinned())
        past = sorted(g for g in self.segments if g < self.first)
        for generation in past[: max(0, len(past) - keep)]:
            segment = self.segments[generation]
            if generation >= limit:
                return None
            if not segment.poisoned:
                return segment
            del self.segments[generation]
            self.disk.close(segment.fd)
            self.disk.unlink(segment.path)
        return None

    def _room(self) -> bool:
        free = self.disk.free_bytes(self.directory)
        return free - self.settings.segment_bytes >= self.settings.min_free_bytes

    def _create(self, path: Path) -> int:
        fresh = self.directory / FRESH
        fd = self.disk.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            self.disk.fallocate(fd, self.settings.segment_bytes)
            self.disk.fdatasync(fd)
            self.disk.rename(fresh, path)
        except OSError as exc:
            self.disk.close(fd)
            self.disk.unlink(fresh)
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SpoolFull("the disk has no room for another journal segment") from exc
            raise
        return fd

    def write(self, segment: Segment, entries: Sequence[Entry]) -> None:
        """Append *entries* to *segment* with one call where it can be. Raises OSError; then it must be
        poisoned.
        """
        buffers: list[bytes | memoryview] = []
        generation, salt, offset, synced = segment.generation, segment.salt, segment.end, segment.synced
        if offset == 0:
            meta = self._seal(generation)
            head = frame(SEAL, 0, meta, b"", generation, salt, 0, 0)
            buffers += (head, meta)
            offset = len(head) + len(meta)
        for entry in entries:
            entry.generation, entry.offset = generation, offset
            if entry.kind:
                meta, body = entry.meta, entry.body
                head = frame(entry.kind, entry.flags, meta, body, generation, salt, offset, synced)
                buffers += (head, meta, body) if body else (head, meta)
                offset += len(head) + len(meta) + len(body)
        self._write_all(segment.fd, buffers, segment.end)
        segment.end = offset

    def seal_size(self) -> int:
        """Return at least how many bytes the first record of the next segment takes."""
        return 64 + 16 * (len(self.segments) + 1)

    def _seal(self, generation: int) -> bytes:
        ends = tuple((g, self.ends.get(g, s.end)) for g, s in self.segments.items() if g != generation)
        return encode(Seal(ends, self.first))

    def _write_all(self, fd: int, buffers: list[bytes | memoryview], offset: int) -> None:
        while buffers:
            part = buffers[:IOV_MAX]
            written = self.disk.pwritev(fd, part, offset)
            offset += written
            done = 0
            while done < len(part) and written >= len(part[done]):
                written -= len(part[done])
                done += 1
            del buffers[:done]
            if written:
                buffers[0] = memoryview(buffers[0])[written:]

    def sync(self, segment: Segment) -> None:
        """Make durable what was written. Raises OSError; then the segment must be poisoned."""
        self.disk.fdatasync(segment.fd)
        segment.synced = segment.end

    def poison(self, segment: Segment) -> None:
        """Take no more records into *segment*: what was not synced there counts as never written."""
        segment.poisoned = True
        segment.end = self.ends[segment.generation] = segment.synced

    def read(self, generation: int, offset: int, size: int) -> bytes:
        """Return bytes of a segment. Raises SpoolError. From any thread."""
        segment = self.segments.get(generation)
        if segment is None:
            raise SpoolError(f"journal segment {generation} is gone")
        try:
            return self.disk.pread(segment.fd, size, offset)
        except OSError as exc:
            raise SpoolError(f"journal segment {segment.path.name} cannot be read: {exc.strerror}") from exc

    def images(self, first: int = 0, start: int = 0) -> Iterator[tuple[Segment, Image, int]]:
        """Yield the segments from generation *first* on, oldest first, that one from offset *start* on; and
        how many bytes of each could not be read."""
        for generation, segment in sorted(self.segments.items()):
            if generation >= first:
                base = start if generation == first else 0
                yield (segment, *read_image(self.disk, segment.fd, generation, segment.salt, base))

    def close(self) -> None:
        """Close the files. Does not sync."""
        for segment in self.segments.values():
            self.disk.close(segment.fd)
        self.segments.clear()


def seals(log: SegmentLog) -> tuple[int, dict[int, int]]:
    """Return what the segments' first records say: the first generation needed, and where each segment before
    ends.

    Raises OSError.
    """
    first, ends = 0, dict[int, int]()
    for generation, segment in sorted(log.segments.items()):
        head = log.disk.pread(segment.fd, SEAL_READ_BYTES, 0)
        found = Image(head, generation, segment.salt).record_at(0)
        if isinstance(found, Record) and found.kind == SEAL:
            seal = decode_seal(found.meta)
            first = max(first, seal.first)
            ends.update(seal.ends)
    for generation, segment in log.segments.items():
        segment.end = segment.synced = ends.get(generation, 0)
    return first, {generation: end for generation, end in ends.items() if generation in log.segments}
