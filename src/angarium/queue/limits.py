"""What a limit is, and how it is counted: a number of things at a time, or a rate.

Both are kept by an authority (`authority`) and leased to the schedulers that share them.
"""

from typing import NamedTuple

from angarium.queue.turns import is_modest, kept_of, left_to_firsts

AHEAD_S = 2.0
"""A connection may be ready for this long before its message may go: it need not be opened in that very moment."""

LEASE_SHARE = 50
MAX_LEASE_S = 5.0
PREFERRED_BURSTS = 100


class Limit(NamedTuple):
    """At most *capacity* at a time, or, with *window_s* > 0, in any *window_s* seconds.

    *is_path*: it counts the connections of one binding to one destination, of which some are kept for the better lane.
    """

    capacity: int
    window_s: float = 0.0
    is_path: bool = False

    @property
    def is_rate(self) -> bool:
        """Whether units are spent (a throttle), not returned (connections)."""
        return self.window_s > 0

    @property
    def lease_s(self) -> float:
        """Seconds in which the leased units of a rate must be used."""
        return min(self.window_s / LEASE_SHARE, MAX_LEASE_S)

    @property
    def burst(self) -> int:
        """How many units of a rate may be had at once: a hundredth of the capacity, so that traffic is
        smooth.
        """
        return max(1, self.capacity // PREFERRED_BURSTS)

    @property
    def interval_s(self) -> float:
        """Seconds for which one unit of a rate counts.

        So chosen that in no half-open window of `window_s` more than `capacity` units are used: a burst may
        come on top of the even stream, and a unit may be used up to `lease_s` after it was granted.
        """
        return (self.window_s + self.lease_s) / (self.capacity - self.burst + 1)

    def left_by(self, rank: int) -> int:
        """How many units, of a number at a time, one of *rank* leaves to others (`turns`)."""
        if self.is_rate or not is_modest(rank):
            return 0
        return kept_of(self.capacity) if self.is_path else left_to_firsts(rank, self.capacity)

    @property
    def ahead(self) -> int:
        """How many units of a rate can be had within `AHEAD_S`, at least one."""
        return self.burst + int(AHEAD_S / self.interval_s)

    @property
    def is_slow(self) -> bool:
        """Whether units of a rate come one at a time, and so far apart that one that lapsed is given back: meanwhile
        the next one cannot have been granted.
        """
        return self.is_rate and self.burst == 1 and self.interval_s >= 2 * self.lease_s

    def __str__(self) -> str:
        return f"{self.capacity}/{self.window_s:g}" if self.is_rate else str(self.capacity)


class Meter:
    """Counts one rate. The generic cell rate algorithm (ITU-T I.371): one float of state, no history."""

    __slots__ = ("_interval_s", "_spent_until")

    def __init__(self) -> None:
        self._spent_until = 0.0
        self._interval_s = 0.0

    def take(self, want: int, limit: Limit, now: float) -> tuple[int, float | None]:
        """Take up to *want* units; return how many, and when to ask again if that was fewer than wanted."""
        self._interval_s = interval = limit.interval_s
        burst = limit.burst
        spent_until = max(self._spent_until, now)
        free = int((now - spent_until) / interval + burst + 1e-6 + 5e-7 / interval)
        taken = max(0, min(want, free, burst))
        self._spent_until = spent_until = spent_until + taken * interval
        if taken >= want:
            return taken, None
        useful = max(1, min(want - taken, burst // 2))
        return taken, spent_until - (burst - useful) * interval

    def put_back(self, count: int) -> None:
        """*count* units of a slow rate that were taken last have not been used, and will not be."""
        self._spent_until -= count * self._interval_s
