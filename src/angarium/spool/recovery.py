"""What a start makes of the segments and the store that the last run left."""

import os
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from angarium.core.ids import MessageId
from angarium.core.records import TERMINAL, Event, Recipient
from angarium.spool.bodies import LargeBodies
from angarium.spool.codec import (
    ACCEPT,
    EVENT,
    SEAL,
    SETTLED,
    VERSION,
    Damage,
    Image,
    Record,
    decode_event,
    decode_message,
)
from angarium.spool.disk import Disk
from angarium.spool.files.scan import BLOCK_BYTES
from angarium.spool.files.segment import Segment, SegmentLog, seals
from angarium.spool.port import RecoveryReport, SpoolError
from angarium.spool.residents import Live
from angarium.spool.settings import SpoolSettings
from angarium.spool.sqlite.store import NewMessage, SettledStore, Settling

EVENTS_AT_ONCE = 4000
MESSAGES_AT_ONCE = 500


class Recovery:
    """Replays a partition. Blocks; the loop is not serving yet."""

    def __init__(
        self,
        log: SegmentLog,
        store: SettledStore,
        large: LargeBodies,
        disk: Disk,
        settings: SpoolSettings,
        aside: Path,
        first: int = 0,
    ) -> None:
        self.log = log
        self.store = store
        self.large = large
        self.disk = disk
        self.settings = settings
        self.aside = aside
        self._first = first
        self.live: dict[MessageId, Live] = {}
        self.torn_bytes = 0
        self.damaged = 0
        self._open = 0
        self._store_in_use = bool(store.summaries())
        self._for_store: list[tuple[Event, bytes]] = []

    def run(self) -> tuple[RecoveryReport, list[Recipient]]:
        """Fill `live`, bring the store up to date, and return what is to be in memory. Raises SpoolError."""
        began = time.monotonic()
        first, self.log.ends = seals(self.log)
        self.log.first = max(first, self._first)
        for segment in self.log.from_generation(self.log.first):
            self._replay(segment)
            if self._open > 2 * self.settings.max_resident:
                self._flush_events()
                self._compare(list(self.live))
                self._spill()
        self._flush_events()
        self._compare(list(self.live))
        self._spill()
        self._sort_out_large()
        recipients = [r for live in self.live.values() for r in live.recipients(live.open, self.settings)]
        settled = sum(summary.queued + summary.held for _, summary in self.store.summaries())
        seconds = time.monotonic() - began
        report = RecoveryReport(
            len(self.live), len(recipients), settled, self.torn_bytes, self.damaged, seconds
        )
        return report, recipients

    def _replay(self, segment: Segment) -> None:
        for found in self.log.scan(segment).read(0, self.log.ends.get(segment.generation)):
            if segment.unread_bytes:
                raise SpoolError(
                    f"{segment.unread_bytes} bytes of {segment.path} cannot be read; starting without them could "
                    "lose mail or send it twice. When the disk will not give them, move the file away and start "
                    "again"
                )
            if isinstance(found, Record):
                self._take(found, segment.generation)
            elif isinstance(found, Damage):
                self.damaged += 1
                self._set_aside(segment, found)
            else:
                segment.end = segment.synced = found.offset
                self.torn_bytes += found.torn_bytes

    def _take(self, record: Record, generation: int) -> None:
        if record.version > VERSION or record.kind not in (ACCEPT, EVENT, SEAL):
            raise SpoolError(
                f"the journal has records of version {record.version}, kind {record.kind}: a newer program's"
            )
        if record.kind == ACCEPT:
            message = decode_message(record.meta)
            size = record.end - record.offset
            self.live[message.id] = Live(message, generation, record.offset, size, record.flags)
            self._open += len(message.recipients)
        elif record.kind == EVENT:
            event = decode_event(record.meta)
            live = self.live.get(event.message)
            if event.index < 0:
                return
            is_open = live is not None and bool(live.open >> event.index & 1)
            if live is not None and is_open:
                self._note(live, event, bytes(record.meta))
            if not is_open or (event.state in TERMINAL and self._store_in_use):
                self._for_store.append((event, bytes(record.meta)))
                if len(self._for_store) >= EVENTS_AT_ONCE:
                    self._flush_events()

    def _note(self, live: Live, event: Event, data: bytes) -> None:
        before = live.open
        live.note(event, data)
        self._open -= before != live.open
        if not live.open:
            del self.live[event.message]

    def _set_aside(self, segment: Segment, damage: Damage) -> None:
        path = self.aside / f"{segment.generation:010d}-{damage.offset:08x}.bin"
        fd = self.disk.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            for done in range(0, damage.size, BLOCK_BYTES):
                size = min(BLOCK_BYTES, damage.size - done)
                self.disk.pwritev(fd, [self.disk.pread(segment.fd, size, damage.offset + done)], done)
        finally:
            self.disk.close(fd)

    def _flush_events(self) -> None:
        events, self._for_store = self._for_store, []
        if events:
            self.store.begin()
            self.store.apply(events)
            self.store.commit()

    def _compare(self, ids: Iterable[MessageId]) -> None:
        """Take out of `live` what the store has already; it gets the events that it may have missed."""
        ids = iter(ids)
        while some := list(islice(ids, MESSAGES_AT_ONCE)):
            held = {message_id: self.live[message_id] for message_id in some}
            for message_id, index in self.store.known_keys(some):
                live = held[message_id]
                live.stored = True
                if live.open >> index & 1:
                    live.open &= ~(1 << index)
                    self._open -= 1
                    self._for_store += [(decode_event(data), data) for _, data in live.events_of(index)]
                    if not live.open:
                        del self.live[message_id]
            self._flush_events()

    def _spill(self) -> None:
        """Settle what must not or need not be in memory: what was accepted as settled, and the oldest over
        the limit. What was taken only to be reported as failed ends as soon as it is in memory.
        """
        excess = self._open - self.settings.max_resident
        spilled: list[Live] = []
        for live in self.live.values():
            if live.message.fate == "fail":
                continue
            if excess > 0 or live.flags & SETTLED:
                spilled.append(live)
                excess -= live.open.bit_count()
        for start in range(0, len(spilled), MESSAGES_AT_ONCE):
            self._settle(spilled[start : start + MESSAGES_AT_ONCE])

    def _settle(self, some: list[Live]) -> None:
        rows = [
            Settling(r, self.settings.expires_at(r), False, live.events_of(r.index))
            for live in some
            for r in live.recipients(live.open, self.settings)
        ]
        self.store.begin()
        self.store.settle([NewMessage(live.message, self._body(live)) for live in some], rows)
        self.store.commit()
        for live in some:
            self._open -= live.open.bit_count()
            del self.live[live.message.id]

    def _body(self, live: Live) -> bytes | None:
        if live.is_large:
            return None
        return read_body(self.log, live)

    def _sort_out_large(self) -> None:
        """Remove files of no message, and messages of no file: their acceptance was refused, or the file is
        lost.
        """
        files = self.large.find()
        for live in [live for live in self.live.values() if live.is_large and live.message.id not in files]:
            self.damaged += 1
            self._open -= live.open.bit_count()
            del self.live[live.message.id]
        unclaimed = files - {i for i, live in self.live.items() if live.is_large}
        for orphan in unclaimed - self.store.known(unclaimed):
            self.disk.unlink(self.large.path(orphan))


def read_body(log: SegmentLog, live: Live) -> bytes:
    """Read a body back from its segment, checked. Raises SpoolError."""
    data = log.read(live.generation, live.offset, live.size)
    segment = log.segments.get(live.generation)
    if segment is not None:
        found = Image(data, *segment.epoch, live.offset).record_at(live.offset)
        if found is not None:
            return bytes(found.body)
    raise SpoolError(f"the journal's record of message {live.message.id.hex()} is damaged")
