"""Texts of mail that are to be kept: taken beside what happened, dropped when their days are over, bounded on disk."""

from collections.abc import Callable, Sequence

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.events.bodies.port import TextToKeep
from angarium.events.bodies.store import BodyStore
from angarium.events.days import day_at

_LOOK_S = 60.0


class TextKeeper:
    """Writes *store*, which may take *most_bytes* of the disk (0: any). For the recorder's thread; *soon* has what it
    is given called in that of *log*.
    """

    def __init__(
        self,
        store: BodyStore,
        most_bytes: Callable[[], int],
        clock: Clock,
        log: Log,
        soon: Callable[[Callable[[], object]], object] = lambda say: say(),
    ) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._clock = clock
        self._log = log
        self._soon = soon
        self._looked_at = 0.0
        self._is_full = False
        self.size_bytes = 0
        """What the files take, as it was within the last minute."""
        self.left_out = 0
        """How many texts were not kept, since there was no room."""

    def take(self, texts: Sequence[TextToKeep]) -> None:
        """Keep texts, those that are there already once. Raises BodyStoreError."""
        if texts and self._is_full:
            self.left_out += len(texts)
        elif texts:
            self._store.take(texts)

    def sync(self) -> None:
        """Have all that was taken survive a power cut. Raises BodyStoreError."""
        self._store.sync()

    def look(self) -> None:
        """Once a minute, drop what is over, and what ends first where all of it is too large. Raises BodyStoreError."""
        now = self._clock.now()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        sizes = dict(self._store.sizes())
        for day in [day for day in sizes if day < day_at(now)]:
            del sizes[day]
            self._store.drop(day)
        most = self._most_bytes() or 1 << 62
        while len(sizes) > 1 and sum(sizes.values()) > most:
            day = next(iter(sizes))
            self._store.drop(day)
            self._tell_dropped(day, sizes.pop(day), most)
        self.size_bytes = sum(sizes.values())
        was_full, self._is_full = self._is_full, self.size_bytes > most
        if self._is_full and not was_full:
            self._tell_left_out(self.size_bytes, most)

    def _tell_dropped(self, day: str, size: int, most: int) -> None:
        now = self._clock.now()
        self._soon(
            lambda: self._log.warning("texts_dropped", now, until=day, taken_bytes=size, most_bytes=most)
        )

    def _tell_left_out(self, size: int, most: int) -> None:
        now = self._clock.now()
        self._soon(lambda: self._log.warning("texts_left_out", now, taken_bytes=size, most_bytes=most))
