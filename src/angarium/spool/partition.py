"""One partition of the spool, with one writer: what is promised of it, on whatever engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from angarium.core.ids import MessageId
from angarium.core.records import (
    Content,
    Event,
    Fact,
    Flow,
    FlowSummary,
    KeyedAnswer,
    Message,
    Recipient,
)
from angarium.spool.admission import Admission
from angarium.spool.answers import UnkeptAnswers
from angarium.spool.bodies import BodyPlaces, ResidentBodies
from angarium.spool.callbacks import Callbacks
from angarium.spool.codec import ACCEPT, ANSWER, CONTENT, EVENT, FACT, LARGE, SETTLED, encode
from angarium.spool.contents import Contents, KeptContent
from angarium.spool.engine import SpoolEngine
from angarium.spool.history import find_message, in_order
from angarium.spool.journal import Item, Journal
from angarium.spool.leftovers import Leftovers
from angarium.spool.offers import Offers
from angarium.spool.port import (
    Body,
    FlowLook,
    LargeBodyWriter,
    OnAnswer,
    RecoveryReport,
    Selection,
    SharedBody,
    SpoolError,
    SpoolStatus,
    Then,
)
from angarium.spool.recovery import Recovery
from angarium.spool.residents import Live, Residents
from angarium.spool.retention import SegmentUses
from angarium.spool.settings import SpoolSettings
from angarium.spool.settlement.leaving import Leaving
from angarium.spool.settlement.waiting import Waiting
from angarium.spool.store import Remains


class Partition:
    """Implements `Spool`. Only `recover` blocks."""

    def __init__(self, engine: SpoolEngine, loop: asyncio.AbstractEventLoop, settings: SpoolSettings) -> None:
        self.settings = settings
        self._engine = engine
        self._log = engine.log
        self._large = engine.large
        self._threads = engine.threads
        self._loop = loop
        self._residents = Residents(self._finished)
        self._bodies = ResidentBodies(settings.resident_body_bytes)
        self._uses = SegmentUses()
        self._contents = Contents(self._uses, self._unnamed)
        self._answers = UnkeptAnswers(self._uses, self._release)
        self._places = BodyPlaces(self._bodies, engine, self._residents, self._contents)
        self._journal = Journal(self._log, settings, loop, self._done)
        self._waiting = Waiting(
            engine.store,
            loop,
            settings,
            read_body=self._places.read_to_settle,
            give_back=self.settle,
            progressed=self._release,
            gone=self._gone,
        )
        self._settler = self._waiting.settler
        self._admission = Admission(engine, settings, self._journal, lambda: self._settler.backlog)
        self._leaving = Leaving(self._residents, self._contents, self._waiting, settings)
        self._callbacks = Callbacks(loop)
        self._offers = Offers(
            self._journal, self._contents, self._admission, self._large, self._callbacks, settings, loop
        )
        self._leftovers = Leftovers(self._settler, self._large, loop)
        self._recovered = False
        self._closed = False

    # -- start and end

    def recover(self, most: int | None = None) -> tuple[RecoveryReport, list[Recipient]]:
        """See `Spool.recover`. Raises SpoolError when the partition cannot be read."""
        settings = self.settings if most is None else replace(self.settings, max_resident=most)
        recovery = Recovery(self._engine, settings)
        try:
            report, recipients = recovery.run()
        except OSError as exc:
            raise SpoolError(f"the spool partition {self._engine.name} cannot be read: {exc}") from exc
        self._residents.recovered(recovery.live)
        self._contents.recovered(recovery.contents)
        kept = (kept.generation for kept in recovery.contents if kept.is_in_journal)
        answers = (generation for _, generation in recovery.answers)
        self._uses.recovered(
            recovery.generations, chain((live.generation for live in recovery.live.values()), kept, answers)
        )
        self._answers.recovered(recovery.answers)
        # What the last run left and nothing needs goes now: the new segment's seal says so, durably. A start that is
        # cut off before the first rotation would leave one segment more than the one before, each time.
        self._release()
        self._journal.begin()
        self._begin_segment(self._log.newest)
        self._release()
        self._waiting.flows.update(self._engine.store.summaries())
        self._offers.closed = None
        self._recovered = True
        self._journal.start()
        self._settler.start()
        return report, recipients

    async def close(self) -> None:
        """Sync what was recorded, finish the store's work, stop the threads, release the lock."""
        if self._closed:
            return
        self._closed = True
        self._offers.closed = SpoolError("the spool is closed")
        if self._recovered:
            await self._loop.run_in_executor(self._threads, self._journal.stop)
            self._waiting.flush()
            await self._leftovers.close()
            await self._loop.run_in_executor(self._threads, self._settler.stop)
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.close()

    # -- the journal's side

    def accept(self, message: Message, body: Body, then: Then, *, settled: bool = False) -> None:
        """See `Spool.accept`."""
        self._offers.accept(message, body, then, settled)

    def accept_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
        settled: bool = False,
    ) -> None:
        """See `Spool.accept_all`."""
        self._offers.accept_all(messages, then, contents, answer, settled)

    def on_answer(self, tell: OnAnswer) -> None:
        """See `Spool.on_answer`."""
        self._answers.on_answer(tell)

    def note(self, facts: Sequence[Fact], then: Then | None = None) -> None:
        """See `Spool.note`. What cannot be written is dropped as a client's mail would be refused."""
        closed = self._offers.closed
        if closed is not None:
            self._callbacks.call(then, closed)
            return
        last = len(facts) - 1
        for number, fact in enumerate(facts):
            asks = then if number == last else None
            self._journal.append(
                Item(FACT, encode(fact), b"", None, asks, sync=asks is not None, refusable=True)
            )

    def record(
        self, events: Sequence[Event], then: Then | None = None, *, facts: Sequence[Fact] = ()
    ) -> None:
        """See `Spool.record`."""
        for fact in facts:
            self._journal.append(Item(FACT, encode(fact), b"", None, None))
        last = len(events) - 1
        for number, event in enumerate(events):
            asks = then if number == last else None
            if event.index >= 0:
                self._expect(event)
            self._journal.append(Item(EVENT, encode(event), b"", event, asks, sync=asks is not None))
        if last < 0 and then is not None:
            self._journal.append(Item(0, b"", b"", None, then, sync=True))

    def expect(self, events: Sequence[Event]) -> None:
        """See `Spool.expect`."""
        for event in events:
            self._expect(event)

    def _expect(self, event: Event) -> None:
        if not self._residents.has_open(event):
            self._waiting.expect(event)

    def settle(self, recipients: Sequence[Recipient], then: Then | None = None) -> None:
        """See `Spool.settle`."""
        expires_at = self.settings.expires_at
        rows = [(r, expires_at(r)) for r in recipients]
        self._leaving.on_the_way += len(rows)
        self._journal.append(Item(0, b"", b"", rows, then, sync=then is not None))

    def _done(self, items: list[Item]) -> None:
        """Take over what has become durable, in order, or was not kept."""
        for item in items:
            subject = item.subject
            if item.error is not None:
                if item.kind == ACCEPT:
                    self._offers.not_kept(item, item.error)
                else:
                    self._callbacks.call(item.then, item.error)
                continue
            if item.kind and item.generation != self._uses.newest:
                self._begin_segment(item.generation)
            if item.kind == ACCEPT:
                assert isinstance(subject, Message)
                self._accepted(item, subject)
                self._callbacks.call(item.then, None)
            elif item.kind == EVENT:
                assert isinstance(subject, Event)
                self._recorded(item, subject)
                if item.then is not None:
                    self._callbacks.call(item.then, None)
            elif item.kind == CONTENT:
                assert isinstance(subject, Content)
                self._contents.wrote(subject.id, item.generation, item.offset, item.size, item.flags)
                if not item.flags & LARGE:
                    self._bodies.add(subject.id, item.body)
            elif item.kind == ANSWER:
                assert isinstance(subject, KeyedAnswer)
                self._answers.durable(subject, item.generation)
                self._callbacks.call(item.then, None)
            elif item.subject is None:
                self._callbacks.call(item.then, None)
            else:
                assert isinstance(subject, list)
                self._leaving.settle(subject, partial(self._callbacks.call, item.then, None))
        self._release()

    def _begin_segment(self, generation: int) -> None:
        self._uses.begin(generation)
        if len(self._uses) > max(2, self.settings.journal_segments * 3 // 4):
            oldest = self._uses.oldest
            self._leaving.relieve(oldest)
            for answer in self._answers.up_to(oldest):
                self._journal.append(Item(ANSWER, encode(answer), b"", answer, None))

    def _accepted(self, item: Item, message: Message) -> None:
        live = Live(message, item.generation, item.offset, item.size, item.flags)
        self._residents.add(live)
        self._uses.accepted()
        if message.content:
            live.content = self._contents.get(message.content)
            if item.body:
                self._places.was_read(message.id, item.body)
        elif not item.flags & LARGE:
            self._bodies.add(message.id, item.body)
        if item.flags & SETTLED:
            self._leaving.settle_whole([live], leased=False)

    def _recorded(self, item: Item, event: Event) -> None:
        if event.index < 0:
            return
        if self._residents.note(event, item.meta):
            return
        self._uses.await_store(self._waiting.next_ticket)
        self._waiting.add(event, item.meta)

    def _finished(self, live: Live) -> None:
        """A message's recipients are all finished, or in the store."""
        message_id = live.message.id
        self._uses.finished(live.generation)
        if live.content is not None:
            self._contents.unname(live.content)
        else:
            self._bodies.drop(message_id)
        if live.is_large:
            if live.stored:
                self._leftovers.remove_unless_stored(message_id)
            else:
                self._large.remove(message_id)

    def _release(self) -> None:
        """Let go of the oldest segments that nothing needs any more."""
        first = self._uses.release(self._waiting.done_ticket)
        if first is not None:
            self._log.release(first)

    # -- the settled store's side

    def _gone(self, gone: Remains) -> None:
        for message_id in gone.large:
            if message_id not in self._residents:
                self._large.remove(message_id)
        for content_id in gone.contents:
            if content_id not in self._contents:
                self._places.forget(content_id)
                self._leftovers.drop_unless_named(content_id)

    def _unnamed(self, kept: KeptContent) -> None:
        """No message of the journal names a content any more."""
        self._bodies.drop(kept.id)
        self._places.forget(kept.id)
        if not kept.stored:
            if kept.is_large:
                self._large.remove(MessageId(kept.id))
        else:
            self._leftovers.drop_unless_named(kept.id)

    def flows(self) -> Mapping[Flow, FlowSummary]:
        """See `Spool.flows`."""
        return self._waiting.flows

    def on_flow(self, tell: Callable[[Flow, FlowSummary], None]) -> None:
        """See `Spool.on_flow`."""
        self._waiting.tell.append(tell)

    async def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """See `Spool.page`."""
        return await self._waiting.page(flow, now, limit)

    async def count(self, selection: Selection) -> int:
        """See `Spool.count`."""
        return await self._waiting.count(selection)

    async def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """See `Spool.select`."""
        return await self._waiting.select(selection, after, limit)

    async def look(self, flows: Sequence[Flow], now: float, most: int) -> Mapping[Flow, FlowLook]:
        """See `Spool.look`."""
        return await self._waiting.look(flows, now, most)

    async def last_events(
        self, keys: Sequence[tuple[MessageId, int]]
    ) -> Mapping[tuple[MessageId, int], Event]:
        """See `Spool.last_events`."""
        return await self._waiting.last_events(keys)

    def due_to_expire(self, now: float, limit: int) -> AsyncIterator[list[Recipient]]:
        """See `Spool.due_to_expire`."""
        return self._waiting.due_to_expire(now, limit)

    # -- bodies and questions

    def body_now(self, message: Message) -> bytes | None:
        """See `Spool.body_now`."""
        return self._places.now(message)

    async def load_body(self, message: Message) -> Body:
        """See `Spool.load_body`."""
        return await self._places.load(message, self._settler)

    def data_now(self, message: Message) -> bytes | None:
        """See `Spool.data_now`."""
        return self._places.data_now(message)

    async def load_data(self, message: Message) -> bytes:
        """See `Spool.load_data`."""
        return await self._places.load_data(message, self._settler) if message.content else b""

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """See `Spool.large_body`."""
        return self._large.writer(message_id)

    async def history(self, message_id: MessageId) -> tuple[Message | None, list[Event]]:
        """See `Spool.history`."""
        await self._written()
        self._waiting.flush()
        live = self._residents.get(message_id)
        begin = (live.generation, live.offset) if live is not None else (0, 0)
        message, events = await self._loop.run_in_executor(
            self._threads, find_message, self._log, message_id, *begin
        )
        stored, older = await self._settler.ask(
            lambda s: (s.messages([message_id]).get(message_id), s.events(message_id))
        )
        return message or stored or (live.message if live else None), in_order(events, older)

    async def _written(self) -> None:
        """Wait until what was recorded before can be read back, or cannot be written for now."""
        written = self._loop.create_future()

        def then(error: SpoolError | None) -> None:
            if not written.done():
                written.set_result(None)

        self._journal.append(Item(0, b"", b"", None, then, sync=True, refusable=True))
        await written

    def status(self) -> SpoolStatus:
        """See `Spool.status`."""
        settled = sum(summary.queued + summary.held for summary in self._waiting.flows.values())
        return SpoolStatus(
            self._offers.refusal(),
            "; ".join(filter(None, (self._journal.complaint(), self._settler.unwell))),
            self._log.size_bytes,
            len(self._uses),
            settled + self._leaving.on_the_way,
            self._bodies.size_bytes,
            self._journal.backlog + self._waiting.backlog,
        )
