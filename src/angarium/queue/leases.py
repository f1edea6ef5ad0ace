"""The units of shared limits that this scheduler has: leased from the authority, used, and given back when
idle.
"""

from collections.abc import Callable
from typing import NamedTuple

from angarium.queue.commands import Command, GiveBack, Lease
from angarium.queue.queues import OPENERS, Account, Queue
from angarium.queue.shaping import Rule, Rules
from angarium.queue.turns import rank_of

LINGER_S = 2.0
"""Unused units of a count limit are kept this long: the next connection need not ask."""

LIVELY_S = 2.0
"""Who holds all units of a shared limit is to give one back in about this time."""

CONTESTED_S = 7.0
"""A recall holds for this long; the authority repeats it while somebody still waits."""


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


class Ledger:
    """All accounts, by key."""

    def __init__(
        self, emit: Callable[[Command], None], wake: Callable[[Account, float], None], workers: int
    ) -> None:
        self._workers = workers
        self._emit = emit
        self._wake = wake
        self.accounts: dict[str, Account] = {}

    def account(self, rule: Rule) -> Account:
        """The account of *rule*, whose terms are now those of *rule*."""
        account = self.accounts.get(rule.key)
        if account is None:
            account = self.accounts[rule.key] = Account(rule)
        else:
            account.rule = rule
        return account

    def lacking(self, rules: Rules, wish: Wish, now: float) -> Account | None:
        """The first of *rules* that has no unit at hand for *wish*, or None when all have.

        If there is one, the queue waits for it: the authority has been asked, and the queue is woken with the
        answer.
        """
        for rule in rules:
            account = self.account(rule)
            rank = wish.rank(rule)
            if not account.has_for(rank, now):
                self._wait(account, wish.queue, rank)
                self._ask(account, rank, wish.want, now)
                return account
            if account.has_waiting and account.is_promised(wish.queue, rank, now):
                self._wait(account, wish.queue, rank)
                return account
        return None

    def too_early(self, rules: Rules, wish: Wish, now: float) -> Account | None:
        """The first of *rules* on messages of which no unit is at hand or comes soon: a new connection would wait for
        it. None if there is none; else the queue waits for it as by `lacking`.
        """
        for rule in rules:
            account = self.account(rule)
            if not (account.available(now) or account.comes_soon(now)):
                rank = OPENERS[wish.lane]
                self._wait(account, wish.queue, rank)
                self._ask(account, rank, 1, now)
                return account
        return None

    def take(self, rules: Rules, count: int) -> list[Account]:
        """Use *count* units of each, after `lacking` returned None. Returns the accounts to `put`."""
        kept = []
        for rule in rules:
            account = self.accounts[rule.key]
            account.free -= count
            account.turn = None
            if not rule.limit.is_rate:
                account.used += count
                kept.append(account)
        return kept

    def path(self, rules: Rules) -> Account | None:
        """The account of a queue's connections to its destination; None if it has none, or they are not limited."""
        return next((self.accounts.get(rule.key) for rule in rules if rule.limit.is_path), None)

    def held_elsewhere(self, rules: Rules) -> int:
        """How many connections to a queue's destination other schedulers had when last heard of."""
        path = self.path(rules)
        return max(0, path.rule.limit.capacity - path.used - path.free - path.left) if path is not None else 0

    def at_hand(self, rules: Rules, now: float) -> int:
        """How many units can be taken of all *rules* together."""
        return min(self.accounts[rule.key].available(now) for rule in rules)

    def put(self, account: Account, now: float) -> None:
        """A connection has ended: its unit is free, or goes back if others wait for it."""
        account.used -= 1
        account.free += 1
        account.free_since = now
        if account.owed and now < account.contested_until:
            account.owed -= 1
            self._give_back(account, 1)
        elif now < account.contested_until and not account.has_waiting:
            self._give_back(account, account.free)
        else:
            self._wake(account, now + LINGER_S)

    def is_spent(self, rules: Rules, now: float) -> bool:
        """Whether one of *rules* has nothing left for now: known from the last answer, nothing is asked."""
        for rule in rules:
            account = self.accounts.get(rule.key)
            if account is None or account.available(now):
                continue
            if account.asked or now < account.retry_at:
                return True
        return False

    def granted(self, key: str, count: int, retry_at: float | None, left: int, now: float) -> Account | None:
        """Take in an answer. Returns the account if it is known; units for one that is not are returned."""
        account = self.accounts.get(key)
        if account is None:
            if count:
                self._emit(GiveBack(key, count))
            return None
        limit = account.rule.limit
        account.asked = False
        account.left = left
        account.free = account.available(now) + count
        account.free_since = now
        if limit.is_rate and count:
            account.lapses_at = now + 0.8 * limit.lease_s
            if limit.is_slow:
                self._wake(account, account.lapses_at)
        account.retry_at = now if retry_at is None else retry_at
        if count and not limit.is_rate:
            self._wake(account, now + LINGER_S)
        return account

    def recalled(self, key: str, count: int, rank: int, now: float) -> Account | None:
        """Others wait, the best of them of *rank*: give back what is unused, and *count* more as connections end."""
        account = self.accounts.get(key)
        if account is None or account.rule.limit.is_rate:
            return None
        account.contested_until = now + CONTESTED_S
        account.owed = max(0, count - account.free)
        account.owed_rank = rank
        if account.free:
            self._give_back(account, account.free)
        return account

    def review(self, account: Account, now: float) -> None:
        """The account's alarm went off: return what has been unused for long, forget it when it is empty."""
        if account.free and not account.rule.limit.is_rate:
            if now >= account.free_since + LINGER_S:
                self._give_back(account, account.free)
            else:
                self._wake(account, account.free_since + LINGER_S)
        account.available(now)
        self._return_lapsed(account, now)
        self.forget_if_idle(account)

    def _return_lapsed(self, account: Account, now: float) -> None:
        """Of a slow rate, a unit that was granted and not used is had again: soon, or it is another's by now."""
        limit, count, account.lapsed = account.rule.limit, account.lapsed, 0
        if count and limit.is_slow and now < account.lapsed_at + limit.lease_s:
            account.retry_at = 0.0
            self._emit(GiveBack(account.rule.key, count))

    def forget_if_idle(self, account: Account) -> None:
        """Drop an account that nobody uses or waits for; what is left of a rate first lapses.

        One that was dropped before may come here once more, by an alarm that was set: its key may be another's now.
        """
        if account.idle:
            if self.accounts.get(account.rule.key) is account:
                del self.accounts[account.rule.key]
        elif account.free and account.rule.limit.is_rate and not account.has_waiting:
            self._wake(account, account.lapses_at)

    def leave(self, queue: Queue) -> None:
        """*queue* no longer waits for anything."""
        for account in queue.waits_for:
            for waiting in account.waiting:
                waiting.pop(queue, None)
            if account.asker is queue:
                account.asker = None
            self.forget_if_idle(account)
        queue.waits_for.clear()

    def _wait(self, account: Account, queue: Queue, rank: int) -> None:
        if queue in account.waiting[rank]:
            return
        if account in queue.waits_for:
            for waiting in account.waiting:
                waiting.pop(queue, None)
        else:
            queue.waits_for.append(account)
        account.waiting[rank][queue] = None

    def _ask(self, account: Account, rank: int, want: int, now: float) -> None:
        limit = account.rule.limit
        # The authority serves it before whom it was asked for.
        is_news = rank < account.asked_rank and not limit.is_rate and not account.rule.is_learnt
        if account.asked and not is_news:
            return
        if now < account.retry_at and not is_news:
            self._wake(account, account.wake_at(now))
            return
        if account.rule.is_learnt:
            return
        account.asked = True
        account.asked_rank = rank
        if limit.is_rate:
            want = min(want, max(1, limit.burst // self._workers))
        self._emit(Lease(account.rule.key, max(1, want), limit, rank))

    def _give_back(self, account: Account, count: int) -> None:
        """Return units. The authority then forgets that we wanted more, so we may ask again at any time."""
        account.free -= count
        account.retry_at = 0.0
        if not account.rule.is_learnt:
            self._emit(GiveBack(account.rule.key, count))
