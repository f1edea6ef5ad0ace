"""What has been counted, as sums by measure: what an event adds to which, and to what time. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from angarium.events.rollups.measures import BOUNCED, BY_NUMBER, LATENCY, number
from angarium.events.rollups.port import Counted
from angarium.events.rows import CLICKS_TRACKED, OPENS_TRACKED

Cell = dict[int, int]
"""Sums by the number of a measure; from `LATENCY` on the buckets of a histogram. Two of them add up."""

CategoryOf = Callable[[str], str]
"""Returns the category of a reason for a bounce (`feedback.reasons`)."""

_STATES: Final = {
    kind: number(f"state_{kind}") for kind in ("delivered", "bounced", "expired", "suppressed", "cancelled")
} | dict.fromkeys(("generation_failure", "generation_rejection"), number("state_bounced"))
_PLAIN: Final = {
    kind: number(kind) for kind in ("ambiguous", "expired", "suppressed", "cancelled", "held")
} | {
    "refusal": number("rejected"),
    "generation_failure": number("generation_failures"),
    "generation_rejection": number("generation_failures"),
}
_FIRST: Final = {
    "late_bounce": number("late_bounces"),
    "complaint": number("complaints"),
    "unsubscribe": number("unsubscribes"),
}
_BYTES: Final = {number("accepted_bytes"), number("delivered_bytes")}


class Adds(NamedTuple):
    """The measures that an event adds to at its own time: those that count how often it was, and those of bytes; what
    it adds to at the time of the acceptance; and of the former what is known of attempts. None: nothing.
    """

    times: tuple[int, ...]
    sizes: tuple[int, ...]
    accepted: "Adds | None" = None
    of_attempt: "Adds | None" = None


class EventTally:
    """Says what each event adds to. *category_of* tells bounces apart."""

    def __init__(self, category_of: CategoryOf) -> None:
        self._category_of = category_of
        self._known: dict[tuple[object, ...], Adds] = {}

    def increments(self, counted: Counted) -> Iterator[tuple[int, int, int]]:
        """Yield measure, time, and how much is added: at the time of the event, or at that of the acceptance."""
        adds = self.adds(counted)
        for measure in adds.times:
            yield measure, counted.at, counted.times
        for measure in adds.sizes:
            yield measure, counted.at, counted.size
        if counted.accepted_at is not None and adds.accepted is not None:
            for measure in adds.accepted.times:
                yield measure, counted.accepted_at, counted.times

    def adds(self, counted: Counted) -> Adds:
        """Return what it adds to."""
        alike = counted[3:11]
        found = self._known.get(alike)
        if found is None:
            found = self._known[alike] = self._adds(counted)
        return found

    def _adds(self, counted: Counted) -> Adds:
        measures = list(self._at_event(counted))
        if counted.latency is not None:
            measures.append(LATENCY + counted.latency)
        adds, of_attempt = _adds_of(measures), _adds_of(filter(_is_of_attempt, measures))
        accepted = _adds_of(_at_acceptance(counted))
        return adds._replace(
            accepted=accepted if accepted.times else None, of_attempt=of_attempt if of_attempt.times else None
        )

    def _at_event(self, counted: Counted) -> Iterator[int]:
        kind = counted.kind
        if kind in _PLAIN:
            yield _PLAIN[kind]
        elif kind in _FIRST:
            if counted.is_first:
                yield _FIRST[kind]
        elif kind == "bounced":
            category = self._category_of(counted.reason).lower()
            yield number(f"bounced_{category if category in BOUNCED else 'undetermined'}")
        elif kind in ("delivered", "delayed"):
            yield from _tried(counted)
        elif kind in ("open", "click"):
            yield from _read(counted)
        elif kind == "received":
            yield from _received(counted.traits)


def _adds_of(measures: Iterable[int]) -> Adds:
    each = list(measures)
    return Adds(
        tuple(measure for measure in each if measure not in _BYTES),
        tuple(measure for measure in each if measure in _BYTES),
    )


def _received(traits: int) -> Iterator[int]:
    yield from (number("accepted"), number("accepted_bytes"))
    if traits & OPENS_TRACKED:
        yield number("opens_tracked")
    if traits & CLICKS_TRACKED:
        yield number("clicks_tracked")


def _tried(counted: Counted) -> Iterator[int]:
    yield number(counted.kind)
    if counted.is_first_try:
        yield number(f"{counted.kind}_first")
    if counted.kind == "delivered":
        yield number("delivered_bytes")


def _read(counted: Counted) -> Iterator[int]:
    who = "machine_" if counted.is_machine else ""
    yield number(f"{who}{counted.kind}s")
    if counted.is_first:
        yield number(f"{who}unique_{counted.kind}s")
    if counted.is_engaging:
        yield number("engaged")


def _at_acceptance(counted: Counted) -> Iterator[int]:
    if counted.kind in _STATES:
        yield _STATES[counted.kind]
    elif counted.kind == "late_bounce" and counted.is_first:
        yield number("state_returned")


def add(cell: Cell, other: Mapping[int, int]) -> Cell:
    """Add *other* to *cell*, and return it."""
    for measure, count in other.items():
        cell[measure] = cell.get(measure, 0) + count
    return cell


def latencies(cell: Mapping[int, int]) -> dict[int, int]:
    """Return the histogram of a cell, by bucket."""
    return {measure - LATENCY: count for measure, count in cell.items() if measure >= LATENCY}


_ATTEMPTS: Final = frozenset(measure.number for measure in BY_NUMBER.values() if measure.by_attempt)


def _is_of_attempt(measure: int) -> bool:
    """Whether it is known of each attempt, and so of the provider and the binding."""
    return measure >= LATENCY or measure in _ATTEMPTS
