"""Why is this mail not moving? Every queue in numbers, and each of its waiting recipients under one cause."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import NamedTuple

from msgspec.structs import replace

from angarium.core.ids import MessageId
from angarium.core.reasons import HoldReason, merged, worded
from angarium.core.records import TERMINAL, Event, Flow, FlowSummary, QueueKey, Recipient
from angarium.queue.causes import Causes, Silences
from angarium.queue.memory import Memory
from angarium.queue.plan import RoutePlan
from angarium.queue.queues import Queue, Said
from angarium.queue.reachability import Reachability
from angarium.queue.state import State
from angarium.spool.port import FlowLook, Selection


class Seen(NamedTuple):
    """What others than the scheduler know: what connections wait for, and what a closer look at the store has shown."""

    silences: Silences = MappingProxyType({})
    looks: Mapping[Flow, FlowLook] = MappingProxyType({})


MOST_ADDRESSES = 3
NOTHING_SEEN = Seen()
_UNSEEN = FlowLook(0, None, [], [])


class QueueStatus(NamedTuple):
    """One queue at a glance.

    *active* recipients are due and in memory, *in_flight* are being delivered, *stored* wait in the settled
    store for their time or for room, *held* were set aside. *connections* are open, *opening* on their way.
    *oldest* is the earliest reception, *next_try* when something happens next by itself; None when there is
    no such thing. *last_reply* is what was said last. *route* says where the mail goes and why, empty while unknown,
    and *addresses* name the first of the places.
    *held_by* counts each recipient that waits once, by its cause: together as many as are active, stored and held.
    """

    queue: QueueKey
    active: int
    in_flight: int
    stored: int
    held: int
    connections: int
    opening: int
    oldest: float | None
    next_try: float | None
    last_reply: Said | None
    route: str
    addresses: list[str]
    held_by: list[HoldReason]

    @property
    def hold(self) -> HoldReason | None:
        """What holds most of it."""
        return self.held_by[0] if self.held_by else None


class Explainer:
    """Reads the scheduler's records; changes nothing."""

    def __init__(self, state: State, memory: Memory, reachability: Reachability) -> None:
        self._state = state
        self._memory = memory
        self._reachability = reachability

    def rows(self, now: float, seen: Seen, selection: Selection) -> Iterator[QueueStatus]:
        """Yield the queues that *selection* covers, in no order. What happens between two of them does no harm."""
        stored: dict[QueueKey, dict[Flow, FlowSummary]] = {}
        for flow, summary in self._memory.stored.summaries.items():
            if selection.covers(flow.binding, flow.domain):
                stored.setdefault(flow.queue, {})[flow] = summary
        causes = Causes(self._state, self._reachability, seen.silences, now)
        active = [QueueKey(*key) for key in self._state.queues if selection.covers(*key)]
        for key in dict.fromkeys([*active, *stored]):
            yield self._row(key, stored.get(key, {}), seen.looks, causes, now)

    def _row(
        self,
        key: QueueKey,
        stored: dict[Flow, FlowSummary],
        looks: Mapping[Flow, FlowLook],
        causes: Causes,
        now: float,
    ) -> QueueStatus:
        queue = self._state.queues.get(key)
        said = self._state.last_replies.get(key) if queue is None else queue.last_reply
        held_by = merged(self._reasons(key, queue, stored, looks, causes, now), of_one_queue=True)
        oldest = [summary.oldest for summary in stored.values()]
        return QueueStatus(
            key,
            queue.ready.count if queue is not None else 0,
            queue.in_flight if queue is not None else 0,
            sum(summary.queued for summary in stored.values()),
            sum(summary.held for summary in stored.values()),
            queue.open if queue is not None else 0,
            queue.opening if queue is not None else 0,
            _earliest(*oldest, *(self._received(queue, causes) if queue is not None else ())),
            _earliest(*(reason.next_try for reason in held_by)),
            said,
            _route(queue) if queue is not None else "",
            addresses_of(queue.plan) if queue is not None and queue.plan is not None else [],
            held_by,
        )

    def _received(self, queue: Queue, causes: Causes) -> Iterator[float]:
        for recipient in queue.ready:
            yield recipient.message.received_at
        for connection in causes.connections(queue):
            if connection.batch:
                yield connection.batch[0].message.received_at

    def _reasons(
        self,
        key: QueueKey,
        queue: Queue | None,
        stored: dict[Flow, FlowSummary],
        looks: Mapping[Flow, FlowLook],
        causes: Causes,
        now: float,
    ) -> Iterator[HoldReason]:
        """Yield what holds the mail of a queue, each with how much of it."""
        due = queue.ready.count if queue is not None else 0
        said = self._state.last_replies.get(key) if queue is None else queue.last_reply
        is_suspended = self._state.config.outbound(*key).suspend_delivery
        for flow, summary in stored.items():
            look = looks.get(flow, _UNSEEN)
            if summary.held:
                # An operator leaves an event; mail to us is held from the start.
                held = [causes.held(key, each.event, is_feedback=each.event is None) for each in look.held]
                yield from _shared_out(summary.held, held, causes.held(key), None)
            due_here = summary.queued if is_suspended else _due_of(summary, look, now)
            due += due_here
            if summary.queued > due_here:
                later = [_at(causes.of_event(key, row.event), row.due_at) for row in look.later]
                otherwise = _at(causes.of_put_off(key, said), summary.next_due)
                yield from _shared_out(summary.queued - due_here, later, otherwise, look.last_due)
        if due:
            yield replace(causes.of_due(queue) if queue is not None else causes.of_unknown(key), waiting=due)

    def of_recipients(
        self,
        recipients: Sequence[Recipient],
        events: Mapping[tuple[MessageId, int], Event],
        now: float,
        silences: Silences,
    ) -> list[HoldReason | None]:
        """Say of each recipient what it waits for, None of those that have ended. *events* are their last ones."""
        causes = Causes(self._state, self._reachability, silences, now)
        flying = {
            each.key: connection
            for connection in self._state.connections.values()
            for each in connection.batch
        }
        found: list[HoldReason | None] = []
        for each in recipients:
            if each.state in TERMINAL:
                found.append(None)
                continue
            connection = flying.get(each.key)
            if connection is not None:
                reason = causes.delivering(connection)
            else:
                reason = self._of_recipient(each, events.get(each.key), causes, now)
            found.append(worded(replace(reason, waiting=1)))
        return found

    def _of_recipient(
        self, recipient: Recipient, event: Event | None, causes: Causes, now: float
    ) -> HoldReason:
        key = recipient.queue
        if recipient.state == "held":
            return causes.held(key, event, is_feedback=recipient.message.fate == "feedback")
        if recipient.due_at > now and not self._state.config.outbound(*key).suspend_delivery:
            if event is None and recipient.last_reply is not None:
                return _at(causes.of_put_off(key, Said(0.0, recipient.last_reply)), recipient.due_at)
            return _at(causes.of_event(key, event), recipient.due_at)
        queue = self._state.queues.get(key)
        return causes.of_due(queue) if queue is not None else causes.of_unknown(key)


def _due_of(summary: FlowSummary, look: FlowLook, now: float) -> int:
    """How many of a flow's queued rows could be tried now: as many as were seen to be, else all or none."""
    if summary.next_due is None or summary.next_due > now:
        return 0
    return summary.queued if look is _UNSEEN else min(look.due, summary.queued)


def _shared_out(
    count: int, found: list[HoldReason], otherwise: HoldReason, last_due: float | None
) -> list[HoldReason]:
    """Put *count* recipients under the causes *found* of some of them. Where more are there than were looked at, they
    are counted with most of those; where none was, under *otherwise*.
    """
    if not found:
        return [replace(otherwise, waiting=count)]
    groups = merged((replace(each, waiting=1) for each in found[:count]), of_one_queue=True)
    rest = count - min(count, len(found))
    if not rest:
        return groups
    main, *others = groups
    last_try = max((at for at in (main.last_try, last_due) if at is not None), default=None)
    return [replace(main, waiting=main.waiting + rest, last_try=last_try), *others]


def _at(reason: HoldReason, due_at: float | None) -> HoldReason:
    return replace(reason, next_try=due_at, last_try=due_at)


def _earliest(*times: float | None) -> float | None:
    return min((at for at in times if at is not None), default=None)


def addresses_of(plan: RoutePlan) -> list[str]:
    """Return the first addresses of *plan* with their hosts, best first."""
    addresses = chain.from_iterable(level.addresses for level in plan.levels)
    return [
        f"{each.host} {each}" if each.host != each.ip else str(each)
        for each in islice(addresses, MOST_ADDRESSES)
    ]


def _route(queue: Queue) -> str:
    why = queue.plan.why if queue.plan is not None else ""
    name = queue.counted_as.domain
    return f"{why}; limits of {name} (Rollup_MX)" if why and name != queue.key.domain else why
