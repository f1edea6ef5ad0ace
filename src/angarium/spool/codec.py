"""How a record looks in a segment.

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
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
from msgspec.structs import replace

from angarium.core.records import Content, Event, Fact, KeyedAnswer, Message

ACCEPT = 1
EVENT = 2
SEAL = 3
FACT = 4
CONTENT = 5
ANSWER = 6
KINDS: Final = frozenset((ACCEPT, EVENT, SEAL, FACT, CONTENT, ANSWER))
"""What a writer writes. A reader passes over what else it meets, and counts it."""

LARGE = 1
"""Flag of an ACCEPT or a CONTENT whose body is a separate file."""
SETTLED = 2
"""Flag of an ACCEPT that goes on to the settled store straight away."""
OPENS, INSIDE, CLOSES = 4, 8, 16
"""Flags of the first record of a group, of those between, and of the last (`spool.groups`)."""
GROUP: Final = OPENS | INSIDE | CLOSES

VERSION = 2
"""Format 1 had no facts, contents and groups, and messages without a fate."""
HEADER_SIZE = 32
MAX_OFFSET = 0xFFFFFFFF

_MAGIC = b"\xa5Ang"
_HEAD = struct.Struct("<4sIIIIIBBH")
_CHECK = struct.Struct("<I")
_WHOLE = struct.Struct("<8xIIIIBBHI")
_pack_head = _HEAD.pack
_pack_check = _CHECK.pack

encode = msgspec.msgpack.Encoder().encode


def lasting(event: Event, data: bytes) -> bytes:
    """Return an event, encoded as *data*, as it is kept while its recipient waits: without what was said, which the
    journal has told to who keeps it.
    """
    if event.attempt is None or not event.attempt.dialogue:
        return data
    return encode(replace(event, attempt=replace(event.attempt, dialogue=())))


"""Encode a `Message`, `Event`, `Fact`, `Content` or `Seal` as *meta*."""
_decode_message = msgspec.msgpack.Decoder(Message).decode
decode_event = msgspec.msgpack.Decoder(Event).decode
decode_fact = msgspec.msgpack.Decoder(Fact).decode
decode_content = msgspec.msgpack.Decoder(Content).decode
decode_answer = msgspec.msgpack.Decoder(KeyedAnswer).decode


def decode_message(meta: bytes | memoryview) -> Message:
    """Return the message in *meta*. Format 1 knew no fate: there, whatever has a refusal was taken to fail."""
    message = _decode_message(meta)
    if message.refusal is not None and message.fate == "deliver":
        return msgspec.structs.replace(message, fate="fail")
    return message


class Seal(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
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


class Header(NamedTuple):
    """A sound header as found, of a record that may be damaged."""

    offset: int
    kind: int
    flags: int
    version: int
    synced: int
    meta_size: int
    body_size: int
    checksum: int

    @property
    def end(self) -> int:
        """Where the record ends."""
        return self.offset + HEADER_SIZE + self.meta_size + self.body_size


class Image:
    """Some bytes of a segment, from offset *base* to offset *end*."""

    def __init__(self, data: bytes, generation: int, salt: int, base: int = 0) -> None:
        self.data = data
        self.base = base
        self.end = base + len(data)
        self._view = memoryview(data)
        self._salt = salt
        self._start = _MAGIC + generation.to_bytes(4, "little")

    def begins(self, offset: int) -> bool:
        """Whether the bytes at *offset* are those that every header of the segment begins with."""
        return offset >= self.base and self.data.startswith(self._start, offset - self.base)

    def header_at(self, offset: int) -> Header | None:
        """Return the sound header at *offset*."""
        at = offset - self.base
        if at + HEADER_SIZE > len(self.data) or not self.begins(offset):
            return None
        head = self._view[at : at + HEADER_SIZE - 4]
        check: int = _CHECK.unpack_from(self._view, at + HEADER_SIZE - 4)[0]
        if check != crc32(head, (self._salt + offset) & 0xFFFFFFFF):
            return None
        _, _, meta_size, body_size, synced, checksum, kind, version, flags = _HEAD.unpack(head)
        return Header(offset, kind, flags, version, synced, meta_size, body_size, checksum)

    def record(self, header: Header) -> Record | None:
        """Return the record of *header* if all of it is here, intact."""
        meta_at = header.offset - self.base + HEADER_SIZE
        body_at = meta_at + header.meta_size
        meta, body = self._view[meta_at:body_at], self._view[body_at : header.end - self.base]
        if header.end > self.end or crc32(body, crc32(meta)) != header.checksum:
            return None
        return Record(header.offset, header.kind, header.flags, header.version, header.synced, meta, body)

    def records(self, offset: int) -> Iterator[Record]:
        """Yield the intact records from *offset* on, up to the first that is not, or not all here."""
        data, view, start, base, salt = self.data, self._view, self._start, self.base, self._salt
        at, size, unpack = offset - base, len(data), _WHOLE.unpack_from
        while at + HEADER_SIZE <= size and data.startswith(start, at):
            meta_size, body_size, synced, checksum, kind, version, flags, check = unpack(view, at)
            if check != crc32(view[at : at + HEADER_SIZE - 4], (salt + base + at) & 0xFFFFFFFF):
                return
            body_at = at + HEADER_SIZE + meta_size
            end = body_at + body_size
            meta, body = view[at + HEADER_SIZE : body_at], view[body_at:end]
            if end > size or crc32(body, crc32(meta)) != checksum:
                return
            yield Record(base + at, kind, flags, version, synced, meta, body)
            at = end

    def record_at(self, offset: int) -> Record | None:
        """Return the intact record at *offset*."""
        header = self.header_at(offset)
        return self.record(header) if header is not None else None

    def next_header(self, offset: int) -> Header | None:
        """Return the first sound header at or behind *offset*."""
        at = offset - self.base
        while (at := self.data.find(self._start, at)) >= 0:
            if (header := self.header_at(self.base + at)) is not None:
                return header
            at += 1
        return None

    def header_before(self, offset: int, reach: int) -> Header | None:
        """Return the last sound header that begins at most *reach* before *offset*."""
        first, at = max(0, offset - self.base - reach), offset - self.base
        while (at := self.data.rfind(self._start, first, at)) >= 0:
            if (header := self.header_at(self.base + at)) is not None:
                return header
        return None
