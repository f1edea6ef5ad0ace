"""How many recipients wait in a worker, and for how long the oldest has, as its numbers say it."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from angarium.core.metrics import Counters

SHARE: Final = 500
"""Counting who waits takes at most this part of a worker's time."""

Census = Callable[[], Mapping[str, tuple[int, float | None]]]
"""Returns how many recipients there are in each state, and when the oldest was received."""


class Standing:
    """Counts in *counters* whom *census* finds. That takes the longer the more wait, so it is not done anew for
    everyone who asks.

    *now* returns seconds that only grow, *spent* the seconds of CPU that this thread has used: a look that was put off
    by other processes has cost them nothing, and the next must not wait for it.
    """

    def __init__(
        self,
        census: Census,
        counters: Counters,
        now: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._census = census
        self._counters = counters
        self._now = now
        self._spent = spent
        self._again_at = now()

    def count(self, at: float, stored: int) -> None:
        """Bring the numbers up to date, if it is time. *at* is the time of day, *stored* how many are in the settled
        store or on the way there, where the census does not find them.
        """
        if self._now() < self._again_at:
            return
        before = self._spent()
        found = self._census()
        for state, (number, oldest) in found.items():
            if state == "delayed":
                number = max(number, stored - found["held"][0])
            self._counters.set("recipients", number, state)
            age_s = 0.0 if oldest is None else max(0.0, at - oldest)
            self._counters.set("oldest_recipient_seconds", age_s, state)
        self._again_at = self._now() + SHARE * (self._spent() - before)
