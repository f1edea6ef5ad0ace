"""The units of shared limits that this scheduler has: leased from the authority, used, and given back when
idle.
"""

from collections.abc import Callable
from typing import NamedTuple

from angarium.queue.commands import Command, GiveBack, Lease
from angarium.queue.queues import OPENERS, Holding, Queue
from angarium.queue.shaping import Rule, Rules
from angarium.queue.turns import rank_of

LINGER_S = 2.0
"""Unused units of a count limit are kept this long: the next connection need not ask."""

LIVELY_S = 2.0
"""Who holds all units of a shared limit is to give one back in about this time."""

CONTESTED_S = 7.0
"""A recall holds for this long; the authority repeats it while another worker still waits."""


class Wish(NamedTuple):
    """What *queue* wants *want* units for: mail of *lane*.

    It *has* so many connections, other workers have *elsewhere*; each comes back after about *takes_s*. *keeps* says
    that bulk mail leaves some to the better lane.
    """

    queue: Queue
    lane: int
    want: int = 1
    has: int = 0
    elsewhere: int = 0
    takes_s: float = 0.0
    keeps: bool = False

    def rank(self, rule: Rule) -> int:
        """Its place among those who want units of *rule* (`turns`)."""
        modest = (
            self.keeps and self.lane > 0 if rule.limit.is_path else rule.is_shared and self._holds_up(rule)
        )
        return rank_of(self.lane, more=self.has > 0, modest=modest)

    def _holds_up(self, rule: Rule) -> bool:
        """Whether with one more it would hold so many that none comes back soon."""
        total = self.has + self.elsewhere
        return total > 0 and (total + 1) * self.takes_s > rule.limit.capacity * LIVELY_S


class Holdings:
    """All holdings, by key."""

    def __init__(
        self, emit: Callable[[Command], None], wake: Callable[[Holding, float], None], workers: int
    ) -> None:
        self._workers = workers
        self._emit = emit
        self._wake = wake
        self.by_key: dict[str, Holding] = {}

    def of(self, rule: Rule) -> Holding:
        """The holding of *rule*, whose terms are now those of *rule*."""
        holding = self.by_key.get(rule.key)
        if holding is None:
            holding = self.by_key[rule.key] = Holding(rule)
        else:
            holding.rule = rule
        return holding

    def lacking(self, rules: Rules, wish: Wish, now: float) -> Holding | None:
        """The first of *rules* that has no unit at hand for *wish*, or None when all have.

        If there is one, the queue waits for it: the authority has been asked, and the queue is woken with the
        answer.
        """
        for rule in rules:
            holding = self.of(rule)
            rank = wish.rank(rule)
            if not holding.has_for(rank, now):
                self._wait(holding, wish.queue, rank)
                self._ask(holding, rank, wish.want, now)
                return holding
            if holding.has_waiting and holding.is_promised(wish.queue, rank, now):
                self._wait(holding, wish.queue, rank)
                return holding
        return None

    def too_early(self, rules: Rules, wish: Wish, now: float) -> Holding | None:
        """The first of *rules* on messages of which no unit is at hand or comes soon: a new connection would wait for
        it. None if there is none; else the queue waits for it as by `lacking`.
        """
        for rule in rules:
            holding = self.of(rule)
            if not (holding.available(now) or holding.comes_soon(now)):
                rank = OPENERS[wish.lane]
                self._wait(holding, wish.queue, rank)
                self._ask(holding, rank, 1, now)
                return holding
        return None

    def take(self, rules: Rules, count: int) -> list[Holding]:
        """Use *count* units of each, after `lacking` returned None. Returns the holdings to `put`."""
        kept = []
        for rule in rules:
            holding = self.by_key[rule.key]
            holding.free -= count
            holding.turn = None
            if not rule.limit.is_rate:
                holding.used += count
                kept.append(holding)
        return kept

    def path(self, rules: Rules) -> Holding | None:
        """The holding of a queue's connections to its destination; None if it has none, or they are not limited."""
        return next((self.by_key.get(rule.key) for rule in rules if rule.limit.is_path), None)

    def held_elsewhere(self, rules: Rules) -> int:
        """How many connections to a queue's destination other schedulers had when last heard of."""
        path = self.path(rules)
        return max(0, path.rule.limit.capacity - path.used - path.free - path.left) if path is not None else 0

    def at_hand(self, rules: Rules, now: float) -> int:
        """How many units can be taken of all *rules* together."""
        return min(self.by_key[rule.key].available(now) for rule in rules)

    def put(self, holding: Holding, now: float) -> None:
        """A connection has ended: its unit is free, or goes back if others wait for it."""
        holding.used -= 1
        holding.free += 1
        holding.free_since = now
        if holding.owed and now < holding.contested_until:
            holding.owed -= 1
            self._give_back(holding, 1)
        elif now < holding.contested_until and not holding.has_waiting:
            self._give_back(holding, holding.free)
        else:
            self._wake(holding, now + LINGER_S)

    def is_spent(self, rules: Rules, now: float) -> bool:
        """Whether one of *rules* has nothing left for now: known from the last answer, nothing is asked."""
        for rule in rules:
            holding = self.by_key.get(rule.key)
            if holding is None or holding.available(now):
                continue
            if holding.asked or now < holding.retry_at:
                return True
        return False

    def granted(self, key: str, count: int, retry_at: float | None, left: int, now: float) -> Holding | None:
        """Take in an answer. Returns the holding if it is known; units for one that is not are returned."""
        holding = self.by_key.get(key)
        if holding is None:
            if count:
                self._emit(GiveBack(key, count))
            return None
        limit = holding.rule.limit
        holding.asked = False
        holding.left = left
        holding.free = holding.available(now) + count
        holding.free_since = now
        if limit.is_rate and count:
            holding.lapses_at = now + 0.8 * limit.lease_s
            if limit.is_slow:
                self._wake(holding, holding.lapses_at)
        holding.retry_at = now if retry_at is None else retry_at
        if count and not limit.is_rate:
            self._wake(holding, now + LINGER_S)
        return holding

    def recalled(self, key: str, count: int, rank: int, now: float) -> Holding | None:
        """Others wait, the best of them of *rank*: give back what is unused, and *count* more as connections end."""
        holding = self.by_key.get(key)
        if holding is None or holding.rule.limit.is_rate:
            return None
        holding.contested_until = now + CONTESTED_S
        holding.owed = max(0, count - holding.free)
        holding.owed_rank = rank
        if holding.free:
            self._give_back(holding, holding.free)
        return holding

    def review(self, holding: Holding, now: float) -> None:
        """The holding's alarm went off: return what has been unused for long, forget it when it is empty."""
        if holding.free and not holding.rule.limit.is_rate:
            if now >= holding.free_since + LINGER_S:
                self._give_back(holding, holding.free)
            else:
                self._wake(holding, holding.free_since + LINGER_S)
        holding.available(now)
        self._return_lapsed(holding, now)
        self.forget_if_idle(holding)

    def _return_lapsed(self, holding: Holding, now: float) -> None:
        """Of a slow rate, a unit that was granted and not used is had again: soon, or it is another's by now."""
        limit, count, holding.lapsed = holding.rule.limit, holding.lapsed, 0
        if count and limit.is_slow and now < holding.lapsed_at + limit.lease_s:
            holding.retry_at = 0.0
            self._emit(GiveBack(holding.rule.key, count))

    def forget_if_idle(self, holding: Holding) -> None:
        """Drop a holding that no queue uses or waits for; what is left of a rate first lapses.

        One that was dropped before may come here once more, by an alarm that was set: its key may be another's now.
        """
        if holding.idle:
            if self.by_key.get(holding.rule.key) is holding:
                del self.by_key[holding.rule.key]
        elif holding.free and holding.rule.limit.is_rate and not holding.has_waiting:
            self._wake(holding, holding.lapses_at)

    def leave(self, queue: Queue) -> None:
        """*queue* no longer waits for anything."""
        for holding in queue.waits_for:
            for waiting in holding.waiting:
                waiting.pop(queue, None)
            if holding.asker is queue:
                holding.asker = None
            self.forget_if_idle(holding)
        queue.waits_for.clear()

    def _wait(self, holding: Holding, queue: Queue, rank: int) -> None:
        if queue in holding.waiting[rank]:
            return
        if holding in queue.waits_for:
            for waiting in holding.waiting:
                waiting.pop(queue, None)
        else:
            queue.waits_for.append(holding)
        holding.waiting[rank][queue] = None

    def _ask(self, holding: Holding, rank: int, want: int, now: float) -> None:
        limit = holding.rule.limit
        # The authority serves it before the one that it was asked for.
        is_news = rank < holding.asked_rank and not limit.is_rate and not holding.rule.is_learnt
        if holding.asked and not is_news:
            return
        if now < holding.retry_at and not is_news:
            self._wake(holding, holding.wake_at(now))
            return
        if holding.rule.is_learnt:
            return
        holding.asked = True
        holding.asked_rank = rank
        if limit.is_rate:
            want = min(want, max(1, limit.burst // self._workers))
        self._emit(Lease(holding.rule.key, max(1, want), limit, rank))

    def _give_back(self, holding: Holding, count: int) -> None:
        """Return units. The authority then forgets that we wanted more, so we may ask again at any time."""
        holding.free -= count
        holding.retry_at = 0.0
        if not holding.rule.is_learnt:
            self._emit(GiveBack(holding.rule.key, count))
