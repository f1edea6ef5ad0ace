"""Adding to the rollups what has happened, a bounded number of events at a time."""

from typing import Final

from angarium.events.rollups.port import QUARTER_S, CountedEvents
from angarium.events.rollups.store import RollupsFile
from angarium.events.rollups.tables import rolled_up
from angarium.events.rollups.tally import CategoryOf, EventTally

AT_ONCE: Final = 20_000
"""Events that are counted in one transaction: a fraction of a second, and some megabytes."""
MOST_LEFT: Final = 50_000
"""So many may be left for reports to count, whatever the time."""


class Roller:
    """Adds events of *events* to *file*; to be made before anything more is stored. For one thread."""

    def __init__(self, events: CountedEvents, file: RollupsFile, category_of: CategoryOf) -> None:
        self._events = events
        self._file = file
        self._tally = EventTally(category_of)
        self._upto = self._begin()
        self._durable = self._upto
        self._rolled_in = 0

    def _begin(self) -> int:
        """Return the number up to which all is in the sums. Where the events that were stored last have been dropped,
        with their days, new ones get their numbers: all that is left is in the sums.
        """
        upto, last = self._file.upto(), self._events.last()
        if last < upto:
            self._file.add({}, last)
        return min(upto, last)

    def have_synced(self, last: int) -> None:
        """Note that all events up to number *last* are durable: of no others may there be sums."""
        self._durable = max(self._durable, last)

    def step(self, now: float) -> bool:
        """Add some events, when a quarter-hour is over or there are many; return whether to go on at once.

        Raises EventStoreError; then nothing has been added.
        """
        quarter = int(now // QUARTER_S)
        left = self._durable - self._upto
        if not left:
            self._rolled_in = quarter
        if not left or (quarter == self._rolled_in and left < MOST_LEFT):
            return False
        self.roll(min(self._durable, self._upto + AT_ONCE))
        return self._upto < self._durable

    def roll(self, upto: int) -> None:
        """Add all events up to number *upto* that are not in the sums yet. Raises EventStoreError."""
        cells = rolled_up(self._events.each(self._upto, upto), self._tally)
        self._file.add(cells, upto)
        self._upto = upto
