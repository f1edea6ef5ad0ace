"""One heap of wake-up times. What is woken looks at the world anew, so waking early or twice does no harm."""

import heapq
from typing import Generic, Protocol, TypeVar

NEVER = float("inf")


class Sleeper(Protocol):
    """Something with an alarm. *alarm_at* is the time of its entry in the heap, `NEVER` without one."""

    alarm_at: float


T = TypeVar("T", bound=Sleeper)


class Alarms(Generic[T]):
    """Each sleeper has at most one live entry: the earliest time asked for."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    def set(self, sleeper: T, at: float) -> None:
        """Wake *sleeper* at *at* or before."""
        if at < sleeper.alarm_at:
            sleeper.alarm_at = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, sleeper))

    def next_at(self) -> float | None:
        """When the first is due."""
        heap = self._heap
        while heap:
            at, _, sleeper = heap[0]
            if sleeper.alarm_at == at:
                return at
            heapq.heappop(heap)
        return None

    def pop_due(self, now: float) -> T | None:
        """Return one sleeper whose time has come, its alarm cleared, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, sleeper = heapq.heappop(heap)
            if sleeper.alarm_at == at:
                sleeper.alarm_at = NEVER
                return sleeper
        return None
