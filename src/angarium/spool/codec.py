"""How a record looks in a segment, and how a segment is read again.

A record is a header of 32 bytes, then *meta* (MessagePack), then *body* (raw bytes):

    magic 4 · generation 4 · meta length 4 · body length 4 · synced 4 · checksum 4 · kind 1 · version 1 ·
    flags 2 · check 4

*checksum* is the CRC-32 of meta and body. *check* is that of the header itself, begun with the segment's salt
plus the record's offset: an old record left over from the file's earlier use, a record at another place, and
bytes in a mail that look like a record all fail it. *generation* names the segment. *synced* is the offset up
to which the segment was known to be durable when the record was written. A later record whose *synced* lies
behind a hole proves that the hole is damage to something that was once safe; without such a proof it is the
end of an unfinished last write.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

import msgspec

from angarium.core.records import Event, Message

ACCEPT = 1
EVENT = 2
SEAL = 3

LARGE = 1
"""Flag of an ACCEPT whose body is a file of its own."""
SETTLED = 2
"""Flag of an ACCEPT that goes on to the settled store straight away."""

VERSION = 1
HEADER_SIZE = 32
MAX_OFFSET = 0xFFFFFFFF

_MAGIC = b"\xa5Ang"
_HEAD = struct.Struct("<4sIIIIIBBH")
_CHECK = struct.Struct("<I")
_pack_head = _HEAD.pack
_pack_check = _CHECK.pack

encode = msgspec.msgpack.Encoder().encode
"""Encode a `Message`, `Event` or `Seal` as *meta*."""
decode_message = msgspec.msgpack.Decoder(Message).decode
decode_event = msgspec.msgpack.Decoder(Event).decode


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """The first record of a segment: what is true of the segments before it.

    *ends* are (generation, offset): nothing behind that offset counts, whatever is found there. This is what
    makes a refused acceptance void. No segment before *first* is needed for recovery.
    """

    ends: tuple[tuple[int, int], ...]
    first: int


decode_seal = msgspec.msgpack.Decoder(Seal).decode


class Record(NamedTuple):
    """An intact record as found. The offsets are within the segment."""

    offset: int
    kind: int
    flags: int
    version: int
    synced: int
    meta: memoryview
    body: memoryview

    @property
    def end(self) -> int:
        """Where the next record starts."""
        return self.offset + HEADER_SIZE + len(self.meta) + len(self.body)

    @property
    def body_offset(self) -> int:
        """Where the body starts."""
        return self.offset + HEADER_SIZE + len(self.meta)


class Damage(NamedTuple):
    """Bytes that were durable once and cannot be read as a record any more."""

    offset: int
    size: int


class End(NamedTuple):
    """Where a segment's records end, and how many bytes of an unfinished write follow."""

    offset: int
    torn_bytes: int


def frame(
    kind: int, flags: int, meta: bytes, body: bytes, generation: int, salt: int, offset: int, synced: int
) -> bytes:
    """Return the header for a record at *offset*; meta and body follow it unjoined."""
    head = _pack_head(
        _MAGIC, generation, len(meta), len(body), synced, crc32(body, crc32(meta)), kind, VERSION, flags
    )
    return head + _pack_check(crc32(head, (salt + offset) & 0xFFFFFFFF))


def position(generation: int, offset: int) -> int:
    """Return the number that orders records within a partition."""
    return generation << 32 | offset


class Image:
    """The bytes of one segment from *base* on, to be read as records."""

    def __init__(self, data: bytes | bytearray, generation: int, salt: int, base: int = 0) -> None:
        self.data = data
        self.view = memoryview(data)
        self.generation = generation
        self.salt = salt
        self.base = base
        self._start = _MAGIC + generation.to_bytes(4, "little")
        self._synced: int | None = None

    def record_at(self, offset: int) -> Record | int:
        """Return the record at *offset*; or where to look on, as its header tells; or 0 when there is no
        header.
        """
        at = offset - self.base
        if at < 0 or not self.data.startswith(self._start, at) or at + HEADER_SIZE > len(self.data):
            return 0
        view = self.view
        head = view[at : at + HEADER_SIZE - 4]
        check: int = _CHECK.unpack_from(view, at + HEADER_SIZE - 4)[0]
        if check != crc32(head, (self.salt + offset) & 0xFFFFFFFF):
            return 0
        _, _, meta_size, body_size, synced, checksum, kind, version, flags = _HEAD.unpack(head)
        meta_at = at + HEADER_SIZE
        body_at = meta_at + meta_size
        end = body_at + body_size
        meta, body = view[meta_at:body_at], view[body_at:end]
        if end > len(view) or crc32(body, crc32(meta)) != checksum:
            return self.base + int(end)
        return Record(offset, kind, flags, version, synced, meta, body)

    def next_header(self, offset: int) -> int | None:
        """Return the offset of the next place, at or after *offset*, that has a sound header."""
        at = offset - self.base
        while (at := self.data.find(self._start, at)) >= 0:
            if self.record_at(self.base + at) != 0:
                return self.base + at
            at += 1
        return None

    def record_around(self, offset: int) -> Record | None:
        """Return the intact record that *offset* lies in."""
        at = offset - self.base
        while (at := self.data.rfind(self._start, 0, at)) >= 0:
            found = self.record_at(self.base + at)
            if isinstance(found, Record):
                return found if offset < found.end else None
        return None

    def read(self, start: int, end: int | None) -> Iterator[Record | Damage | End]:
        """Yield what lies from *start* on, and at last an `End`.

        With *end* (told by a later segment) every hole before it is damage. Without it, a hole ends the
        segment unless a record behind it proves that it had been durable.
        """
        at = start
        limit = self.base + len(self.data) if end is None else min(end, self.base + len(self.data))
        while at < limit:
            found = self.record_at(at)
            if isinstance(found, Record):
                yield found
                at = found.end
                continue
            resume = found or self.next_header(at + 1)
            if end is None and self._proved() <= at:
                yield End(at, self._torn_bytes(at))
                return
            resume = limit if resume is None else min(resume, limit)
            yield Damage(at, resume - at)
            at = resume
        yield End(at, 0)

    def _proved(self) -> int:
        """Return the offset up to which the intact records say that all was durable."""
        if self._synced is None:
            self._synced = max((r.synced for r in self._intact(self.base)), default=0)
        return self._synced

    def _intact(self, start: int) -> Iterator[Record]:
        at: int | None = self.next_header(start)
        while at is not None:
            found = self.record_at(at)
            if isinstance(found, Record):
                yield found
                found = found.end
            at = self.next_header(found)

    def _torn_bytes(self, offset: int) -> int:
        last, at = offset, self.next_header(offset)
        while at is not None:
            found = self.record_at(at)
            last = found.end if isinstance(found, Record) else found
            at = self.next_header(last)
        if last == offset and self.data.startswith(self._start, offset - self.base):
            return HEADER_SIZE
        return min(last, self.base + len(self.data)) - offset
