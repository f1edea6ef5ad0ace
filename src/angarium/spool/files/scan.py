"""Reading a segment again: its records in order, where they end, and what is damaged. A block at a time.

A hole is where a record should be and is none. When the segment's end is known, every hole before it is damage
to something that was once safe. In the last segment the end is found: a hole is damage if something proves that
what was there had been durable, a record behind it that was written later or what the writer noted outside of
the segment. Without a proof it is an unfinished last write, and what is behind it does not count.
"""

from collections.abc import Callable, Iterator

from angarium.spool import groups
from angarium.spool.codec import HEADER_SIZE, Damage, End, Header, Image, Record

BLOCK_BYTES = 1 << 20
ID_REACH = 128
"""A message's id begins less than this far behind the beginning of any record that names it."""


class Scan:
    """One segment's bytes.

    *fetch* returns what is at an offset: as many bytes as asked for, fewer at the end of the file. *durable* is
    an offset before which all is known to have been durable, *horizon* one at or behind which no record of this
    generation was ever written, None when that is not known.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], bytes],
        generation: int,
        salt: int,
        *,
        durable: int = 0,
        horizon: int | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._fetch = fetch
        self._generation = generation
        self._salt = salt
        self._proved = durable
        self._horizon = horizon
        self._block_bytes = block_bytes
        self._image = Image(b"", generation, salt)
        self._size: int | None = None
        """The file's, once its end has been seen."""
        self._end: int | None = None
        """That of what is read, if it is known: no block goes on behind it."""

    def read(self, start: int, end: int | None) -> Iterator[Record | Damage | End]:
        """Yield what lies from *start* on, groups only whole, and at last an `End`. *end* is the segment's end, if it
        is known.
        """
        return groups.whole(self._read(start, end))

    def _read(self, start: int, end: int | None) -> Iterator[Record | Damage | End]:
        at, self._end = start, end
        while end is None or at < end:
            for record in self._hold(at, HEADER_SIZE).records(at):  # as nearly all are
                if end is not None and at >= end:
                    break
                yield record
                at = record.end
            if end is not None and at >= end:
                break
            header = self._header_at(at)
            whole = self._record(header) if header is not None else None
            if whole is not None:
                yield whole
                at = whole.end
                continue
            torn_bytes = self._torn_bytes(at) if end is None else None
            if torn_bytes is not None:
                yield End(at, torn_bytes)
                return
            resume = self._resume(at, header, end)
            yield Damage(at, resume - at)
            at = resume
        yield End(at, 0)

    def _resume(self, hole: int, header: Header | None, end: int | None) -> int:
        """Return where to go on behind *hole*, which is damage and may have kept its *header*."""
        last = self._proved if end is None else end
        if header is not None:
            return header.end if end is None else min(header.end, end)
        following = self._next_header(hole + 1, last)
        return last if following is None else following.offset

    def _torn_bytes(self, hole: int) -> int | None:
        """Return how much of an unfinished write lies at *hole*; None when something proves that it is damage."""
        last = hole
        while self._proved <= hole:
            header = self._next_header(last, self._horizon)
            if header is None:
                return self._left_of_header(hole) if last == hole else self._clipped(last) - hole
            record = self._record(header)
            if record is not None:
                self._proved = max(self._proved, record.synced)
            last = header.end
        return None

    def _left_of_header(self, hole: int) -> int:
        return HEADER_SIZE if self._hold(hole, HEADER_SIZE).begins(hole) else 0

    def _clipped(self, offset: int) -> int:
        return offset if self._size is None else min(offset, self._size)

    def containing(self, message_id: bytes, start: int, end: int) -> Iterator[Record]:
        """Yield the intact records between *start* and *end* that have *message_id* in front of their meta."""
        overlap = ID_REACH + len(message_id)
        base, seen = start, start
        while base < end:
            data = self._fetch(base, max(self._block_bytes, 2 * overlap))
            image = Image(data, self._generation, self._salt, base)
            at = seen - base
            while 0 <= (at := data.find(message_id, at)) < end - base:
                header = image.header_before(base + at, ID_REACH)
                if header is not None:
                    whole = image.record(header) if header.end <= image.end else self._record(header)
                    if whole is not None:
                        yield whole
                at += len(message_id)
            if len(data) < max(self._block_bytes, 2 * overlap):
                return
            seen = image.end - len(message_id) + 1
            base = image.end - overlap

    def _header_at(self, offset: int) -> Header | None:
        return self._hold(offset, HEADER_SIZE).header_at(offset)

    def _record(self, header: Header) -> Record | None:
        return self._hold(header.offset, header.end - header.offset).record(header)

    def _next_header(self, offset: int, limit: int | None) -> Header | None:
        """Return the first sound header at or behind *offset* and before *limit*."""
        while limit is None or offset < limit:
            image = self._hold(offset, HEADER_SIZE)
            header = image.next_header(offset)
            if header is not None:
                return header if limit is None or header.offset < limit else None
            if image.end == self._size:
                return None
            offset = image.end - HEADER_SIZE + 1
        return None

    def _hold(self, offset: int, size: int) -> Image:
        """Return an image that has the *size* bytes from *offset* on, or what the file has of them."""
        image = self._image
        if image.base <= offset and (offset + size <= image.end or image.end == self._size):
            return image
        left = self._block_bytes if self._end is None else self._end - offset
        asked = max(size, min(self._block_bytes, left))
        data = self._fetch(offset, asked)
        if len(data) < asked:
            self._size = offset + len(data)
        self._image = Image(data, self._generation, self._salt, offset)
        return self._image
