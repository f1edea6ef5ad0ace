"""How long what has happened is kept, and whom it was about: whole days go."""

from collections.abc import Callable, Iterable, Sequence

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.events.days import day_at, day_of
from angarium.events.port import EventStore, Told

_LOOK_S = 60.0
_DAY_S = 86_400


class EventKeeper:
    """Drops days of *store*: those of mail older than *days* (0: none), and the oldest while all of it takes more than
    *most_bytes* of the disk (0: any); has those forget whom they were about that are older than *address_days* (0:
    none). For the recorder's thread; *soon* has what it is given called in that of *log*.
    """

    def __init__(
        self,
        store: EventStore,
        days: Callable[[], int],
        most_bytes: Callable[[], int],
        clock: Clock,
        log: Log,
        soon: Callable[[Callable[[], object]], object] = lambda say: say(),
        address_days: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store = store
        self._days = days
        self._most_bytes = most_bytes
        self._clock = clock
        self._log = log
        self._soon = soon
        self._address_days = address_days
        self._forgotten: set[str] = set()
        self._looked_at = 0.0
        self._first = ""
        self.size_bytes = 0
        """What the store takes, as it was within the last minute."""
        self.too_late = 0
        """How much was not stored, since it happened to mail of a day that was dropped."""
        self.dropped = ""
        """The last day that went before its time, since there was no room; empty: none."""

    def kept(self, told: Sequence[Told]) -> Sequence[Told]:
        """Return what is of days that are kept: an opening years later does not make a day again."""
        if not self._first:
            return told
        found = [each for each in told if day_of(each) >= self._first]
        self.too_late += len(told) - len(found)
        return found

    def look(self) -> None:
        """Once a minute, drop what is over, and the oldest day where all of it is too large, and have one more forget
        whom it was about. Today's is never touched. Raises EventStoreError; then it is tried again a minute later.
        """
        now = self._clock.now()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        sizes = dict(self._store.sizes())
        if days := self._days():
            self._keep_from(self._days_ago(days))
        for day in [day for day in sizes if day < self._first]:
            self._store.drop(day)
            del sizes[day]
        most = self._most_bytes() or 1 << 62
        while len(sizes) > 1 and sum(sizes.values()) > most and (day := min(sizes)) < day_at(now):
            self._keep_from(min(each for each in sizes if each > day))
            self._store.drop(day)
            self._tell_dropped(day, sizes.pop(day), most)
        self.size_bytes = sum(sizes.values())
        self._forget_addresses(sizes)

    def _forget_addresses(self, days: Iterable[str]) -> None:
        """Have one day more forget whom it was about: the newest, since what is over by now has mostly been done."""
        self._forgotten.intersection_update(days)
        if kept_days := self._address_days():
            first = self._days_ago(kept_days)
            left = [day for day in days if day < first and day not in self._forgotten]
            if left and self._store.forget(day := max(left)):
                self._forgotten.add(day)

    def _days_ago(self, days: int) -> str:
        return day_at(max(0.0, self._clock.now() - days * _DAY_S))

    def _keep_from(self, day: str) -> None:
        self._first = max(self._first, day)

    def _tell_dropped(self, day: str, size: int, most: int) -> None:
        now = self._clock.now()
        self.dropped = day
        self._soon(
            lambda: self._log.warning("events_dropped", now, day=day, taken_bytes=size, most_bytes=most)
        )
