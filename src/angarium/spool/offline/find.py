"""Finding messages in a spool, beside a running node or without one. Reads only, and asks nothing of the node.

Newest first, so that what happened lately is found without reading all: the journal from its end, segment by segment,
and the settled store by its ids, which begin with the time of reception.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from heapq import nlargest
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.finding import (
    MOST_RECIPIENTS,
    Finding,
    FoundMessage,
    FoundRecipient,
    Progress,
    Wanted,
    merge_findings,
)
from angarium.core.ids import MessageId, format_id
from angarium.core.records import TERMINAL, Event, Message
from angarium.core.reply import Reply
from angarium.spool.codec import (
    ACCEPT,
    EVENT,
    LARGE,
    Record,
    decode_event,
    decode_message,
    position,
)
from angarium.spool.disk import Disk, RealDisk
from angarium.spool.files.reader import opened_log
from angarium.spool.files.segment import Segment, SegmentLog
from angarium.spool.offline.matching import HEADER_BYTES, Matcher, message_id_of, subject_of
from angarium.spool.offline.survey import open_store, partitions
from angarium.spool.port import SpoolError

_PAGE: Final = 500
"""Rows of the settled store that are read in one go: its writer cannot tidy up behind a reader that takes longer."""
_ROOM: Final = 4
"""So many times as many as are wanted are kept while a segment is read."""
_decode_reply = msgspec.msgpack.Decoder(Reply).decode


class SpoolSource:
    """Implements `core.finding.MessageSource` for the partitions at or right below *folder*."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk or RealDisk()

    def find(self, wanted: Wanted, progress: Progress) -> Finding:
        """See `MessageSource.find`. Raises SpoolError when there is no partition."""
        found = partitions(self._folder)
        if not found:
            raise SpoolError(f"there is no spool partition in {self._folder}")
        matcher = Matcher(wanted)
        parts = []
        segments = [len(list(path.glob("journal/*.seg"))) for path in found]
        for number, path in enumerate(found):
            before, total = sum(segments[:number]), sum(segments)
            parts.append(self._of(path, matcher, wanted.limit, lambda done: progress(before + done, total)))  # noqa: B023
        return merge_findings(parts, wanted.limit)

    def _of(self, path: Path, matcher: Matcher, limit: int, told: Callable[[int], None]) -> Finding:
        try:
            with opened_log(path, self._disk) as (log, durable):
                return _Partition(path, log, durable, matcher, limit, told).find()
        except (OSError, AngariumError) as error:
            return Finding([], problems=[f"the spool partition {path} cannot be read: {error}"])


class _Row(NamedTuple):
    """What the settled store says of a recipient."""

    seq: int
    state: str
    due_at: float
    attempts: int
    reply: Reply | None


class _Place(NamedTuple):
    """Where a record is in the journal. It is not kept itself: it has a whole block of the journal in hand."""

    generation: int
    offset: int
    end: int


class _Candidate:
    """A message that matches. *place*: where its record is in the journal, None when only the store has it."""

    __slots__ = ("events", "message", "place", "rows")

    def __init__(self, message: Message, place: _Place | None = None) -> None:
        self.message = message
        self.place = place
        self.rows: dict[int, _Row] = {}
        self.events: dict[int, Event] = {}
        """The last event of each recipient."""

    def note(self, event: Event) -> None:
        known = self.events.get(event.index)
        if known is None or event.seq > known.seq:
            self.events[event.index] = event


class _Partition:
    """One partition while it is looked through."""

    def __init__(
        self,
        path: Path,
        log: SegmentLog,
        durable: int,
        matcher: Matcher,
        limit: int,
        told: Callable[[int], None],
    ) -> None:
        """*told* hears how many segments were looked through."""
        self._path = path
        self._log = log
        self._durable = durable
        self._matcher = matcher
        self._most = limit + 1
        self._told_done = told
        self._found: dict[MessageId, _Candidate] = {}

    def find(self) -> Finding:
        generations = self._look_through_journal()
        store = open_store(self._path)
        if store is None:
            return self._finding(generations, None)
        with closing(store):
            try:
                self._look_through_store(store)
                return self._finding(generations, store)
            except sqlite3.Error as error:
                raise SpoolError(f"its settled store cannot be read: {error}") from error

    def _finding(self, generations: list[int], store: sqlite3.Connection | None) -> Finding:
        self._keep_newest()
        self._follow(generations)
        rows = [self._told(each, store) for each in self._newest_first()]
        limit = self._most - 1
        following = rows[limit - 1].message if len(rows) > limit else None
        return Finding(rows[:limit], following, self._complete_since())

    # -- who matches

    def _look_through_journal(self) -> list[int]:
        """Take the newest that match; return the generations that there are, oldest first."""
        segments = self._log.from_generation(0)
        is_enough = False
        for number, segment in enumerate(reversed(segments)):
            newest = self._look_through(segment)
            self._told_done(number + 1)
            self._keep_newest()
            if is_enough:  # one more than seems needed: at a seam, ids and records may not be in one order
                break
            is_enough = len(self._found) >= self._most or (
                newest is not None and newest < self._matcher.first
            )
        return [segment.generation for segment in segments]

    def _look_through(self, segment: Segment) -> MessageId | None:
        """Take what matches in a segment; return the newest id in it, None when no message begins in it."""
        newest: MessageId | None = None
        for record in self._records(segment):
            if record.kind != ACCEPT:
                continue
            message = decode_message(record.meta)
            newest = max(newest or message.id, message.id)
            if self._matcher.match(message, lambda: self._head(message, record)):  # noqa: B023 - asked at once
                self._found[message.id] = _Candidate(
                    message, _Place(segment.generation, record.offset, record.end)
                )
                if len(self._found) > _ROOM * self._most:
                    self._keep_newest()
        return newest

    def _look_through_store(self, store: sqlite3.Connection) -> None:
        matched = 0
        below: bytes = self._matcher.last + b"\0"
        while matched < self._most:
            page = store.execute(
                "SELECT id, meta FROM message WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?",
                (below, self._matcher.first, _PAGE),
            ).fetchall()
            for message_id, meta in page:
                message = decode_message(meta)
                if self._matcher.match(message, lambda: self._stored_head(store, message)):  # noqa: B023
                    self._found.setdefault(MessageId(message_id), _Candidate(message))
                    matched += 1
            if len(page) < _PAGE:
                return
            below = page[-1][0]

    def _keep_newest(self) -> None:
        if len(self._found) > self._most:
            self._found = {each: self._found[each] for each in nlargest(self._most, self._found)}

    def _newest_first(self) -> Iterable[_Candidate]:
        return (self._found[each] for each in sorted(self._found, reverse=True))

    # -- what became of them

    def _follow(self, generations: list[int]) -> None:
        """Read the events of those that were found, from where the oldest of them was accepted."""
        oldest = min(
            (each.place.generation if each.place else 0 for each in self._found.values()), default=None
        )
        for generation in generations:
            if oldest is None or generation < oldest:
                continue
            for record in self._records(self._log.segments[generation]):
                if record.kind == EVENT:
                    event = decode_event(record.meta)
                    if (candidate := self._found.get(event.message)) is not None:
                        candidate.note(event)

    def _told(self, candidate: _Candidate, store: sqlite3.Connection | None) -> FoundMessage:
        message = candidate.message
        if store is not None:
            self._ask_store(store, candidate)
        states = [_state(candidate, index) for index in range(len(message.recipients))]
        head = self._head_of(candidate, store)
        return FoundMessage(
            message=format_id(message.id),
            received_at=message.received_at,
            sender=message.reverse_path,
            recipients=[_recipient(candidate, i) for i in self._matcher.in_order(message)[:MOST_RECIPIENTS]],
            recipient_count=len(states),
            states={state: states.count(state) for state in dict.fromkeys(states)},
            message_id=message_id_of(message, head),
            subject=subject_of(head),
            size=message.size,
            tags=list(message.options.tags or ()),
            login=message.login,
            account=message.account,
            server=message.server,
        )

    def _ask_store(self, store: sqlite3.Connection, candidate: _Candidate) -> None:
        key = (candidate.message.id,)
        for (data,) in store.execute("SELECT data FROM event WHERE message = ?", key):
            candidate.note(decode_event(data))
        rows = store.execute(
            "SELECT idx, seq, held, due, attempts, reply FROM recipient WHERE message = ?", key
        )
        for index, seq, held, due_at, attempts, reply in rows:
            last = None if reply is None else _decode_reply(reply)
            candidate.rows[index] = _Row(seq, "held" if held else "queued", due_at, attempts, last)

    # -- reading

    def _records(self, segment: Segment) -> Iterator[Record]:
        """Yield the intact, durable records of a segment."""
        for found in self._log.scan_of(segment).read(0, self._log.ends.get(segment.generation)):
            if position(segment.generation, found.offset) >= self._durable:
                return
            if isinstance(found, Record):
                yield found

    def _complete_since(self) -> float | None:
        """Return when the oldest segment begins, None when it is the first that there ever was."""
        segments = self._log.from_generation(0)
        if not segments or segments[0].generation == 1:
            return None
        for segment in segments:
            for record in self._records(segment):
                if record.kind == ACCEPT:
                    return decode_message(record.meta).received_at
                if record.kind == EVENT:
                    return decode_event(record.meta).at
        return None

    def _head(self, message: Message, record: Record) -> bytes:
        return self._large_head(message) if record.flags & LARGE else bytes(record.body[:HEADER_BYTES])

    def _head_of(self, candidate: _Candidate, store: sqlite3.Connection | None) -> bytes:
        """Return the beginning of a message's text, b"" when it is not kept any more."""
        if candidate.place is None:
            return self._stored_head(store, candidate.message) if store is not None else b""
        generation, offset, end = candidate.place
        try:
            whole = self._log.read(generation, offset, end - offset)
        except SpoolError:  # the segment was used again meanwhile
            return b""
        return self._head(candidate.message, whole)

    def _stored_head(self, store: sqlite3.Connection, message: Message) -> bytes:
        table, key = ("content", message.content) if message.content else ("message", message.id)
        row = store.execute(
            f"SELECT substr(body, 1, {HEADER_BYTES}) FROM {table} WHERE id = ?", (key,)
        ).fetchone()
        return bytes(row[0]) if row is not None and row[0] is not None else self._large_head(message)

    def _large_head(self, message: Message) -> bytes:
        try:
            with (self._path / "large" / format_id(message.content or message.id)).open("rb") as file:
                return file.read(HEADER_BYTES)
        except OSError:  # it has ended, and its body with it
            return b""


def _state(candidate: _Candidate, index: int) -> str:
    return _recipient(candidate, index).state


def _recipient(candidate: _Candidate, index: int) -> FoundRecipient:
    """Return what is known of a recipient: what event or store said last."""
    message, event, row = candidate.message, candidate.events.get(index), candidate.rows.get(index)
    address = message.recipients[index].address
    if row is not None and (event is None or row.seq > event.seq):
        reply = str(row.reply or "")
        return FoundRecipient(address, row.state, None, row.attempts, row.due_at, reply)
    if event is not None and (event.state in TERMINAL or row is not None or candidate.place):
        due_at = event.due_at if event.state == "queued" else None
        return FoundRecipient(address, event.state, event.at, event.attempts, due_at, str(event.reply or ""))
    if candidate.place is None:
        return FoundRecipient(address, "")
    return FoundRecipient(
        address, "held" if message.fate == "feedback" else "queued", due_at=message.received_at
    )
