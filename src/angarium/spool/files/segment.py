"""The log as files: a row of segments of one size, appended to at the end, released from the start, used
again.

A segment's name holds its generation and its salt, so that nothing in the file must be believed before its
records are checked. A file is used again by renaming it: the records of its earlier generation are no longer
valid there.

Implements `RecordLog`.
"""

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from angarium.core.ids import MessageId
from angarium.spool.codec import SEAL, Damage, End, Image, Record, Seal, decode_seal, encode
from angarium.spool.disk import Disk
from angarium.spool.files.durable import DurableMark, LastRun
from angarium.spool.files.scan import BLOCK_BYTES, Scan
from angarium.spool.log import Buffers, Epoch
from angarium.spool.port import SpoolError, SpoolFull
from angarium.spool.settings import SpoolSettings

IOV_MAX = 1000
SEAL_READ_BYTES = 64 << 10
SEAL_BYTES = 80
"""At least what the first record of a segment takes, without 16 bytes for each segment before."""
MOST_WASTED = 3
"""So many segments in which a write failed before anything was durable are left alone: the next place may be better."""
SPARE = "spare.free"
FRESH = "fresh.tmp"

_NAME = re.compile(r"(\d{10})-([0-9a-f]{8})\.seg")


@dataclass(slots=True, eq=False)
class Segment:
    """One file, a `Stretch`. When it is not written any more, *end* is where its last record ended.

    *poisoned*: takes nothing more. *reserved*: was the spare. *unread_bytes*: what a scan could not read.
    """

    generation: int
    salt: int
    path: Path
    fd: int
    end: int = 0
    synced: int = 0
    poisoned: bool = False
    reserved: bool = False
    unread_bytes: int = 0

    @property
    def epoch(self) -> Epoch:
        """What is in every record of it."""
        return Epoch(self.generation, self.salt)


def segment_name(generation: int, salt: int) -> str:
    """Return the file name of a segment."""
    return f"{generation:010d}-{salt:08x}.seg"


def parse_name(name: str) -> tuple[int, int] | None:
    """Return generation and salt, or None for a file that is no segment in use."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2], 16)) if found else None


class SegmentLog:
    """The segments of one partition."""

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        settings: SpoolSettings,
        pinned: Callable[[], int] = lambda: 0,
        mark: DurableMark | None = None,
        last: LastRun | None = None,
    ) -> None:
        """A log in *directory*, to be loaded. Without a *mark* it is only read. *last* is what the writer before
        has noted, None for a reader beside it.
        """
        self.directory = directory
        self.disk = disk
        self.settings = settings
        self.current: Segment | None = None
        self.segments: dict[int, Segment] = {}
        self.ends: dict[int, int] = {}
        self.first = 0
        """The oldest generation that is still needed; older ones are history."""
        self._pinned = pinned
        self._mark = mark
        self._last = last or LastRun()
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

    def _ensure_spare(self) -> None:
        """Keep one segment aside for outcomes on a full disk, if there is room for it."""
        spare = self.directory / SPARE
        try:
            if self._spare is None and self._room():
                self.disk.close(self._create(spare))
                self._spare = spare
        except (SpoolFull, OSError):
            return  # nothing depends on it yet; the next rotation tries again

    def rotate(self, *, urgent: bool) -> None:
        """See `RecordLog.rotate`. Takes a released segment, else makes a new one; where *urgent*, at last the spare."""
        previous, self.current = self.current, None
        try:
            self.current = self._open_next(urgent)
        except SpoolFull:
            self.current = previous
            raise

    def _open_next(self, urgent: bool) -> Segment:
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
            self._poison(segment)
            raise
        if not segment.reserved:
            self._ensure_spare()
        return segment

    def _take_file(self, path: Path, urgent: bool) -> int:
        active = sum(1 for g in self.segments if g >= self.first)
        roomy = self._room() and (urgent or active < self.settings.journal_segments)
        if (old := self._reusable(keep=self.settings.history_segments if roomy else 0)) is not None:
            return self._rename(old, path)
        if (wasted := self._wasted()) is not None:
            return self._rename(wasted, path)
        if roomy:
            try:
                return self._create(path)
            except SpoolFull:
                if not urgent:
                    raise
        if urgent and self._spare is not None:
            return self._take_spare(self._spare, path)
        if active >= self.settings.journal_segments:
            raise SpoolFull(f"the journal has reached its limit of {active} segments")
        raise SpoolFull("the disk has no room for another journal segment")

    def _take_spare(self, spare: Path, path: Path) -> int:
        # First: a file that was renamed and cannot be opened would be forgotten.
        fd = self.disk.open(spare, os.O_RDWR)
        try:
            self.disk.rename(spare, path)
        except OSError:
            self.disk.close(fd)
            raise
        self._spare = None
        return fd

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

    def _wasted(self) -> Segment | None:
        """Return the oldest segment in which nothing became durable, if there are many: a disk that fails for long
        would be filled with them.
        """
        wasted = [generation for generation, s in self.segments.items() if s.poisoned and not s.synced]
        return self.segments[min(wasted)] if len(wasted) > MOST_WASTED else None

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

    @property
    def newest(self) -> int:
        """See `RecordLog.newest`."""
        return max(self.segments, default=0)

    @property
    def is_wounded(self) -> bool:
        """See `RecordLog.is_wounded`."""
        return any(segment.poisoned for segment in list(self.segments.values()))

    def room(self) -> int:
        """See `RecordLog.room`."""
        if self.current is None:
            return 0
        return self.settings.segment_bytes - (self.current.end or SEAL_BYTES + 16 * len(self.segments))

    def seal(self) -> bytes:
        """See `RecordLog.seal`."""
        others = [(g, s) for g, s in self.segments.items() if s is not self.current]
        return encode(Seal(ends=tuple((g, self.ends.get(g, s.end)) for g, s in others), first=self.first))

    def write(self, batch: Buffers, end: int) -> None:
        """See `RecordLog.write`. One call of the system where it can be."""
        segment = self.current
        assert segment is not None
        if self._mark is not None:
            self._mark.writing(*segment.epoch, end)
        self._write_all(segment.fd, batch, segment.end)
        segment.end = end

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

    def sync(self) -> None:
        """See `RecordLog.sync`."""
        segment = self.current
        assert segment is not None
        self.disk.fdatasync(segment.fd)
        segment.synced = segment.end
        if self._mark is not None:
            self._mark.set(segment.generation, segment.synced)

    def poison(self) -> None:
        """See `RecordLog.poison`."""
        if self.current is not None:
            self._poison(self.current)
            self.current = None

    def _poison(self, segment: Segment) -> None:
        segment.poisoned = True
        segment.end = self.ends[segment.generation] = segment.synced

    def needed(self) -> list[int]:
        """See `RecordLog.needed`."""
        first = self._read_seals()
        self.first = max(first, self._last.first)
        return [segment.generation for segment in self.from_generation(self.first)]

    def _read_seals(self) -> int:
        """Take over what the segments' first records say: where each of those before ends, and the first generation
        needed, which is returned.
        """
        first, ends = 0, dict[int, int]()
        for generation, segment in sorted(self.segments.items()):
            head = self.disk.pread(segment.fd, SEAL_READ_BYTES, 0)
            found = Image(head, generation, segment.salt).record_at(0)
            if found is not None and found.kind == SEAL:
                seal = decode_seal(found.meta)
                first = max(first, seal.first)
                ends.update(seal.ends)
        self.ends = {generation: end for generation, end in ends.items() if generation in self.segments}
        for generation, segment in self.segments.items():
            segment.end = segment.synced = ends.get(generation, 0)
        return first

    def scan(self, generation: int) -> Iterator[Record | Damage | End]:
        """See `RecordLog.scan`."""
        segment = self.segments[generation]
        for found in self.scan_of(segment).read(0, self.ends.get(generation)):
            if segment.unread_bytes:
                raise SpoolError(
                    f"{segment.unread_bytes} bytes of {segment.path} cannot be read; starting without them could "
                    "lose mail or send it twice. When the disk will not give them, move the file away and start "
                    "again"
                )
            if isinstance(found, End):
                segment.end = segment.synced = found.offset
            yield found

    def set_aside(self, generation: int, damage: Damage) -> None:
        """See `RecordLog.set_aside`. A file in `damaged/`, named by generation and offset."""
        source = self.segments[generation].fd
        path = self.directory.parent / "damaged" / f"{generation:010d}-{damage.offset:08x}.bin"
        fd = self.disk.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            for done in range(0, damage.size, BLOCK_BYTES):
                size = min(BLOCK_BYTES, damage.size - done)
                self.disk.pwritev(fd, [self.disk.pread(source, size, damage.offset + done)], done)
        finally:
            self.disk.close(fd)

    def read(self, generation: int, offset: int, size: int) -> Record:
        """See `RecordLog.read`."""
        segment = self.segments.get(generation)
        if segment is None:
            raise SpoolError(f"journal segment {generation} is gone")
        try:
            data = self.disk.pread(segment.fd, size, offset)
        except OSError as exc:
            raise SpoolError(f"journal segment {segment.path.name} cannot be read: {exc.strerror}") from exc
        found = Image(data, *segment.epoch, offset).record_at(offset)
        if found is None:
            raise SpoolError(f"the record at {offset} of journal segment {segment.path.name} is damaged")
        return found

    def search(self, message_id: MessageId, first: int, start: int) -> Iterator[Iterable[Record]]:
        """See `RecordLog.search`."""
        for segment in reversed(self.from_generation(first)):
            begin = start if segment.generation == first else 0
            yield self.scan_of(segment).containing(message_id, begin, segment.end)

    def release(self, first: int) -> None:
        """See `RecordLog.release`. The files are history for a while, then used again."""
        self.first = first
        if self._mark is not None:
            self._mark.set_first(first)

    @property
    def size_bytes(self) -> int:
        """See `RecordLog.size_bytes`."""
        return len(self.segments) * self.settings.segment_bytes

    def scan_of(self, segment: Segment) -> Scan:
        """Return a reader of *segment*. What the disk will not give is read as zeros and counted there."""
        durable, horizon = self._last.bounds(*segment.epoch)
        return Scan(partial(self._fetch, segment), *segment.epoch, durable=durable, horizon=horizon)

    def _fetch(self, segment: Segment, offset: int, size: int) -> bytes:
        try:
            return self.disk.pread(segment.fd, size, offset)
        except OSError:
            if segment.generation not in self.segments:
                return b""  # it was given up meanwhile
            missing = max(0, min(size, os.fstat(segment.fd).st_size - offset))
            segment.unread_bytes += missing
            return bytes(missing)

    def from_generation(self, first: int) -> list[Segment]:
        """Return the segments from generation *first* on, oldest first."""
        return [segment for generation, segment in sorted(self.segments.items()) if generation >= first]

    def close(self) -> None:
        """Close the files. Does not sync."""
        for segment in self.segments.values():
            self.disk.close(segment.fd)
        self.segments.clear()
