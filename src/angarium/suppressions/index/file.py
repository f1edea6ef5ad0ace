"""The file of all that is suppressed: sorted entries of eight bytes, which every worker maps.

    header                  128 bytes: what it is, of which state of the ledger, checksum of all
    2^bits + 1 offsets      of the first entry of each bucket, 32 bits as the machine has them
    entries                 see `suppressions.address`, in the order of their bytes, each once

A look costs one hash and one `find` in a bucket of about eight entries, and never gives up the interpreter lock. The
file is derived and can be lost: it is written beside the old one and renamed, and not synced, since a sync makes the
journal wait. One that a crash has torn fails its checksum, and is made anew.
"""

import mmap
import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from angarium.core.errors import AngariumError
from angarium.suppressions.store.following import Number

ENTRY_BYTES: Final = 8
FOLDER: Final = "suppressions"
"""Of the data folder: what stands in it is derived."""
NAME: Final = "index"
_MAGIC: Final = b"ANGSUPP1"
_HEADER: Final = struct.Struct("<8s16sQdQB")
_HEADER_BYTES: Final = 128
_SUM_AT: Final = _HEADER_BYTES - 16
_PER_BUCKET: Final = 8
_MOST_BITS: Final = 24
_CHUNK: Final = 1 << 20


class Damaged(AngariumError):
    """A file that is not what was written."""


class Stamp(NamedTuple):
    """Of which state of the ledger a file is (`store.ledger.Number`), and when it was made anew from all of it."""

    epoch: str
    number: int
    made_at: float


class IndexDisk(Protocol):
    """The calls that write a file; `spool.disk.RealDisk` has them. All raise OSError."""

    def open(self, path: Path, flags: int) -> int:
        """Open *path*; return the file descriptor."""
        ...

    def close(self, fd: int) -> None:
        """Close it."""
        ...

    def pwritev(self, fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        """Write at *offset*; return how many bytes were written, which may be fewer than given."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename, replacing *target*."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; no error if it is not there."""
        ...


class MappedIndex:
    """A file that has been checked. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Map the file at *path* and read it once. Raises Damaged, and OSError (FileNotFoundError among it)."""
        with open(path, "rb") as file:
            self.size_bytes = os.fstat(file.fileno()).st_size
            if self.size_bytes < _HEADER_BYTES:
                raise Damaged(f"{path} is too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, epoch, number, made_at, self.count, bits = _HEADER.unpack_from(self._map)
        self._shift = _MOST_BITS - bits
        self._first = _HEADER_BYTES + 4 * ((1 << bits) + 1)
        self.stamp = Stamp(epoch.decode("ascii", "replace"), number, made_at)
        if magic != _MAGIC or self.size_bytes != self._first + ENTRY_BYTES * self.count:
            raise Damaged(f"{path} is no file of suppressions, or not whole")
        whole = memoryview(self._map)
        parts = (whole[self._first :], whole[_HEADER_BYTES : self._first], whole[: _HEADER.size])
        if _sum_of(parts) != whole[_SUM_AT:_HEADER_BYTES]:
            raise Damaged(f"{path} has another checksum than it was written with")
        self._offsets = whole[_HEADER_BYTES : self._first].cast("I")
        self._find = self._map.find

    def has(self, begin: bytes) -> bool:
        """Whether there is an entry that begins with *begin*, of at least three bytes."""
        bucket = int.from_bytes(begin[:3], "big") >> self._shift
        first, offsets, find = self._first, self._offsets, self._find
        end = first + (offsets[bucket + 1] << 3)
        at = find(begin, first + (offsets[bucket] << 3), end)
        while at >= 0 and (at - first) & 7:  # it stands across two entries
            at = find(begin, at + 1, end)
        return at >= 0

    def position(self, entry: bytes) -> int:
        """Return how many entries come before *entry*."""
        bucket = int.from_bytes(entry[:3], "big") >> self._shift
        there = range(self._offsets[bucket], self._offsets[bucket + 1])
        return there.start + bisect_left(there, entry, key=self.entry)

    def entry(self, position: int) -> bytes:
        """Return the entry at *position*."""
        at = self._first + ENTRY_BYTES * position
        return self._map[at : at + ENTRY_BYTES]

    def entries(self, begin: int, end: int) -> bytes:
        """Return the entries from *begin* to before *end*."""
        return self._map[self._first + ENTRY_BYTES * begin : self._first + ENTRY_BYTES * end]


def merged(base: MappedIndex, touched: Sequence[bytes], present: Set[bytes]) -> Iterator[bytes]:
    """Yield the entries of *base*, in which those that were *touched*, in order, stand only if they are *present*."""
    at = 0
    for entry in touched:
        position = base.position(entry)
        yield from _pieces(base, at, position)
        at = position
        if at < base.count and base.entry(at) == entry:
            at += 1
        if entry in present:
            yield entry
    yield from _pieces(base, at, base.count)


def _pieces(base: MappedIndex, begin: int, end: int) -> Iterator[bytes]:
    step = _CHUNK // ENTRY_BYTES
    for at in range(begin, end, step):
        yield base.entries(at, min(at + step, end))


def write_index(path: Path, stamp: Stamp, about: int, entries: Iterable[bytes], disk: IndexDisk) -> None:
    """Make *entries*, each piece whole ones and all in order, the file at *path*. There are *about* so many.

    Raises OSError; then the file is as it was. Whoever has mapped the old one keeps it.
    """
    new = path.with_name(f"{path.name}.new")
    disk.unlink(new)
    fd = disk.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        _write(fd, stamp, _bits_for(about), entries, disk)
    finally:
        disk.close(fd)
    disk.rename(new, path)


def _write(fd: int, stamp: Stamp, bits: int, entries: Iterable[bytes], disk: IndexDisk) -> None:
    counts = array("I", bytes(4 * ((1 << bits) + 1)))
    shift = 64 - bits
    first = _HEADER_BYTES + 4 * len(counts)
    at, total = first, blake2b(digest_size=16)
    for piece in _gathered(entries):
        _write_at(disk, fd, piece, at)
        at += len(piece)
        total.update(piece)
        numbers = array("Q", piece)
        if sys.byteorder == "little":
            numbers.byteswap()
        for number in numbers:
            counts[(number >> shift) + 1] += 1
    for bucket in range(1, len(counts)):
        counts[bucket] += counts[bucket - 1]
    count = (at - first) // ENTRY_BYTES
    header = _HEADER.pack(_MAGIC, stamp.epoch.encode(), stamp.number, stamp.made_at, count, bits)
    offsets = counts.tobytes()
    total.update(offsets)
    total.update(header)
    _write_at(disk, fd, header.ljust(_SUM_AT, b"\0") + total.digest() + offsets, 0)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _write_at(disk: IndexDisk, fd: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = disk.pwritev(fd, [rest], at)
        rest, at = rest[written:], at + written


def _sum_of(parts: Iterable[memoryview]) -> bytes:
    total = blake2b(digest_size=16)
    for part in parts:
        total.update(part)
    return total.digest()


def _bits_for(about: int) -> int:
    """Return how many bits name a bucket, so that about `_PER_BUCKET` entries are in each."""
    return min(_MOST_BITS, max(8, (about // _PER_BUCKET).bit_length()))


def signature(path: Path) -> tuple[int, int]:
    """Return what a file has that another of that name has not. Raises OSError."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def is_of(stamp: Stamp, number: Number) -> bool:
    """Whether a file may be of an earlier state of the ledger whose last change is *number*."""
    return stamp.epoch == number.epoch and stamp.number <= number.number
