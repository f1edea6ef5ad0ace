"""Why is this mail not moving? Every queue in numbers, and each of its waiting recipients under one cause."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from angarium.core.reasons import HoldReason, merged
from angarium.core.records import Flow, FlowSummary, QueueKey
from angarium.queue.causes import Causes, Silences
from angarium.queue.memory import Memory
from angarium.queue.queues import Queue, Said
from angarium.queue.reachability import Reachability
from angarium.queue.state import State

NOBODY_SILENT: Silences = {}


class QueueStatus(NamedTuple):
    """One queue at a glance.

    *active* recipients are due and in memory, *in_flight* are being delivered, *stored* wait in the settled
    store for their time or for room, *held* were set aside. *connections* are open, *opening* on their way.
    *oldest* is the earliest reception, *next_try* when something happens next by itself; None when there is
    no such thing. *last_reply* is what was said last. *route* says where the mail goes and why, empty while unknown.
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

    def status(self, now: float, silences: Silences = NOBODY_SILENT) -> list[QueueStatus]:
        """All queues that have mail or connections, those with most mail first."""
        stored: dict[QueueKey, dict[Flow, FlowSummary]] = {}
        for flow, summary in self._memory.stored.summaries.items():
            stored.setdefault(flow.queue, {})[flow] = summary
        causes = Causes(self._state, self._reachability, silences, now)
        keys = dict.fromkeys([*(QueueKey(*key) for key in self._state.queues), *stored])
        rows = [self._row(key, stored.get(key, {}), causes, now) for key in keys]
        rows.sort(key=lambda row: (-(row.active + row.in_flight + row.stored), row.queue))
        return rows

    def _row(self, key: QueueKey, stored: dict[Flow, FlowSummary], causes: Causes, now: float) -> QueueStatus:
        queue = self._state.queues.get(key)
        said = self._state.last_replies.get(key) if queue is None else queue.last_reply
        held_by = merged(self._reasons(key, queue, stored, said, causes, now), of_one_queue=True)
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
        said: Said | None,
        causes: Causes,
        now: float,
    ) -> Iterator[HoldReason]:
        """Yield what holds the mail of a queue, each with how much of it."""
        due = queue.ready.count if queue is not None else 0
        is_suspended = self._state.config.outbound(*key).suspend_delivery
        for summary in stored.values():
            if summary.held:
                yield replace(causes.held(key), waiting=summary.held)
            if not summary.queued:
                continue
            if is_suspended or summary.next_due is None or summary.next_due <= now:
                due += summary.queued
            else:
                put_off = causes.of_put_off(key, said)
                yield replace(
                    put_off, waiting=summary.queued, next_try=summary.next_due, last_try=summary.next_due
                )
        if due:
            yield replace(causes.of_due(queue) if queue is not None else causes.of_unknown(key), waiting=due)


def _earliest(*times: float | None) -> float | None:
    return min((at for at in times if at is not None), default=None)


def _route(queue: Queue) -> str:
    why = queue.plan.why if queue.plan is not None else ""
    name = queue.counted_as.domain
    return f"{why}; limits of {name} (Rollup_MX)" if why and name != queue.key.domain else why
