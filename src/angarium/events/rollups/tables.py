"""Which rollups there are, and what is added to each."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from angarium.events.catalogue import BY_NUMBER
from angarium.events.rollups.port import (
    ACCEPTED_AT,
    ACCOUNT,
    ALIKE,
    AT,
    PLACE_OF,
    SERVER,
    SIZE,
    TAGS,
    TIMES,
    Counted,
    Dimension,
    EventRow,
    EventRows,
)
from angarium.events.rollups.tally import Adds, Cell, EventTally, add

QUARTERS_A_DAY: Final = 96


class Rollup(NamedTuple):
    """Sums by *dimension*, and by account and server where *by_owner*, for each unit of so many quarter-hours.

    *number* is what it is stored as, for good. Days are those of UTC.
    """

    number: int
    dimension: Dimension
    quarters: int
    by_owner: bool = True

    @property
    def by_attempt(self) -> bool:
        """Whether only what is known of attempts is in it."""
        return self.dimension in ("provider", "binding")


ROLLUPS: Final = (
    Rollup(1, "stream", 1),
    Rollup(2, "provider", 1, by_owner=False),
    Rollup(3, "binding", 1, by_owner=False),
    Rollup(4, "tag", QUARTERS_A_DAY),
    Rollup(5, "campaign", QUARTERS_A_DAY),
    Rollup(6, "domain", QUARTERS_A_DAY),
    Rollup(7, "provider", QUARTERS_A_DAY),
)
BY_TAG: Final = next(rollup for rollup in ROLLUPS if rollup.dimension == "tag")
_PLACED: Final = [(rollup, PLACE_OF[rollup.dimension]) for rollup in ROLLUPS if rollup is not BY_TAG]
"""Each with where its value stands among those of an event."""
_OF_MESSAGES: Final = [
    (rollup.number, rollup.quarters, place) for rollup, place in _PLACED if not rollup.by_attempt
]
_OF_ATTEMPTS: Final = [
    (rollup.number, rollup.by_owner, rollup.quarters, place) for rollup, place in _PLACED if rollup.by_attempt
]


class CellKey(NamedTuple):
    """A row: a rollup's number, whose it is, which unit of time since 1970, and the value of its dimension."""

    rollup: int
    account: int
    server: int
    unit: int
    value: str


def rolled_up(events: Iterable[EventRows], tally: EventTally) -> dict[CellKey, Cell]:
    """Return what is to be added to each row of the rollups."""
    cells: defaultdict[CellKey, Cell] = defaultdict(dict)
    for some in events:
        for key, cell in _Summing(some, tally).sums():
            add(cells[key], cell)
    return cells


class _Summing:
    """Sums of *events* of one day, by rows that have numbers for words."""

    def __init__(self, events: EventRows, tally: EventTally) -> None:
        self._events = events
        self._tally = tally
        self._adds: dict[tuple[Any, ...], Adds] = {}
        self._tags: dict[str, tuple[str, ...]] = {}
        self._cells: defaultdict[tuple[Any, ...], Cell] = defaultdict(dict)

    def sums(self) -> Iterator[tuple[CellKey, Cell]]:
        """Yield each row, with what is added to it."""
        for row in self._events.rows:
            self._add(row)
        for place, cell in self._cells.items():
            yield self._key(*place), cell

    def _key(self, rollup: int, account: int, server: int, unit: int, value: int | str) -> CellKey:
        text = value if isinstance(value, str) else self._events.words[value]
        return CellKey(rollup, account, server, unit, text)

    def _add(self, row: EventRow) -> None:
        adds = self._adds.get(row[ALIKE]) or self._adds_of(row)
        sign = -1 if self._events.is_taken_back else 1
        times, size = sign * row[TIMES], sign * row[SIZE]
        if adds.times:
            _add(self._of_message(row, row[AT]), adds, times, size)
        if adds.accepted is not None and row[ACCEPTED_AT] is not None:
            _add(self._of_message(row, row[ACCEPTED_AT]), adds.accepted, times, size)
        if adds.of_attempt is not None:
            _add(self._of_attempt(row), adds.of_attempt, times, size)

    def _of_message(self, row: EventRow, at: int) -> list[Cell]:
        """Return the rows that all that happens to a message is in."""
        cells, account, server = self._cells, row[ACCOUNT], row[SERVER]
        found = [
            cells[number, account, server, at // unit, row[place]] for number, unit, place in _OF_MESSAGES
        ]
        tags = self._tags.get(row[TAGS]) or self._tags_of(row)
        return found + [cells[BY_TAG.number, account, server, at // BY_TAG.quarters, tag] for tag in tags]

    def _of_attempt(self, row: EventRow) -> list[Cell]:
        """Return the rows that only attempts are in."""
        cells, account, server, at = self._cells, row[ACCOUNT], row[SERVER], row[AT]
        return [
            cells[number, account * by_owner, server * by_owner, at // unit, row[place]]
            for number, by_owner, unit, place in _OF_ATTEMPTS
        ]

    def _adds_of(self, row: EventRow) -> Adds:
        found = self._adds[row[ALIKE]] = self._tally.adds(_counted(row, self._events.words))
        return found

    def _tags_of(self, row: EventRow) -> tuple[str, ...]:
        found = self._tags[row[TAGS]] = tuple(json.loads(row[TAGS]))
        return found


def _add(cells: list[Cell], adds: Adds, times: int, size: int) -> None:
    for cell in cells:
        for measure in adds.times:
            cell[measure] = cell.get(measure, 0) + times
        for measure in adds.sizes:
            cell[measure] = cell.get(measure, 0) + size


def _counted(row: EventRow, words: Mapping[int, str]) -> Counted:
    """Return an event as far as it says to what it adds."""
    kind, reason, *flags, traits, latency = row[ALIKE]
    first_try, machine, is_first, is_engaging = map(bool, flags)
    return Counted(row[AT], row[ACCEPTED_AT], (), BY_NUMBER[kind].name, words[reason], first_try, machine, is_first,
                   is_engaging, traits, latency, row[TIMES], row[SIZE])  # fmt: skip
