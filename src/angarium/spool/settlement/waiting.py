"""What waits in the settled store, as the loop sees it.

Events of settled recipients are gathered and applied in batches. Until then they are *ahead* of the store;
whatever the store returns is brought up to them, so that no recipient is handed out that an event has
ended.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from angarium.core.ids import MessageId
from angarium.core.records import Event, Flow, FlowSummary, Recipient
from angarium.spool.contents import KeptContent
from angarium.spool.port import FlowLook, Selection
from angarium.spool.residents import Live
from angarium.spool.settings import SpoolSettings
from angarium.spool.settlement.settler import Settler, Write
from angarium.spool.store import BEFORE_ALL, Changes, ExpiryPlace, Remains, SettledStore, Settling


class Waiting:
    """The loop's side of a settled store.

    Every piece of work has a ticket; all up to `done_ticket` are durable. *give_back* settles recipients that
    were taken and not asked for any more. *progressed* is called when `done_ticket` has grown, *gone* with what
    finished messages have left.
    """

    def __init__(
        self,
        store: SettledStore,
        loop: asyncio.AbstractEventLoop,
        settings: SpoolSettings,
        *,
        read_body: Callable[[Live | KeptContent], bytes | None],
        give_back: Callable[[Sequence[Recipient]], None],
        progressed: Callable[[], None],
        gone: Callable[[Remains], None],
    ) -> None:
        self.settler = Settler(
            store,
            loop,
            read_body,
            self._changed,
            gone,
            retry_delay_s=settings.retry_delay_s,
            sync_delay_s=settings.store_sync_delay_s,
        )
        self.flows: dict[Flow, FlowSummary] = {}
        self.tell: list[Callable[[Flow, FlowSummary], None]] = []
        self.done_ticket = 0
        self._ticket = 0
        self._loop = loop
        self._delay_s = settings.settle_delay_s
        self._give_back = give_back
        self._progressed = progressed
        self._events: list[tuple[Event, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ahead: dict[tuple[MessageId, int], Event] = {}

    @property
    def next_ticket(self) -> int:
        """The ticket of the work given next."""
        return self._ticket + 1

    @property
    def backlog(self) -> int:
        """How many rows and events are not in the store yet."""
        return len(self._events) + self.settler.backlog

    def expect(self, event: Event) -> None:
        """Note an event that is on its way to a settled recipient."""
        self._ahead[event.message, event.index] = event

    def add(self, event: Event, data: bytes) -> None:
        """Take a durable event of a settled recipient; it goes with the next ticket."""
        self._events.append((event, data))
        if self._timer is None:
            self._timer = self._loop.call_later(self._delay_s, self.flush)

    def flush(self) -> None:
        """Send the gathered events to the store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events = self._events, []
        if events:
            self._write(partial(self._applied, events), events=events)

    def send(self, lives: list[Live], rows: list[Settling], done: Callable[[], None]) -> None:
        """Settle *rows*, behind the events gathered so far; *done* is called when they are durable."""
        self.flush()
        self._write(done, lives=lives, recipients=rows)

    def keep(self, contents: list[KeptContent], done: Callable[[], None]) -> None:
        """Have the store take contents; *done* is called when they are durable there."""
        self._write(done, contents=contents)

    def _write(
        self,
        done: Callable[[], None],
        *,
        contents: Sequence[KeptContent] = (),
        lives: Sequence[Live] = (),
        recipients: Sequence[Settling] = (),
        events: Sequence[tuple[Event, bytes]] = (),
    ) -> None:
        self._ticket += 1
        finish = partial(self._finish, self._ticket, done)
        self.settler.write(
            Write(finish, lives=lives, recipients=recipients, events=events, contents=contents)
        )

    def _finish(self, ticket: int, done: Callable[[], None]) -> None:
        self.done_ticket = ticket
        done()
        self._progressed()

    def _applied(self, events: list[tuple[Event, bytes]]) -> None:
        for event, _ in events:
            key = event.message, event.index
            if self._ahead.get(key) is event:
                del self._ahead[key]

    def _changed(self, changes: Changes) -> None:
        for flow, summary in changes:
            if summary.queued or summary.held:
                self.flows[flow] = summary
            else:
                self.flows.pop(flow, None)
            for tell in self.tell:
                tell(flow, summary)

    async def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """See `Spool.page`."""
        self.flush()
        found = await self.settler.ask(
            lambda store: store.page(flow, now, limit), transaction=True, abandoned=self._give_back
        )
        current, stale = self._brought_up(found, lambda r: r.state == "queued" and r.flow == flow)
        if stale:
            self._give_back(stale)
        return current

    def _brought_up(
        self, found: list[Recipient], wanted: Callable[[Recipient], bool]
    ) -> tuple[list[Recipient], list[Recipient]]:
        """Apply what was recorded but is not in the store yet. Returns what is still wanted, and what is not
        (alive).
        """
        current, stale = [], []
        for recipient in found:
            event = self._ahead.get(recipient.key)
            if event is not None:
                recipient.apply(event)
                if not wanted(recipient):
                    if recipient.state in ("queued", "held"):
                        stale.append(recipient)
                    continue
            current.append(recipient)
        return current, stale

    async def count(self, selection: Selection) -> int:
        """See `Spool.count`."""
        self.flush()
        return await self.settler.ask(lambda store: store.count(selection))

    async def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """See `Spool.select`."""
        self.flush()
        found = await self.settler.ask(lambda store: store.select(selection, after, limit))
        return self._brought_up(found, lambda r: _matches(selection, r))[0]

    async def look(self, flows: Sequence[Flow], now: float, most: int) -> dict[Flow, FlowLook]:
        """See `Spool.look`."""
        self.flush()
        return await self.settler.ask(lambda store: store.look(flows, now, most))

    async def last_events(self, keys: Sequence[tuple[MessageId, int]]) -> dict[tuple[MessageId, int], Event]:
        """See `Spool.last_events`."""
        self.flush()
        return await self.settler.ask(lambda store: store.last_events(keys))

    async def due_to_expire(self, now: float, limit: int) -> AsyncIterator[list[Recipient]]:
        """See `Spool.due_to_expire`."""
        after: ExpiryPlace | None = BEFORE_ALL
        while after is not None:
            self.flush()
            ask = partial(_expiring, now=now, after=after, limit=limit)
            found, after = await self.settler.ask(ask)
            current, _ = self._brought_up(found, lambda r: r.state in ("queued", "held"))
            if current:
                yield current


def _expiring(
    store: SettledStore, now: float, after: ExpiryPlace, limit: int
) -> tuple[list[Recipient], ExpiryPlace | None]:
    return store.due_to_expire(now, after, limit)


def _matches(selection: Selection, recipient: Recipient) -> bool:
    return (
        recipient.state in ("queued", "held")
        and selection.state in (None, recipient.state)
        and selection.covers(recipient.binding, recipient.domain)
    )
