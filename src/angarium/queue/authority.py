"""Who may have how much of a limit that several schedulers share. Pure: time is an argument.

The same class serves one worker in process, several through the supervisor, and nodes of a cluster. Holders
are the schedulers; they ask in chunks (`Lease`), so that the hot path asks rarely.

A count limit (connections) that is used up makes the asker wait: it is granted units as others return them,
lane by lane and in turns. Meanwhile the holders of units are told to give back what they do not use, and,
where a waiting holder has less than its even share, to free some. A rate (throttle) is answered with the time
to ask again.
"""

from collections.abc import Hashable
from typing import NamedTuple

from angarium.queue.limits import Limit, Meter

ASK_AGAIN_S = 5.0
"""An unanswered wait is asked anew after this long, so that a lost message cannot stop a queue for good."""

LANES = 2


class Grant(NamedTuple):
    """Tell *holder* that it got *units*: its scheduler's `granted(key, units, None, now)`."""

    holder: Hashable
    key: str
    units: int


class Recall(NamedTuple):
    """Tell *holder* that others wait: its scheduler's `recall(key, units, now)`."""

    holder: Hashable
    key: str
    units: int


class _Pool:
    """One count limit."""

    __slots__ = ("capacity", "held", "waiting")

    def __init__(self) -> None:
        self.capacity = 0
        self.held: dict[Hashable, int] = {}
        self.waiting: tuple[dict[Hashable, int], ...] = tuple({} for _ in range(LANES))

    @property
    def free(self) -> int:
        return self.capacity - sum(self.held.values())

    def add(self, holder: Hashable, count: int) -> None:
        left = self.held.get(holder, 0) + count
        if left > 0:
            self.held[holder] = left
        else:
            self.held.pop(holder, None)

    def wait(self, holder: Hashable, want: int, lane: int) -> None:
        for waiting in self.waiting:
            waiting.pop(holder, None)
        if want > 0:
            self.waiting[lane][holder] = want

    def serve(self) -> dict[Hashable, int]:
        """Hand out what is free to those who wait, one by one in turns. Returns who got how many."""
        grants: dict[Hashable, int] = {}
        free = self.free
        for waiting in self.waiting:
            while free > 0 and waiting:
                holder = next(iter(waiting))
                want = waiting.pop(holder)
                if want > 1:
                    waiting[holder] = want - 1
                self.add(holder, 1)
                grants[holder] = grants.get(holder, 0) + 1
                free -= 1
        return grants

    def debts(self) -> dict[Hashable, int]:
        """Who should give back how many because somebody waits; 0 asks for unused units only."""
        wants = {holder: want for waiting in self.waiting for holder, want in waiting.items()}
        if not wants:
            return {}
        share = self.capacity // len(self.held.keys() | wants.keys())
        need = sum(
            min(want, max(0, max(1, share) - self.held.get(holder, 0))) for holder, want in wants.items()
        )
        need = max(need, -self.free)
        debts = dict.fromkeys(self.held, 0)
        for holder in sorted(debts, key=lambda holder: -self.held[holder]):
            debts[holder] = max(0, min(need, self.held[holder] - share))
            need -= debts[holder]
        return debts

    def others_wait(self, holder: Hashable) -> bool:
        return any(other != holder for waiting in self.waiting for other in waiting)

    @property
    def idle(self) -> bool:
        return not self.held and not any(self.waiting)


class Authority:
    """Keeps limits by key. After each call, deliver what `take_messages` returns to the holders it names."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._meters: dict[str, Meter] = {}
        self._messages: list[Grant | Recall] = []

    def acquire(
        self, holder: Hashable, key: str, want: int, limit: Limit, now: float, lane: int = 0
    ) -> tuple[int, float | None]:
        """Lease up to *want* units to *holder*; return how many and when to ask again, None if all were
        granted.

        The terms given last are in force: a reload that changes a limit takes effect with the next lease.
        """
        if limit.is_rate:
            return self._meters.setdefault(key, Meter()).take(want, limit, now)
        pool = self._pools.setdefault(key, _Pool())
        pool.capacity = limit.capacity
        ahead = any(other != holder for waiting in pool.waiting[: lane + 1] for other in waiting)
        granted = 0 if ahead else max(0, min(want, pool.free))
        pool.add(holder, granted)
        pool.wait(holder, want - granted, lane)
        self._settle(key, pool)
        return granted, None if granted == want else now + ASK_AGAIN_S

    def release(self, holder: Hashable, key: str, count: int) -> None:
        """Take back *count* units of a count limit from *holder*, which also waits no longer.

        More than it has are ignored. A holder that still needs some asks again.
        """
        pool = self._pools.get(key)
        if pool is not None:
            pool.add(holder, -count)
            pool.wait(holder, 0, 0)
            self._settle(key, pool)

    def holder_gone(self, holder: Hashable) -> None:
        """Forget *holder*, whose process has ended: all its units are free again."""
        for key, pool in list(self._pools.items()):
            pool.held.pop(holder, None)
            pool.wait(holder, 0, 0)
            self._settle(key, pool)

    def held(self, key: str) -> dict[Hashable, int]:
        """Who holds how many units of the count limit *key*."""
        pool = self._pools.get(key)
        return dict(pool.held) if pool is not None else {}

    def take_messages(self) -> list[Grant | Recall]:
        """Return, once, what holders must be told beyond the answers they got."""
        messages, self._messages = self._messages, []
        return messages

    def _settle(self, key: str, pool: _Pool) -> None:
        for holder, count in pool.serve().items():
            self._messages.append(Grant(holder, key, count))
        for holder, count in pool.debts().items():
            if count or pool.others_wait(holder):  # who waits makes room for itself
                self._messages.append(Recall(holder, key, count))
        if pool.idle:
            del self._pools[key]
