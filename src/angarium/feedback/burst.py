"""The guard against bursts: when suddenly much of what a provider is sent fails for good, its directory has failed, or
a filter lies, and no address is to be suppressed for that unseen. Pure: times are given.
"""

from collections import deque
from typing import Final, NamedTuple

from angarium.core.providers import OTHER
from angarium.feedback.consequences import GONE

NO_HOST: Final = "no host"
"""The key of domains that do not exist: their failures are one resolver's, ours. They are measured by all mail."""


_SLICES: Final = 20
"""The window is counted in so many slices."""


_MOST_KEYS: Final = 20_000


class BurstLimits(NamedTuple):
    """A burst are *least* hard bounces within *window_s* seconds that are *percent* of what was answered then. Percent
    0: there is none.
    """

    percent: int = 20
    least: int = 20
    window_s: float = 600.0


class Burst(NamedTuple):
    """*hard* of *answered* have failed for good within the window."""

    key: str
    hard: int
    answered: int

    @property
    def percent(self) -> float:
        """The share that has failed."""
        return 100.0 * self.hard / max(1, self.answered)


def key_of(provider: str, domain: str, reason: str) -> str:
    """Return what a failure is counted under: the provider, for hosts of none the domain, or that there is no host."""
    if reason == GONE:
        return NO_HOST
    return domain if provider in ("", OTHER) else provider


class _Slice(NamedTuple):
    number: int
    hard: int
    delivered: int


class BurstGuard:
    """Counts what was answered lately, by key: a few numbers for each, and for so many keys. Where there are more, what
    others of them take is not counted, which holds rather more than less.
    """

    def __init__(self, limits: BurstLimits) -> None:
        self.limits = limits
        self._slices: dict[str, deque[_Slice]] = {}
        self._swept = 0

    def delivered(self, key: str, at: float, count: int = 1) -> None:
        """Note that mail was taken."""
        self._count(key, at, 0, count)
        self._count(NO_HOST, at, 0, count)

    def failed(self, key: str, at: float) -> None:
        """Note a hard bounce."""
        self._count(key, at, 1, 0)

    def burst(self, key: str, at: float) -> Burst | None:
        """Return the burst that is under way at *at*, None where there is none."""
        first = self._number(at - self.limits.window_s)
        last = self._number(at)
        lately = [each for each in self._slices.get(key, ()) if first < each.number <= last]
        hard = sum(each.hard for each in lately)
        answered = hard + sum(each.delivered for each in lately)
        is_one = (
            self.limits.percent and hard >= self.limits.least and 100 * hard >= self.limits.percent * answered
        )
        return Burst(key, hard, answered) if is_one else None

    def _number(self, at: float) -> int:
        return int(at // (self.limits.window_s / _SLICES))

    def _count(self, key: str, at: float, hard: int, delivered: int) -> None:
        if len(self._slices) >= _MOST_KEYS and key not in self._slices and not hard:
            return
        number = self._number(at)
        slices = self._slices.setdefault(key, deque())
        place = next((i for i, each in enumerate(slices) if each.number == number), None)
        if place is None:
            slices.append(_Slice(number, hard, delivered))
            self._sweep(number)
        else:
            before = slices[place]
            slices[place] = _Slice(number, before.hard + hard, before.delivered + delivered)

    def _sweep(self, number: int) -> None:
        """Forget what is older than two windows, once a slice: late news may still find the window before."""
        if number <= self._swept:
            return
        self._swept = number
        for key, slices in list(self._slices.items()):
            kept = deque(each for each in slices if each.number > number - 2 * _SLICES)
            if kept:
                self._slices[key] = kept
            else:
                del self._slices[key]
