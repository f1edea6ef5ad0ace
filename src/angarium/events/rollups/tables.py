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
    cells: dict[tuple[int, int, int, int, str], Cell] = {}
    into = [
        (rollup, dimensions.index(rollup.dimension)) for rollup in ROLLUPS if rollup.dimension in dimensions
    ]
    for each in counted:
        account, server = int(each.values[0]), int(each.values[1])
        for quarter, adds in _by_time(tally.increments(each)).items():
            of_attempt = [(measure, count) for measure, count in adds if _by_attempt(measure)]
            for rollup, place in into:
                some = of_attempt if rollup.by_attempt else adds
                if some:
                    owner = (account, server) if rollup.by_owner else (0, 0)
                    key = (rollup.number, *owner, quarter // rollup.quarters, each.values[place])
                    cell = cells.setdefault(key, {})
                    for measure, count in some:
                        cell[measure] = cell.get(measure, 0) + count
    return {CellKey(*key): cell for key, cell in cells.items()}


def _by_time(adds: Iterable[tuple[int, int, int]]) -> dict[int, list[tuple[int, int]]]:
    """Return what is added to each measure, by time: most is at one."""
    found: dict[int, list[tuple[int, int]]] = {}
    for measure, quarter, count in adds:
        found.setdefault(quarter, []).append((measure, count))
    return found


_ATTEMPTS: Final = frozenset(measure.number for measure in BY_NUMBER.values() if measure.by_attempt)


def _by_attempt(measure: int) -> bool:
    return measure >= LATENCY or measure in _ATTEMPTS
