"""An engine of the spool that keeps rows in memory, as a database would: what the ports ask is not what files are.

The log keeps one row for each group commit, holding the bytes that a segment would. `RowDatabase` outlives its writers;
who opens it raises its epoch, and every write asks whether the writer's epoch is still in force.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from angarium.core.ids import MessageId
from angarium.core.records import Event, Flow, FlowSummary, Message, Recipient
from angarium.core.reply import Reply
from angarium.spool import groups
from angarium.spool.codec import Damage, End, Image, Record, Seal, decode_event, encode
from angarium.spool.disk import RealDisk
from angarium.spool.files.large import LargeBodyFiles
from angarium.spool.log import Buffers, Epoch
from angarium.spool.port import FlowLook, Selection, SpoolError, SpoolFull, StoredRow
from angarium.spool.settings import SpoolSettings
from angarium.spool.store import (
    KEPT_EVENTS,
    Changes,
    ExpiryPlace,
    NewContent,
    NewMessage,
    Remains,
    Settling,
)

Key = tuple[MessageId, int]


class SettledRow(NamedTuple):
    """A settled recipient."""

    flow: Flow
    held: bool
    leased: bool
    due: float
    expires: float
    seq: int
    attempts: int
    delay_dsns: int
    reply: Reply | None


@dataclass
class Tables:
    """What has settled. Copied before each transaction, so that it can be undone."""

    messages: dict[MessageId, NewMessage] = field(default_factory=dict)
    contents: dict[bytes, NewContent] = field(default_factory=dict)
    rows: dict[Key, SettledRow] = field(default_factory=dict)
    events: dict[Key, tuple[tuple[int, bytes], ...]] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """Return another with the same rows."""
        return Tables(dict(self.messages), dict(self.contents), dict(self.rows), dict(self.events))


@dataclass
class StretchRows:
    """A stretch of the log: the batches that were committed to it. *end* and *synced* are its writer's."""

    epoch: Epoch
    rows: list[bytes] = field(default_factory=list)
    end: int = 0
    synced: int = 0
    reserved: bool = False
    poisoned: bool = False

    @property
    def data(self) -> bytes:
        """All that was committed."""
        return b"".join(self.rows)


@dataclass
class RowDatabase:
    """What outlives a writer: *epoch* is that of the last, *first* the generation that is still needed."""

    epoch: int = 0
    first: int = 0
    log: dict[int, StretchRows] = field(default_factory=dict)
    aside: list[bytes] = field(default_factory=list)
    tables: Tables = field(default_factory=Tables)


class RowEngine:
    """Implements `SpoolEngine`. Large bodies are files in *folder*, since the sender of them reads files."""

    def __init__(self, database: RowDatabase, folder: Path, settings: SpoolSettings) -> None:
        """Take the partition over from the one that had it."""
        database.epoch += 1
        epoch = database.epoch

        def fence() -> None:
            if database.epoch != epoch:
                raise OSError(errno.EPERM, "another has the partition")

        self.name = "rows"
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="rows")
        self.log = RowLog(database, settings, fence)
        self.store = RowStore(database, fence)
        folder.mkdir(exist_ok=True)
        self.large = LargeBodyFiles(folder, RealDisk(), settings, self.threads)

    def free_bytes(self) -> int:
        """See `SpoolEngine.free_bytes`."""
        return 1 << 40

    def close(self) -> None:
        """See `SpoolEngine.close`."""


class RowLog:
    """Implements `RecordLog`."""

    def __init__(self, database: RowDatabase, settings: SpoolSettings, fence: Callable[[], None]) -> None:
        self.current: StretchRows | None = None
        self._database = database
        self._settings = settings
        self._fence = fence
        self._batch: Buffers = []

    @property
    def newest(self) -> int:
        """See `RecordLog.newest`."""
        return max(self._database.log, default=0)

    @property
    def is_wounded(self) -> bool:
        """See `RecordLog.is_wounded`."""
        return any(stretch.poisoned for stretch in self._database.log.values())

    @property
    def size_bytes(self) -> int:
        """See `RecordLog.size_bytes`."""
        return sum(stretch.synced for stretch in list(self._database.log.values()))

    def room(self) -> int:
        """See `RecordLog.room`."""
        return self._settings.segment_bytes - (self.current.end or 100) if self.current else 0

    def seal(self) -> bytes:
        """See `RecordLog.seal`. What was not committed is not there: no end needs to be told."""
        return encode(Seal(ends=(), first=self._database.first))

    def write(self, batch: Buffers, end: int) -> None:
        """See `RecordLog.write`."""
        assert self.current is not None
        self._batch += batch
        self.current.end = end

    def sync(self) -> None:
        """See `RecordLog.sync`. One row."""
        assert self.current is not None
        self._fence()
        self.current.rows.append(b"".join(self._batch))
        self._batch = []
        self.current.synced = self.current.end

    def rotate(self, *, urgent: bool) -> None:
        """See `RecordLog.rotate`. Of the released stretches the last few are kept."""
        self._fence()
        log, first = self._database.log, self._database.first
        if not urgent and sum(g >= first for g in log) >= self._settings.journal_segments:
            raise SpoolFull("the log has reached its limit")
        for generation in sorted(g for g in log if g < first)[: -self._settings.history_segments]:
            del log[generation]
        epoch = Epoch(self.newest + 1, int.from_bytes(os.urandom(4), "big"))
        self.current = log[epoch.generation] = StretchRows(epoch)

    def poison(self) -> None:
        """See `RecordLog.poison`."""
        self._batch = []
        if self.current is not None:
            self.current.poisoned = True
            self.current.end = self.current.synced
            self.current = None

    def needed(self) -> list[int]:
        """See `RecordLog.needed`."""
        return sorted(g for g in self._database.log if g >= self._database.first)

    def scan(self, generation: int) -> Iterator[Record | Damage | End]:
        """See `RecordLog.scan`."""
        return groups.whole(self._records(generation))

    def _records(self, generation: int) -> Iterator[Record | Damage | End]:
        stretch = self._database.log[generation]
        image, at = Image(stretch.data, *stretch.epoch), 0
        while (record := image.record_at(at)) is not None:
            yield record
            at = record.end
        yield End(at, image.end - at)

    def set_aside(self, generation: int, damage: Damage) -> None:
        """See `RecordLog.set_aside`."""
        self._database.aside.append(self._database.log[generation].data[damage.offset :][: damage.size])

    def read(self, generation: int, offset: int, size: int) -> Record:
        """See `RecordLog.read`."""
        stretch = self._database.log.get(generation)
        if stretch is not None:
            image = Image(stretch.data[offset : offset + size], *stretch.epoch, offset)
            if (record := image.record_at(offset)) is not None:
                return record
        raise SpoolError(f"the record at {offset} of {generation} is gone")

    def search(self, message_id: MessageId, first: int, start: int) -> Iterator[Iterable[Record]]:
        """See `RecordLog.search`."""
        for generation in sorted(self._database.log, reverse=True):
            begin = start if generation == first else 0
            if generation >= first:
                found = [each for each in self._records(generation) if isinstance(each, Record)]
                yield [r for r in found if r.offset >= begin and r.meta.tobytes().find(message_id) >= 0]

    def release(self, first: int) -> None:
        """See `RecordLog.release`."""
        self._database.first = first


class RowStore:
    """Implements `SettledStore`."""

    errors: tuple[type[Exception], ...] = ()

    def __init__(self, database: RowDatabase, fence: Callable[[], None]) -> None:
        self._database = database
        self._fence = fence
        self._before = database.tables
        self._changed: set[Flow] = set()
        self._gone = Remains([], set())
        self._now.rows.update({key: row._replace(leased=False) for key, row in self._now.rows.items()})

    @property
    def _now(self) -> Tables:
        return self._database.tables

    def begin(self, *, durable: bool = True) -> None:
        """See `SettledStore.begin`."""
        self._fence()
        self._before = self._now.copy()

    def commit(self) -> None:
        """See `SettledStore.commit`."""
        self._fence()
        self._before = self._now

    def sync(self) -> None:
        """See `SettledStore.sync`."""
        self._fence()

    def rollback(self) -> None:
        """See `SettledStore.rollback`."""
        self._database.tables = self._before
        self._changed.clear()

    # -- what changes rows

    def keep(self, contents: Iterable[NewContent]) -> None:
        """See `SettledStore.keep`."""
        for content in contents:
            self._now.contents.setdefault(content.id, content)

    def drop_contents(self, ids: Iterable[bytes]) -> list[bytes]:
        """See `SettledStore.drop_contents`."""
        unnamed = set(self.unnamed_contents())
        dropped = [self._now.contents.pop(each) for each in ids if each in unnamed]
        return [content.id for content in dropped if content.body is None]

    def settle(self, messages: Iterable[NewMessage], recipients: Sequence[Settling]) -> None:
        """See `SettledStore.settle`."""
        for new in messages:
            self._now.messages.setdefault(new.message.id, new)
        for settling in recipients:
            r = settling.recipient
            old = self._now.rows.get(r.key)
            if old is None or r.seq >= old.seq:
                self._put(r.key, _row_of(settling))
            for event in settling.events:
                self._remember(r.key, *event)

    def _put(self, key: Key, row: SettledRow) -> None:
        old = self._now.rows.get(key)
        self._changed |= {row.flow} if old is None else {row.flow, old.flow}
        self._now.rows[key] = row

    def _remember(self, key: Key, seq: int, data: bytes) -> None:
        kept = dict(self._now.events.get(key, ()))
        kept.setdefault(seq, data)
        self._now.events[key] = tuple(sorted(kept.items()))[-KEPT_EVENTS:]

    def apply(self, events: Iterable[tuple[Event, bytes]]) -> None:
        """See `SettledStore.apply`."""
        for event, data in events:
            key = event.message, event.index
            row = self._now.rows.get(key)
            if row is None or event.seq <= row.seq:
                continue
            if event.state in ("queued", "held"):
                self._put(key, _changed_by(row, event))
                self._remember(key, event.seq, data)
            else:
                self._delete(key)

    def _delete(self, key: Key) -> None:
        self._changed.add(self._now.rows.pop(key).flow)
        self._now.events.pop(key, None)
        if any(message_id == key[0] for message_id, _ in self._now.rows):
            return
        message, body = self._now.messages.pop(key[0])
        if message.content:
            self._gone.contents.add(message.content)
        if body is None:
            self._gone.large.append(message.id)

    def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """See `SettledStore.page`."""
        due = [
            (row.due, key)
            for key, row in self._now.rows.items()
            if row.flow == flow and not row.leased and not row.held and row.due <= now
        ]
        keys = [key for _, key in sorted(due)[:limit]]
        for key in keys:
            self._put(key, self._now.rows[key]._replace(leased=True))
        return self._recipients(keys)

    def take_changes(self) -> Changes:
        """See `SettledStore.take_changes`."""
        changed, self._changed = self._changed, set()
        return [(flow, self._summary(flow)) for flow in changed]

    def take_gone(self) -> Remains:
        """See `SettledStore.take_gone`."""
        gone, self._gone = self._gone, Remains([], set())
        return gone

    # -- what only reads

    def known(self, ids: Iterable[MessageId]) -> set[MessageId]:
        """See `SettledStore.known`."""
        return {each for each in ids if each in self._now.messages}

    def known_keys(self, ids: Iterable[MessageId]) -> set[Key]:
        """See `SettledStore.known_keys`."""
        wanted = set(ids)
        return {key for key in self._now.rows if key[0] in wanted}

    def select(self, selection: Selection, after: Key | None, limit: int) -> list[Recipient]:
        """See `SettledStore.select`."""
        found = [
            key
            for key, row in sorted(self._now.rows.items())
            if not row.leased
            and (after is None or key > after)
            and selection.message in (None, key[0])
            and selection.state in (None, "held" if row.held else "queued")
            and selection.covers(row.flow.binding, row.flow.domain)
        ]
        return self._recipients(found[:limit])

    def count(self, selection: Selection) -> int:
        """See `SettledStore.count`."""
        return len(self.select(selection, None, len(self._now.rows)))

    def due_to_expire(
        self, now: float, after: ExpiryPlace, limit: int
    ) -> tuple[list[Recipient], ExpiryPlace | None]:
        """See `SettledStore.due_to_expire`."""
        places = sorted(
            (row.expires, *key)
            for key, row in self._now.rows.items()
            if not row.leased and row.expires <= now and (row.expires, *key) > after
        )[:limit]
        found = self._recipients([(message_id, index) for _, message_id, index in places])
        return found, places[-1] if len(places) == limit else None

    def _recipients(self, keys: Iterable[Key]) -> list[Recipient]:
        return [_recipient(self._now.messages[key[0]].message, key[1], self._now.rows[key]) for key in keys]

    def messages(self, ids: Iterable[MessageId]) -> dict[MessageId, Message]:
        """See `SettledStore.messages`."""
        return {each: self._now.messages[each].message for each in ids if each in self._now.messages}

    def body(self, message_id: MessageId) -> tuple[bool, bytes | None]:
        """See `SettledStore.body`."""
        found = self._now.messages.get(message_id)
        return (False, None) if found is None else (True, found.body)

    def known_contents(self, ids: Iterable[bytes]) -> set[bytes]:
        """See `SettledStore.known_contents`."""
        return {each for each in ids if each in self._now.contents}

    def unnamed_contents(self) -> list[bytes]:
        """See `SettledStore.unnamed_contents`."""
        named = {new.message.content for new in self._now.messages.values()}
        return [each for each in self._now.contents if each not in named]

    def content(self, content_id: bytes) -> tuple[bool, bytes | None]:
        """See `SettledStore.content`."""
        found = self._now.contents.get(content_id)
        return (False, None) if found is None else (True, found.body)

    def events(self, message_id: MessageId) -> list[Event]:
        """See `SettledStore.events`."""
        found = [data for key, kept in self._now.events.items() if key[0] == message_id for _, data in kept]
        return sorted(map(decode_event, found), key=lambda event: (event.at, event.index, event.seq))

    def look(self, flows: Iterable[Flow], now: float, most: int) -> dict[Flow, FlowLook]:
        """See `SettledStore.look`."""
        return {flow: self._look(flow, now, most) for flow in flows if self._of(flow)}

    def _look(self, flow: Flow, now: float, most: int) -> FlowLook:
        queued = sorted((row.due, key) for key, row in self._of(flow).items() if not row.held)
        later = [StoredRow(due, self._last(key)) for due, key in queued if due > now]
        held = [StoredRow(row.due, self._last(key)) for key, row in self._of(flow).items() if row.held]
        return FlowLook(
            len(queued) - len(later), queued[-1][0] if queued else None, later[:most], held[:most]
        )

    def _of(self, flow: Flow) -> dict[Key, SettledRow]:
        return {key: row for key, row in self._now.rows.items() if row.flow == flow and not row.leased}

    def last_events(self, keys: Iterable[Key]) -> dict[Key, Event]:
        """See `SettledStore.last_events`."""
        found = ((key, self._last(key)) for key in keys)
        return {key: event for key, event in found if event is not None}

    def _last(self, key: Key) -> Event | None:
        kept = self._now.events.get(key, ())
        return decode_event(max(kept)[1]) if kept else None

    def summaries(self) -> Changes:
        """See `SettledStore.summaries`."""
        flows = {row.flow for row in self._now.rows.values() if not row.leased}
        return [(flow, self._summary(flow)) for flow in flows]

    def _summary(self, flow: Flow) -> FlowSummary:
        rows = {key: row for key, row in self._now.rows.items() if row.flow == flow and not row.leased}
        dues = [row.due for row in rows.values() if not row.held]
        received = [self._now.messages[message_id].message.received_at for message_id, _ in rows]
        return FlowSummary(
            len(dues), len(rows) - len(dues), min(dues, default=None), min(received, default=None)
        )


def _row_of(settling: Settling) -> SettledRow:
    r = settling.recipient
    held = r.state == "held"
    return SettledRow(
        r.flow,
        held,
        settling.leased,
        r.due_at,
        settling.expires,
        r.seq,
        r.attempts,
        r.delay_dsns,
        r.last_reply,
    )


def _changed_by(row: SettledRow, event: Event) -> SettledRow:
    return row._replace(
        flow=row.flow._replace(binding=event.binding, domain=event.domain),
        held=event.state == "held",
        due=event.due_at,
        seq=event.seq,
        attempts=event.attempts,
        delay_dsns=event.delay_dsns,
        reply=event.reply or row.reply,
    )


def _recipient(message: Message, index: int, row: SettledRow) -> Recipient:
    r = Recipient(message, index, row.flow.binding, row.flow.domain)
    r.state = "held" if row.held else "queued"
    r.due_at, r.seq, r.attempts, r.delay_dsns = row.due, row.seq, row.attempts, row.delay_dsns
    r.last_reply, r.settled = row.reply, True
    return r
