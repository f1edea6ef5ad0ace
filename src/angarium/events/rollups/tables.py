"""Which rollups there are, and what is added to each."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from angarium.events.rollups.measures import BY_NUMBER, LATENCY
from angarium.events.rollups.port import Counted, Dimension
from angarium.events.rollups.tally import Cell, EventTally

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
TAGS: Final = next(rollup for rollup in ROLLUPS if rollup.dimension == "tag")

BESIDE_TAGS: Final[tuple[Dimension, ...]] = (
    "account", "server", "stream", "campaign", "domain", "provider", "binding",
)  # fmt: skip
FOR_TAGS: Final[tuple[Dimension, ...]] = ("account", "server", "tag")
"""What is asked for at once: a message may have several tags, so these are asked for apart."""


class CellKey(NamedTuple):
    """A row: a rollup's number, whose it is, which unit of time since 1970, and the value of its dimension."""

    rollup: int
    account: int
    server: int
    unit: int
    value: str


def rolled_up(
    counted: Iterable[Counted], dimensions: tuple[Dimension, ...], tally: EventTally
) -> Mapping[CellKey, Cell]:
    """Return what is to be added to each row of the rollups by these *dimensions*."""
    cells: dict[CellKey, Cell] = {}
    into = [
        (rollup, dimensions.index(rollup.dimension)) for rollup in ROLLUPS if rollup.dimension in dimensions
    ]
    for each in counted:
        account, server = int(each.values[0]), int(each.values[1])
        adds = list(tally.increments(each))
        for rollup, place in into:
            for measure, quarter, count in adds:
                if rollup.by_attempt and not _by_attempt(measure):
                    continue
                unit = quarter // rollup.quarters
                owner = (account, server) if rollup.by_owner else (0, 0)
                key = CellKey(rollup.number, *owner, unit, each.values[place])
                cell = cells.get(key)
                if cell is None:
                    cell = cells[key] = {}
                cell[measure] = cell.get(measure, 0) + count
    return cells


_ATTEMPTS: Final = frozenset(measure.number for measure in BY_NUMBER.values() if measure.by_attempt)


def _by_attempt(measure: int) -> bool:
    return measure >= LATENCY or measure in _ATTEMPTS
