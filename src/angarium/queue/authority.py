"""Who may have how much of a limit that several schedulers share. Pure: time is an argument.

The same class serves one worker in process, several through the supervisor, and nodes of a cluster. Holders
are the schedulers; they ask in chunks (`Lease`), so that the hot path asks rarely.

A count limit (connections) that is used up makes the asker wait: it is granted units as others return them,
in the order of `turns`. Meanwhile the holders of units are told to give back what they do not use, and,
where a waiting holder has less than its even share, to free some. A rate (throttle) is answered with the time
to ask again.
"""

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from angarium.queue.limits import Limit, Meter
from angarium.queue.turns import BETTER_RANKS, KEPT_S, RANKS, is_more, kept_of

ASK_AGAIN_S = 5.0
"""An unanswered wait is asked anew after this long, so that a lost message cannot stop a queue for good."""

MOST_LATE_S = 1.0
"""A turn to have units of a rate is over when its holder does not ask for so long, or for as long as a unit counts."""


class Grant(NamedTuple):
    """Tell *holder* that it got *units*: its scheduler's `granted(key, units, None, now)`."""

    holder: Hashable
    key: str
    units: int


class Recall(NamedTuple):
    """Tell *holder* that others wait, the best of them of *rank*: its scheduler's `recall(key, units, rank, now)`."""

    holder: Hashable
    key: str
    units: int
    rank: int = 0


class _Pool:
    """One count limit."""

    __slots__ = ("held", "is_kept", "kept_until", "limit", "waiting")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.kept_until = 0.0
        self.is_kept = False
        self.held: dict[Hashable, int] = {}
        self.waiting: tuple[dict[Hashable, int], ...] = tuple({} for _ in range(RANKS))

    @property
    def free(self) -> int:
        return self.limit.capacity - sum(self.held.values())

    def free_for(self, rank: int) -> int:
        """How many units may go to one of *rank*."""
        left = self.left_by(rank)
        if is_more(rank):  # while modest first ones of its lane or a better one wait, it leaves as much
            waiting = (each for each in range(1, rank, 4) if self.waiting[each])
            left = max(left, *map(self.left_by, waiting), 0)
        return max(0, self.free - left)

    def left_by(self, rank: int) -> int:
        """How many units one of *rank* leaves to others."""
        if self.is_kept and rank >= BETTER_RANKS:
            return kept_of(self.limit.capacity)
        return self.limit.left_by(rank)

    def note(self, rank: int, now: float) -> None:
        """Keep some for the better lane once that has asked for any."""
        if rank < BETTER_RANKS:
            self.kept_until = now + KEPT_S
        self.is_kept = self.limit.is_path and now < self.kept_until

    def add(self, holder: Hashable, count: int) -> None:
        left = self.held.get(holder, 0) + count
        if left > 0:
            self.held[holder] = left
        else:
            self.held.pop(holder, None)

    def wait(self, holder: Hashable, want: int, rank: int) -> None:
        self.waiting[rank].pop(holder, None)
        if want > 0:
            self.waiting[rank][holder] = want

    def forget(self, holder: Hashable) -> None:
        for waiting in self.waiting:
            waiting.pop(holder, None)

    def is_behind(self, holder: Hashable, rank: int) -> bool:
        """Whether what is free is for others that wait, as good as *holder* for *rank* or better."""
        ahead = (waiting for each, waiting in enumerate(self.waiting[: rank + 1]) if self.free_for(each))
        return any(other != holder for waiting in ahead for other in waiting)

    def serve(self) -> dict[Hashable, int]:
        """Hand out what is free to those who wait, one by one in turns. Returns who got how many."""
        grants: dict[Hashable, int] = {}
        for rank, waiting in enumerate(self.waiting):
            while waiting and self.free_for(rank):
                holder = next(iter(waiting))
                want = waiting.pop(holder)
                if want > 1:
                    waiting[holder] = want - 1
                self.add(holder, 1)
                grants[holder] = grants.get(holder, 0) + 1
        return grants

    @property
    def share(self) -> int:
        """What each that has units, or waits for some, may keep while others wait."""
        return self.limit.capacity // max(1, len(self.held.keys() | set().union(*self.waiting)))

    def hopeful(self) -> list[int]:
        """The ranks in which a holder waits that would be served by what may be asked back."""
        most = self.free + sum(max(0, held - self.share) for held in self.held.values())
        return [r for r, waiting in enumerate(self.waiting) if waiting and most > self.left_by(r)]

    def debts(self) -> dict[Hashable, int]:
        """Which holders should give back how many, because others wait; 0 asks for unused units only."""
        ranks, share = self.hopeful(), self.share
        wants = Counter[Hashable]()
        for rank in ranks:
            wants.update(self.waiting[rank])
        if not wants:
            return {}
        need = sum(
            min(want, max(0, max(1, share) - self.held.get(holder, 0))) for holder, want in wants.items()
        )
        if need:
            need += max(0, *(self.left_by(rank) - self.free for rank in ranks))
        need = max(need, -self.free)
        debts = dict.fromkeys(self.held, 0)
        for holder in sorted(debts, key=lambda holder: -self.held[holder]):
            debts[holder] = max(0, min(need, self.held[holder] - share))
            need -= debts[holder]
        return debts

    def best_of_others(self, holder: Hashable) -> int:
        """The best rank of others than *holder* that wait in hope, `RANKS` if there are none."""
        return next((rank for rank in self.hopeful() if self.waiting[rank].keys() - {holder}), RANKS)

    @property
    def idle(self) -> bool:
        return not self.held and not any(self.waiting)


class _Rate:
    """One rate. Holders that are told to ask again take turns, each at another time."""

    __slots__ = ("meter", "turns")

    def __init__(self) -> None:
        self.meter = Meter()
        self.turns: dict[Hashable, float] = {}

    def take(self, holder: Hashable, want: int, limit: Limit, now: float) -> tuple[int, float | None]:
        ahead = self._ahead(holder, limit, now)
        units, retry_at = (0, now) if ahead and now >= ahead[0] else self.meter.take(want, limit, now)
        if not units and ahead:
            retry_at = max(retry_at or now, max(now, ahead[-1]) + limit.interval_s)
        if units:
            self.turns.pop(holder, None)
        if retry_at is not None:
            self.turns[holder] = retry_at
        return units, retry_at

    def _ahead(self, holder: Hashable, limit: Limit, now: float) -> list[float]:
        """When those ask again whose turn comes before that of *holder*. One that is late no longer wants any."""
        oldest = now - min(limit.interval_s, MOST_LATE_S)
        self.turns = {each: at for each, at in self.turns.items() if at >= oldest or each == holder}
        return list(self.turns.values())[: list(self.turns).index(holder) if holder in self.turns else None]


class Authority:
    """Keeps limits by key. After each call, deliver what `take_messages` returns to the holders it names."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._rates: dict[str, _Rate] = {}
        self._messages: list[Grant | Recall] = []

    def acquire(
        self, holder: Hashable, key: str, want: int, limit: Limit, now: float, rank: int = 0
    ) -> tuple[int, float | None]:
        """Lease up to *want* units to *holder*; return how many and when to ask again, None if all were
        granted. *rank* says before which others it is served (`turns`).

        The terms given last are in force: a reload that changes a limit takes effect with the next lease.
        """
        if limit.is_rate:
            return self._rates.setdefault(key, _Rate()).take(holder, want, limit, now)
        pool = self._pools.setdefault(key, _Pool(limit))
        pool.limit = limit
        pool.note(rank, now)
        granted = 0 if pool.is_behind(holder, rank) else min(want, pool.free_for(rank))
        pool.add(holder, granted)
        pool.wait(holder, want - granted, rank)
        self._settle(key, pool)
        return granted, None if granted == want else now + ASK_AGAIN_S

    def release(self, holder: Hashable, key: str, count: int) -> None:
        """Take back *count* units of a count limit from *holder*, which also waits no longer; or those of a slow rate
        that lapsed.

        More than it has are ignored. A holder that still needs some asks again.
        """
        pool = self._pools.get(key)
        if pool is not None:
            pool.add(holder, -count)
            pool.forget(holder)
            self._settle(key, pool)
        elif key in self._rates:
            self._rates[key].meter.put_back(count)

    def left(self, key: str) -> int:
        """How many units of the count limit *key* are free; 0 for a rate."""
        pool = self._pools.get(key)
        return pool.free if pool is not None else 0

    def holder_gone(self, holder: Hashable) -> None:
        """Forget *holder*, whose process has ended: all its units are free again."""
        for key, pool in list(self._pools.items()):
            pool.held.pop(holder, None)
            pool.forget(holder)
            self._settle(key, pool)
        for rate in self._rates.values():
            rate.turns.pop(holder, None)

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
            rank = pool.best_of_others(holder)
            if count or rank < RANKS:  # who waits makes room for itself
                self._messages.append(Recall(holder, key, count, rank))
        if pool.idle:
            del self._pools[key]
