"""What has been counted, as sums by measure: what an event adds to which, and to what time. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from angarium.events.rollups.measures import BOUNCED, LATENCY, number
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


class EventTally:
    """Says what each event adds to. *category_of* tells bounces apart."""

    def __init__(self, category_of: CategoryOf) -> None:
        self._category_of = category_of
        self._known: dict[tuple[object, ...], tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def increments(self, counted: Counted) -> Iterator[tuple[int, int, int]]:
        """Yield measure, time, and how much is added: at the time of the event, or at that of the acceptance."""
        happened, accepted = self._measures(counted)
        for measure in happened:
            yield measure, counted.at, counted.size if measure in _BYTES else counted.times
        if counted.latency is not None:
            yield LATENCY + counted.latency, counted.at, counted.times
        if counted.accepted_at is not None:
            for measure in accepted:
                yield measure, counted.accepted_at, counted.times

    def _measures(self, counted: Counted) -> tuple[tuple[int, ...], tuple[int, ...]]:
        alike = counted[3:9], counted.traits
        found = self._known.get(alike)
        if found is None:
            found = self._known[alike] = tuple(self._at_event(counted)), tuple(_at_acceptance(counted))
        return found

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
