"""The clock as a port: pure code gets the time as an argument, I/O code gets a `Clock`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

LOOK_S: Final = 1.0
"""How often the wall clock is looked at."""
CLOSE_S: Final = 0.05
"""So far ahead of the wall clock is as good as right."""
MOST_AHEAD_S: Final = 300.0
"""A wall clock that was set back by more is believed: it was wrong before, and mail is dated and signed by it."""


class Clock(Protocol):
    """Where the time comes from. `SystemClock` in the program, `testing.clock.ManualClock` in tests."""

    def now(self) -> float:
        """Return the time in epoch seconds. Due times are kept in it, since they outlive the process."""
        ...


def rfc3339(at: float) -> str:
    """Return epoch seconds as UTC to the microsecond: `2026-11-30T14:02:10.250000Z` (RFC 3339)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class SteadyTime:
    """The *wall* clock without its steps back, between looks told by *steady*, which never steps.

    Were a clock that is set back by a minute believed, each wait that has begun would last a minute longer: retries,
    limits, and the time that a silent peer has. So the time goes on, at half speed until the wall clock has caught up;
    after a step of more than `MOST_AHEAD_S` they do last longer. Steps forward, a night that the machine slept through
    among them, are followed within a second.
    """

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._looked_at, self._then, self._speed = steady(), wall(), 1.0

    def now(self) -> float:
        """Return epoch seconds, fewer than before only if the wall clock was set back by more than `MOST_AHEAD_S`."""
        passed = self._steady() - self._looked_at
        return self._then + passed * self._speed if passed < LOOK_S else self._look(passed)

    def _look(self, passed: float) -> float:
        wall, now = self._wall(), self._then + passed * self._speed
        if now - wall > MOST_AHEAD_S:
            now = wall
        self._speed = 0.5 if now - wall > CLOSE_S else 1.0
        self._then = max(now, wall)
        self._looked_at += passed
        return self._then


class SystemClock:
    """The machine's clock."""

    # Not a method of ours: it is called a dozen times a message.
    now = staticmethod(SteadyTime(time.time, time.monotonic).now)
