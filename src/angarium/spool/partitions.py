"""Several partitions of one worker as one spool: mail comes into the active one, the others are drained.

The order of records is promised within a partition only: one who needs a record of one to be there before a record
of another waits for it, as reports do.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import TypeVar

from angarium.core.ids import MessageId
from angarium.core.records import Event, Fact, Flow, FlowSummary, KeyedAnswer, Message, Recipient
from angarium.spool.homes import Homes
from angarium.spool.port import (
    Body,
    FlowLook,
    LargeBodyWriter,
    OnAnswer,
    RecoveryReport,
    Selection,
    SharedBody,
    Spool,
    SpoolError,
    SpoolStatus,
    Then,
)

_T = TypeVar("_T")


class Partitions:
    """Implements `Spool`. *left* says why others could not be taken; it is told as being unwell. A start takes at most
    *max_resident* recipients into memory, the active partition's first.
    """

    def __init__(
        self, active: Spool, draining: Sequence[Spool], left: Iterable[str] = (), *, max_resident: int
    ) -> None:
        self._active = active
        self._opened = [active, *draining]
        self._held = [active, *draining]
        self._left = list(left)
        self._max_resident = max_resident
        self._homes = Homes(active)
        self._tell: list[Callable[[Flow, FlowSummary], None]] = []
        for spool in self._held:
            spool.on_flow(self._flow_changed)

    def recover(self, most: int | None = None) -> tuple[RecoveryReport, list[Recipient]]:
        """See `Spool.recover`. One to be drained that cannot be read is left alone, and told as being unwell."""
        room = self._max_resident if most is None else most
        reports, recipients = [], list[Recipient]()
        for spool in self._opened:
            try:
                report, found = spool.recover(max(0, room - len(recipients)))
            except SpoolError as error:
                if spool is self._active:
                    raise
                self._held.remove(spool)
                self._left.append(str(error))
                continue
            reports.append(report)
            recipients += found
            self._homes.note(spool, (each.message for each in found))
        return RecoveryReport(*map(sum, zip(*reports, strict=True))), recipients

    async def close(self) -> None:
        """See `Spool.close`."""
        await asyncio.gather(*[spool.close() for spool in self._opened])

    # -- what comes in

    def accept(self, message: Message, body: Body, then: Then, *, settled: bool = False) -> None:
        """See `Spool.accept`."""
        self._active.accept(message, body, then, settled=settled)

    def accept_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
        settled: bool = False,
    ) -> None:
        """See `Spool.accept_all`. A content that an earlier message names is looked for in the active partition."""
        self._active.accept_all(messages, then, contents=contents, answer=answer, settled=settled)

    def on_answer(self, tell: OnAnswer) -> None:
        """See `Spool.on_answer`."""
        for spool in self._held:
            spool.on_answer(tell)

    def note(self, facts: Sequence[Fact], then: Then | None = None) -> None:
        """See `Spool.note`."""
        self._active.note(facts, then)

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """See `Spool.large_body`."""
        return self._active.large_body(message_id)

    # -- what becomes of it

    def record(
        self, events: Sequence[Event], then: Then | None = None, *, facts: Sequence[Fact] = ()
    ) -> None:
        """See `Spool.record`. Without events, what was told before to any partition is waited for."""
        parts = self._by_home(events, lambda event: event.message)
        assert not facts or len(parts) == 1
        parts = parts or [(spool, []) for spool in self._held]
        told = _once(then, len(parts))
        for spool, part in parts:
            spool.record(part, told, facts=facts)

    def expect(self, events: Sequence[Event]) -> None:
        """See `Spool.expect`."""
        for spool, part in self._by_home(events, lambda event: event.message):
            spool.expect(part)

    def settle(self, recipients: Sequence[Recipient], then: Then | None = None) -> None:
        """See `Spool.settle`."""
        parts = self._by_home(recipients, lambda recipient: recipient.message.id) or [(self._active, [])]
        told = _once(then, len(parts))
        for spool, part in parts:
            spool.settle(part, told)

    def _by_home(
        self, items: Sequence[_T], message_of: Callable[[_T], MessageId]
    ) -> list[tuple[Spool, list[_T]]]:
        parts: dict[int, tuple[Spool, list[_T]]] = {}
        for item in items:
            spool = self._homes.of(message_of(item))
            parts.setdefault(id(spool), (spool, []))[1].append(item)
        return list(parts.values())

    # -- what has settled

    async def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """See `Spool.page`. Of several partitions, the one with the earliest due is asked first."""
        waiting = [(summary.next_due, spool) for spool in self._held if (summary := spool.flows().get(flow))]
        taken: list[Recipient] = []
        for due, spool in sorted(waiting, key=lambda each: (each[0] is None, each[0])):
            if due is None or due > now or len(taken) >= limit:
                break
            try:
                found = await spool.page(flow, now, limit - len(taken))
            except SpoolError:
                if not taken:
                    raise
                break  # what was taken is in memory now, and the flow is asked for again
            except asyncio.CancelledError:
                self.settle(taken)
                raise
            self._homes.note(spool, (each.message for each in found))
            taken += found
        return taken

    def flows(self) -> Mapping[Flow, FlowSummary]:
        """See `Spool.flows`."""
        return {flow: self._summary(flow) for spool in self._held for flow in spool.flows()}

    def on_flow(self, tell: Callable[[Flow, FlowSummary], None]) -> None:
        """See `Spool.on_flow`."""
        self._tell.append(tell)

    def _flow_changed(self, flow: Flow, summary: FlowSummary) -> None:
        whole = self._summary(flow)
        for tell in self._tell:
            tell(flow, whole)

    def _summary(self, flow: Flow) -> FlowSummary:
        found = [summary for spool in self._held if (summary := spool.flows().get(flow))]
        dues = [summary.next_due for summary in found if summary.next_due is not None]
        oldest = [summary.oldest for summary in found if summary.oldest is not None]
        return FlowSummary(
            sum(summary.queued for summary in found),
            sum(summary.held for summary in found),
            min(dues, default=None),
            min(oldest, default=None),
        )

    async def count(self, selection: Selection) -> int:
        """See `Spool.count`."""
        return sum(await asyncio.gather(*[spool.count(selection) for spool in self._held]))

    async def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """See `Spool.select`."""
        pieces = await asyncio.gather(*[spool.select(selection, after, limit) for spool in self._held])
        for spool, found in zip(self._held, pieces, strict=True):
            self._homes.note(spool, (each.message for each in found))
        return list(islice(merge(*pieces, key=lambda recipient: recipient.key), limit))

    async def look(self, flows: Sequence[Flow], now: float, most: int) -> Mapping[Flow, FlowLook]:
        """See `Spool.look`."""
        looks: dict[Flow, FlowLook] = {}
        for found in await asyncio.gather(*[spool.look(flows, now, most) for spool in self._held]):
            for flow, look in found.items():
                known = looks.get(flow)
                looks[flow] = look if known is None else _both(known, look, most)
        return looks

    async def last_events(
        self, keys: Sequence[tuple[MessageId, int]]
    ) -> Mapping[tuple[MessageId, int], Event]:
        """See `Spool.last_events`."""
        pieces = await asyncio.gather(*[spool.last_events(keys) for spool in self._held])
        return {key: event for piece in pieces for key, event in piece.items()}

    async def due_to_expire(self, now: float, limit: int) -> AsyncIterator[list[Recipient]]:
        """See `Spool.due_to_expire`. One partition after the other."""
        for spool in self._held:
            async for found in spool.due_to_expire(now, limit):
                self._homes.note(spool, (each.message for each in found))
                yield found

    # -- bodies and questions

    def body_now(self, message: Message) -> bytes | None:
        """See `Spool.body_now`."""
        return self._homes.of(message.id).body_now(message)

    async def load_body(self, message: Message) -> Body:
        """See `Spool.load_body`."""
        return await self._look_for(message, lambda spool: spool.load_body(message))

    def data_now(self, message: Message) -> bytes | None:
        """See `Spool.data_now`."""
        return self._homes.of(message.id).data_now(message)

    async def load_data(self, message: Message) -> bytes:
        """See `Spool.load_data`."""
        return await self._look_for(message, lambda spool: spool.load_data(message))

    async def _look_for(self, message: Message, ask: Callable[[Spool], Awaitable[_T]]) -> _T:
        home = self._homes.of(message.id)
        try:
            return await ask(home)
        except SpoolError:
            for spool in self._held:
                if spool is not home:
                    with contextlib.suppress(SpoolError):
                        return await ask(spool)
            raise

    async def history(self, message_id: MessageId) -> tuple[Message | None, list[Event]]:
        """See `Spool.history`."""
        events: list[Event] = []
        for spool in self._held:
            message, found = await spool.history(message_id)
            if message is not None:
                self._homes.note(spool, [message])
                return message, found
            events += found
        return None, events

    def status(self) -> SpoolStatus:
        """See `Spool.status`. Mail is refused as the active partition would."""
        each = [spool.status() for spool in self._held]
        return SpoolStatus(
            each[0].accepting,
            "; ".join(filter(None, [*(status.unwell for status in each), *self._left])),
            sum(status.journal_bytes for status in each),
            sum(status.segments for status in each),
            sum(status.settled_recipients for status in each),
            sum(status.resident_bodies_bytes for status in each),
            sum(status.backlog for status in each),
        )


def _once(then: Then | None, parts: int) -> Then | None:
    """Return what calls *then* when it has been called for each part: with the first error, if there was one."""
    if then is None or parts == 1:
        return then
    told = then
    left, first = parts, None

    def part_done(error: SpoolError | None) -> None:
        nonlocal left, first
        left -= 1
        first = first or error
        if not left:
            told(first)

    return part_done


def _both(a: FlowLook, b: FlowLook, most: int) -> FlowLook:
    lasts = [last for last in (a.last_due, b.last_due) if last is not None]
    later = sorted(a.later + b.later, key=lambda row: row.due_at)
    return FlowLook(a.due + b.due, max(lasts, default=None), later[:most], (a.held + b.held)[:most])
