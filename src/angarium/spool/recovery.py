"""What a start makes of the log and the store that the last run left."""

import time
from collections.abc import Iterable
from itertools import islice

from angarium.core.ids import MessageId
from angarium.core.records import TERMINAL, Event, KeyedAnswer, Recipient
from angarium.spool.codec import (
    ACCEPT,
    ANSWER,
    CONTENT,
    EVENT,
    KINDS,
    SETTLED,
    VERSION,
    Damage,
    Record,
    decode_answer,
    decode_content,
    decode_event,
    decode_message,
)
from angarium.spool.contents import KeptContent
from angarium.spool.engine import SpoolEngine
from angarium.spool.port import NewerFormat, RecoveryReport
from angarium.spool.residents import Live
from angarium.spool.settings import SpoolSettings
from angarium.spool.store import NewContent, NewMessage, Settling

EVENTS_AT_ONCE = 4000
MESSAGES_AT_ONCE = 500


class Recovery:
    """Replays a partition. Blocks; the loop is not serving yet."""

    def __init__(self, engine: SpoolEngine, settings: SpoolSettings) -> None:
        self.log = engine.log
        self.store = engine.store
        self.large = engine.large
        self.settings = settings
        self.generations: list[int] = []
        """The stretches that were read, oldest first."""
        self.live: dict[MessageId, Live] = {}
        self.torn_bytes = 0
        self.damaged = 0
        self.unknown = 0
        self.contents: list[KeptContent] = []
        """Those that live messages name."""
        self.answers: list[tuple[KeyedAnswer, int]] = []
        """Those that may not be kept elsewhere yet, each with its generation."""
        self._contents: dict[bytes, KeptContent] = {}
        self._open = 0
        self._store_in_use = bool(self.store.summaries())
        self._for_store: list[tuple[Event, bytes]] = []

    def run(self) -> tuple[RecoveryReport, list[Recipient]]:
        """Fill `live`, bring the store up to date, and return what is to be in memory. Raises SpoolError."""
        began = time.monotonic()
        self.generations = self.log.needed()
        for generation in self.generations:
            self._replay(generation)
            if self._open > 2 * self.settings.max_resident:
                self._flush_events()
                self._compare(list(self.live))
                self._spill()
        self._flush_events()
        self._compare(list(self.live))
        self._spill()
        self._sort_out_contents()
        self._sort_out_large()
        recipients = [r for live in self.live.values() for r in live.recipients(live.open, self.settings)]
        settled = sum(summary.queued + summary.held for _, summary in self.store.summaries())
        seconds = time.monotonic() - began
        report = RecoveryReport(
            len(self.live), len(recipients), settled, self.torn_bytes, self.damaged, seconds, self.unknown
        )
        return report, recipients

    def _replay(self, generation: int) -> None:
        for found in self.log.scan(generation):
            if isinstance(found, Record):
                self._take(found, generation)
            elif isinstance(found, Damage):
                self.damaged += 1
                self.log.set_aside(generation, found)
            else:
                self.torn_bytes += found.torn_bytes

    def _take(self, record: Record, generation: int) -> None:
        if record.version > VERSION:
            raise NewerFormat("the journal of the spool", record.version, VERSION)
        if record.kind == ACCEPT:
            self._accepted(record, generation)
        elif record.kind == EVENT:
            self._recorded(record)
        elif record.kind == CONTENT:
            kept = KeptContent(decode_content(record.meta).id, bytes(record.meta))
            kept.is_at(generation, record.offset, record.end - record.offset, record.flags)
            self._contents[kept.id] = kept
        elif record.kind == ANSWER:
            self.answers.append((decode_answer(record.meta), generation))
        elif record.kind not in KINDS:
            self.unknown += 1

    def _accepted(self, record: Record, generation: int) -> None:
        message = decode_message(record.meta)
        size = record.end - record.offset
        self.live[message.id] = live = Live(message, generation, record.offset, size, record.flags)
        if message.content:
            live.content = self._contents.get(message.content)
        self._open += len(message.recipients)

    def _recorded(self, record: Record) -> None:
        event = decode_event(record.meta)
        live = self.live.get(event.message)
        if event.index < 0:
            return
        is_open = live is not None and live.has_open(event.index)
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
                if live.found_stored(index):
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
        contents = {live.content.id: live.content for live in some if live.content is not None}
        self.store.begin()
        self.store.keep([NewContent(kept.id, kept.meta, self._body(kept)) for kept in contents.values()])
        self.store.settle([NewMessage(live.message, self._body(live)) for live in some], rows)
        self.store.commit()
        for live in some:
            self._open -= live.open.bit_count()
            del self.live[live.message.id]

    def _body(self, kept: Live | KeptContent) -> bytes | None:
        if kept.is_large:
            return None
        return kept.read_body(self.log)

    def _sort_out_contents(self) -> None:
        """Count who names which content, and remove from the store what is not named: what became of that is lost only
        where a crash came between.
        """
        naming = [live for live in self.live.values() if live.message.content]
        stored = self.store.known_contents({live.message.content for live in naming})
        for live in naming:
            kept = live.content or self._contents.get(live.message.content)
            if kept is None:
                kept = self._contents[live.message.content] = KeptContent(live.message.content, b"")
            kept.stored = kept.id in stored
            kept.names += 1
            live.content = kept
        self.contents = [kept for kept in self._contents.values() if kept.names]
        named = {kept.id for kept in self.contents}
        if unnamed := [each for each in self.store.unnamed_contents() if each not in named]:
            self.store.begin()
            self.store.drop_contents(unnamed)
            self.store.commit()

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
        unclaimed -= {MessageId(kept.id) for kept in self.contents}
        for orphan in unclaimed - self.store.known(unclaimed) - self.store.known_contents(unclaimed):
            self.large.discard(orphan)
