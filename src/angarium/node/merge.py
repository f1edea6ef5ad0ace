"""The answers of several workers made one. Pure.

A domain's mail is spread over all partitions, so every worker has a part of each queue.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, Final, TypeVar

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.operations import (
    Changed,
    Count,
    Health,
    MessageHistory,
    QueueOrder,
    QueueRow,
    Queues,
    QueueTotals,
    RecipientRow,
    Recipients,
)
from angarium.core.reasons import merged, most
from angarium.node.conditions import NodeFacts, WorkerFacts, conditions, health_of

T = TypeVar("T")

MAX_REASONS = 10


@dataclass
class Answers:
    """What the workers said: results by worker, and for each of the others why there is none."""

    results: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """The failures as sentences."""
        return [f"worker {worker}: {why}" for worker, why in sorted(self.failures.items())]

    def need_one(self) -> None:
        """Raise AngariumError when no worker could do what was asked."""
        if not self.results and self.failures:
            reasons = set(self.failures.values())
            raise AngariumError(reasons.pop() if len(reasons) == 1 else "; ".join(self.problems))


def merge_queues(answers: Answers, limit: int | None, sort: QueueOrder = "waiting") -> Queues:
    """Add up the parts of each queue; return the first *limit* queues (None: all) as they are sorted, and the
    totals.
    """
    found: dict[tuple[str, str], QueueRow] = {}
    for part in answers.results.values():
        for row in msgspec.convert(part, list[QueueRow]):
            known = found.setdefault((row.binding, row.domain), row)
            if known is not row:
                _add(known, row)
    rows = list(found.values())
    for row in rows:
        row.held_by = merged(row.held_by, of_one_queue=True)
    return Queues(_first(rows, limit, _ORDERS[sort]), total(rows, limit), answers.problems)


def _add(row: QueueRow, more: QueueRow) -> None:
    row.active += more.active
    row.delayed += more.delayed
    row.held += more.held
    row.in_flight += more.in_flight
    row.connections += more.connections
    row.oldest = earliest((row.oldest, more.oldest))
    row.next_try = earliest((row.next_try, more.next_try))
    if (more.last_reply_at or 0) > (row.last_reply_at or 0):
        row.last_reply, row.last_reply_at = more.last_reply, more.last_reply_at
    row.held_by += more.held_by
    for lane, count in more.lanes.items():
        row.lanes[lane] = row.lanes.get(lane, 0) + count
    row.plan = row.plan or more.plan


_ORDERS: Final[Mapping[QueueOrder, Callable[[QueueRow], tuple[Any, ...]]]] = {
    "waiting": lambda row: (-row.waiting, -row.in_flight, row.domain, row.binding),
    "oldest": lambda row: (row.oldest is None, row.oldest or 0, row.domain, row.binding),
    "flight": lambda row: (-row.in_flight, -row.waiting, row.domain, row.binding),
    "next": lambda row: (row.next_try is None, row.next_try or 0, row.domain, row.binding),
    "domain": lambda row: (row.domain, row.binding),
}


def _first(
    rows: list[QueueRow], limit: int | None, order: Callable[[QueueRow], tuple[Any, ...]]
) -> list[QueueRow]:
    return sorted(rows, key=order) if limit is None else nsmallest(limit, rows, key=order)


def total(rows: Sequence[QueueRow], limit: int | None = None) -> QueueTotals:
    """Add up queues, and what holds their mail; all causes with *limit* None, else those that hold most."""
    reasons = merged(reason for row in rows for reason in row.held_by)
    return QueueTotals(
        queues=len(rows),
        waited_in=sum(1 for row in rows if row.waiting),
        active=sum(row.active for row in rows),
        delayed=sum(row.delayed for row in rows),
        held=sum(row.held for row in rows),
        in_flight=sum(row.in_flight for row in rows),
        connections=sum(row.connections for row in rows),
        oldest=earliest(row.oldest for row in rows),
        next_try=earliest(row.next_try for row in rows),
        reasons=reasons if limit is None else most(reasons, MAX_REASONS),
    )


def earliest(times: Iterable[float | None]) -> float | None:
    """Return the earliest of the times that there are."""
    return min((at for at in times if at is not None), default=None)


def merge_recipients(answers: Answers, limit: int) -> Recipients:
    """Return the *limit* recipients that are due first, held ones last."""
    rows = [row for part in answers.results.values() for row in msgspec.convert(part, list[RecipientRow])]
    rows.sort(key=lambda row: (row.state != "queued", row.due_at or 0, row.message, row.recipient))
    return Recipients(rows[:limit], len(rows) > limit, answers.problems)


def merge_history(answers: Answers) -> MessageHistory:
    """Put a message's story together; a message cut into slices has a part of it with each worker."""
    message: dict[str, Any] | None = None
    recipients: list[RecipientRow] = []
    events: list[dict[str, Any]] = []
    for part in _parts(answers, MessageHistory):
        if message is None or len(part.message or ()) > len(message):
            message = part.message
        recipients += part.recipients
        events += part.events
    events.sort(key=lambda event: float(event["at"]))
    return MessageHistory(message, recipients, events, answers.problems)


def merge_counts(answers: Answers) -> Count:
    """Add up how many recipients match."""
    parts = _parts(answers, Count)
    return Count(sum(each.waiting for each in parts), sum(each.in_flight for each in parts), answers.problems)


def merge_changes(answers: Answers) -> Changed:
    """Add up how many recipients were changed."""
    parts = _parts(answers, Changed)
    return Changed(
        sum(each.changed for each in parts), sum(each.in_flight for each in parts), answers.problems
    )


def _parts(answers: Answers, kind: type[T]) -> list[T]:
    return [msgspec.convert(part, kind) for part in answers.results.values()]


def merge_health(answers: Answers, node: NodeFacts) -> Health:
    """Say what is the matter, by what *node* and its workers know. A worker that is away makes it not ready."""
    workers = {index: msgspec.convert(part, WorkerFacts) for index, part in answers.results.items()}
    return health_of(conditions(node, workers, answers.failures))
