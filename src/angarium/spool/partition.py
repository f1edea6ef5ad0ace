"""One partition of the spool, with one writer: what is promised of it, on whatever engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from itertools import chain

from angarium.core.ids import MessageId
from angarium.core.records import Content, Event, Fact, Flow, FlowSummary, Message, Recipient
from angarium.spool import groups
from angarium.spool.admission import Admission
from angarium.spool.bodies import BodyPlaces, ResidentBodies
from angarium.spool.codec import ACCEPT, CONTENT, EVENT, FACT, LARGE, SETTLED, encode
from angarium.spool.contents import Contents, KeptContent
from angarium.spool.engine import SpoolEngine
from angarium.spool.history import find_message, in_order
from angarium.spool.journal import Item, Journal
from angarium.spool.port import (
    Body,
    LargeBody,
    LargeBodyWriter,
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

SEGMENT_MARGIN = 4096


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
        self._refusal = SpoolError("the spool has not been recovered yet")
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovered = False
        self._closed = False

    # -- start and end

    def recover(self) -> tuple[RecoveryReport, list[Recipient]]:
        """Read what the last run left, and begin. Raises SpoolError when the partition cannot be read."""
        recovery = Recovery(self._engine, self.settings)
        try:
            report, recipients = recovery.run()
        except OSError as exc:
            raise SpoolError(f"the spool partition {self._engine.name} cannot be read: {exc}") from exc
        self._residents.recovered(recovery.live)
        self._contents.recovered(recovery.contents)
        kept = (kept.generation for kept in recovery.contents if kept.is_in_journal)
        self._uses.recovered(
            recovery.generations, chain((live.generation for live in recovery.live.values()), kept)
        )
        # What the last run left and nothing needs goes now: the new segment's seal says so, durably. A start that is
        # cut off before the first rotation would leave one segment more than the one before, each time.
        self._release()
        self._journal.begin()
        self._begin_segment(self._log.newest)
        self._release()
        self._waiting.flows.update(self._engine.store.summaries())
        self._refusal = SpoolError("the spool is closed")
        self._recovered = True
        self._journal.start()
        self._settler.start()
        return report, recipients

    async def close(self) -> None:
        """Sync what was recorded, finish the store's work, stop the threads, release the lock."""
        if self._closed:
            return
        self._closed = True
        if self._recovered:
            await self._loop.run_in_executor(self._threads, self._journal.stop)
            self._waiting.flush()
            await asyncio.gather(*self._tasks)
            await self._loop.run_in_executor(self._threads, self._settler.stop)
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.close()

    # -- the journal's side

    def accept(self, message: Message, body: Body, then: Then, *, settled: bool = False) -> None:
        """See `Spool.accept`. Messages that were made here (origin `internal`) are kept like events: nobody
        waits who could be refused, so they are written again after a failed write, and may use the spare
        segment."""
        item = self._item(message, body, then, settled)
        error = self._may_accept(item.size, item.refusable)
        if error is None and message.content:
            error = self._name_contents((message,), None)
        if error is not None:
            self._loop.call_soon(self._refused, message, item.flags, then, error)
            return
        self._journal.append(item)

    def _item(self, message: Message, body: Body, then: Then | None, settled: bool) -> Item:
        flags = SETTLED if settled else 0
        if isinstance(body, LargeBody):
            flags |= LARGE
            body = b""
        refusable = message.origin.listener != "internal"
        return Item(ACCEPT, encode(message), body, message, then, flags=flags, sync=True, refusable=refusable)

    def accept_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        content: SharedBody | None = None,
        settled: bool = False,
    ) -> None:
        """See `Spool.accept_all`. When one of them was made here, all are kept as it is."""
        items = [self._item(message, body, None, settled) for message, body in messages]
        if content is not None:
            if not any(message.content == content.content.id for message, _ in messages):
                raise ValueError("a content that no message names would never go")
            items.insert(0, _content_item(content))
        items[-1].then = then
        refusable = all(item.refusable for item in items)
        error = self._may_accept(sum(item.size for item in items), refusable)
        if error is None:
            error = self._name_contents([message for message, _ in messages], items[0] if content else None)
        if error is not None:
            self._loop.call_soon(self._refused_all, items, error)
            return
        for item, mark in zip(items, groups.marks(len(items)), strict=True):
            item.flags |= mark
            item.refusable = refusable
        self._journal.append_group(items)

    def _name_contents(self, messages: Sequence[Message], begun: Item | None) -> SpoolError | None:
        """Count the messages that name a content, so that it stays: *begun*, or one that is here. Counts none where one
        of them names another.
        """
        named = [message.content for message in messages if message.content]
        new = begun.subject.id if begun is not None and isinstance(begun.subject, Content) else b""
        for content_id in set(named):
            if content_id != new and not self._contents.is_here(content_id):
                return SpoolError(f"content {content_id.hex()} is not in the spool, or not any more")
        if begun is not None:
            self._contents.begin(new, begun.meta, begun.flags)
        for content_id in named:
            self._contents.name(content_id)
        return None

    def _refused_all(self, items: list[Item], error: SpoolError) -> None:
        for item in items:
            if isinstance(item.subject, Message):
                self._refused(item.subject, item.flags, item.then or _nobody, error)
            elif isinstance(item.subject, Content) and item.flags & LARGE:
                self._large.remove(item.subject.id)

    def _may_accept(self, size: int, refusable: bool) -> SpoolError | None:
        if self._closed or not self._recovered:
            return self._refusal
        if size + SEGMENT_MARGIN > self.settings.segment_bytes:
            return SpoolError(f"a message of {size} bytes does not fit in a journal segment")
        return self._admission.refusal() if refusable else None

    def _refused(self, message: Message, flags: int, then: Then, error: SpoolError) -> None:
        if flags & LARGE:
            self._large.remove(message.id)
        self._call(then, error)

    def _call(self, then: Then | None, error: SpoolError | None) -> None:
        if then is not None:
            try:
                then(error)
            except Exception as exc:  # noqa: BLE001 - the owner's mistake must not cost the others of the batch their answer
                self._loop.call_exception_handler({"message": "a spool callback failed", "exception": exc})

    def note(self, facts: Sequence[Fact]) -> None:
        """See `Spool.note`. What cannot be written is dropped as a client's mail would be refused."""
        if self._recovered and not self._closed:
            for fact in facts:
                self._journal.append(Item(FACT, encode(fact), b"", None, None, refusable=True))

    def record(self, events: Sequence[Event], then: Then | None = None) -> None:
        """See `Spool.record`."""
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
                    assert isinstance(subject, Message)
                    if (kept := self._contents.get(subject.content)) is not None:
                        self._contents.unname(kept)
                    self._refused(subject, item.flags, item.then or _nobody, item.error)
                else:
                    self._call(item.then, item.error)
                continue
            if item.kind and item.generation != self._uses.newest:
                self._begin_segment(item.generation)
            if item.kind == ACCEPT:
                assert isinstance(subject, Message)
                self._accepted(item, subject)
                self._call(item.then, None)
            elif item.kind == EVENT:
                assert isinstance(subject, Event)
                self._recorded(item, subject)
                if item.then is not None:
                    self._call(item.then, None)
            elif item.kind == CONTENT:
                assert isinstance(subject, Content)
                self._contents.wrote(subject.id, item.generation, item.offset, item.size, item.flags)
                if not item.flags & LARGE:
                    self._bodies.add(subject.id, item.body)
            elif item.subject is None:
                self._call(item.then, None)
            else:
                assert isinstance(subject, list)
                self._leaving.settle(subject, partial(self._call, item.then, None))
        self._release()

    def _begin_segment(self, generation: int) -> None:
        self._uses.begin(generation)
        if len(self._uses) > max(2, self.settings.journal_segments * 3 // 4):
            self._leaving.relieve(self._uses.oldest)

    def _accepted(self, item: Item, message: Message) -> None:
        live = Live(message, item.generation, item.offset, item.size, item.flags)
        self._residents.add(live)
        self._uses.accepted()
        if message.content:
            live.content = self._contents.get(message.content)
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
                self._in_background(self._remove_unless_stored(message_id))
            else:
                self._large.remove(message_id)

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove_unless_stored(self, message_id: MessageId) -> None:
        try:
            if await self._settler.ask(lambda store: not store.known([message_id])):
                self._large.remove(message_id)
        except SpoolError:
            return  # the next recovery removes files of no message

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
            if content_id not in self._contents and not self._closed:
                self._in_background(self._drop_unless_named(content_id))

    def _unnamed(self, kept: KeptContent) -> None:
        """No message of the journal names a content any more."""
        self._bodies.drop(kept.id)
        if not kept.stored:
            if kept.is_large:
                self._large.remove(MessageId(kept.id))
        elif not self._closed:
            self._in_background(self._drop_unless_named(kept.id))

    async def _drop_unless_named(self, content_id: bytes) -> None:
        try:
            dropped = await self._settler.ask(
                lambda store: store.drop_contents([content_id]), transaction=True
            )
        except SpoolError:
            return  # the next recovery drops contents that nothing names
        for each in dropped:
            self._large.remove(MessageId(each))

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

    async def load_data(self, message: Message) -> bytes:
        """See `Spool.load_data`."""
        data = await self._places.load_own(message.id, self._settler) if message.content else b""
        assert isinstance(data, bytes)
        return data

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
            self._admission.refusal() if self._recovered and not self._closed else self._refusal,
            "; ".join(filter(None, (self._journal.complaint(), self._settler.unwell))),
            self._log.size_bytes,
            len(self._uses),
            settled + self._leaving.on_the_way,
            self._bodies.size_bytes,
            self._journal.backlog + self._waiting.backlog,
        )


def _content_item(content: SharedBody) -> Item:
    flags, body = (LARGE, b"") if isinstance(content.body, LargeBody) else (0, content.body)
    return Item(CONTENT, encode(content.content), body, content.content, None, flags=flags, refusable=True)


def _nobody(error: SpoolError | None) -> None:
    """Take an answer that nobody waits for."""
