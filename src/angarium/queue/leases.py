"""The units of shared limits that this scheduler has: leased from the authority, used, and given back when
idle.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from angarium.queue.alarms import NEVER
from angarium.queue.commands import Command, GiveBack, Lease
from angarium.queue.shaping import Rule, Rules

if TYPE_CHECKING:
    from angarium.queue.queues import Queue

LINGER_S = 2.0
"""Unused units of a count limit are kept this long: the next connection need not ask."""

QUANTUM_S = 1.0
"""A connection may be used this long before it must be given up for others that wait for its units."""

CONTESTED_S = 7.0
"""A recall holds for this long; the authority repeats it while somebody still waits."""


class Account:
    """One limit as this scheduler knows it.

    *free* units may be used; those of a rate only before *lapses_at*. *used* counts connections, *closing* those of
    them that have nothing more to do: their units come free by themselves.
    *retry_at* is when the authority wants to be asked again. Queues that wait for units stand in *waiting*, by
    lane; *turn* is the one that was woken last, *asker* one that was woken only to ask for more.
    """

    __slots__ = (
        "alarm_at",
        "asked",
        "asker",
        "closing",
        "contested_until",
        "free",
        "free_since",
        "lapses_at",
        "owed",
        "retry_at",
        "rule",
        "turn",
        "used",
        "waiting",
    )

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.free = 0
        self.used = 0
        self.closing = 0
        self.free_since = 0.0
        self.lapses_at = NEVER
        self.asked = False
        self.retry_at = 0.0
        self.contested_until = 0.0
        self.owed = 0
        self.alarm_at = NEVER
        self.turn: Queue | None = None
        self.asker: Queue | None = None
        self.waiting: tuple[OrderedDict[Queue, None], OrderedDict[Queue, None]] = (
            OrderedDict(),
            OrderedDict(),
        )

    def available(self, now: float) -> int:
        """How many units can be used now."""
        if now >= self.lapses_at:
            self.free = 0
            self.lapses_at = NEVER
        return self.free

    @property
    def waiting_count(self) -> int:
        """How many queues of this scheduler wait for units."""
        return len(self.waiting[0]) + len(self.waiting[1])

    @property
    def has_waiting(self) -> bool:
        """Whether queues of this scheduler wait for units."""
        return bool(self.waiting[0] or self.waiting[1])

    def contested(self, user: "Queue", lane: int, held_s: float, now: float) -> bool:
        """Whether a connection that *user* has held for *held_s*, for mail of *lane*, is due to others.

        At once to a better lane, after its quantum to equals. *lane* 2 stands for no mail: at once to anybody.
        Who is served by what is closing already waits for no more.
        """
        if not (self.has_waiting or self.owed):
            return False
        if self._others(user, lane) > self.closing:
            return True
        if held_s < QUANTUM_S and lane < 2:
            return False
        if self.owed > self.closing and now < self.contested_until:
            return True
        return self._others(user, lane + 1) > self.closing

    def _others(self, user: "Queue", lanes: int) -> int:
        """How many queues but *user* wait for mail of the best *lanes*."""
        return sum(len(waiting) - (user in waiting) for waiting in self.waiting[:lanes])

    def next_after(self, user: "Queue") -> "Queue | None":
        """The queue whose turn it is when *user* has done."""
        return next((queue for lane in self.waiting for queue in lane if queue is not user), None)

    def next_waiting(self) -> "Queue | None":
        """The queue whose turn it is; it no longer waits."""
        for lane in self.waiting:
            for queue in lane:
                del lane[queue]
                queue.waits_for.remove(self)
                self.turn = queue
                return queue
        return None

    def is_promised(self, queue: "Queue", lane: int) -> bool:
        """Whether others of the same or a better lane than *queue* have waited for what is free."""
        if self.turn is queue:
            return False
        return any(other is not queue for waiting in self.waiting[: lane + 1] for other in waiting)

    @property
    def idle(self) -> bool:
        return not (self.free or self.used or self.asked or self.waiting[0] or self.waiting[1])


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

    def lacking(self, rules: Rules, queue: "Queue", lane: int, want: int, now: float) -> Account | None:
        """The first of *rules* that has no unit at hand, or None when all have.

        If there is one, *queue* waits for it: the authority has been asked, and the queue is woken with the
        answer.
        """
        for rule in rules:
            account = self.account(rule)
            if account.available(now) < 1:
                self._wait(account, queue, lane)
                self._ask(account, lane, want, now)
                return account
            if account.has_waiting and account.is_promised(queue, lane):
                self._wait(account, queue, lane)
                return account
        return None

    def take(self, rules: Rules, count: int) -> list[Account]:
        """Use *count* units of each, after `lacking` returned None. Returns the accounts to `put`."""
        kept = []
        for rule in rules:
            account = self.accounts[rule.key]
            account.free -= count
            if not rule.limit.is_rate:
                account.used += count
                kept.append(account)
        return kept

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

    def granted(self, key: str, count: int, retry_at: float | None, now: float) -> Account | None:
        """Take in an answer. Returns the account if it is known; units for one that is not are returned."""
        account = self.accounts.get(key)
        if account is None:
            if count:
                self._emit(GiveBack(key, count))
            return None
        limit = account.rule.limit
        account.asked = False
        account.free = account.available(now) + count
        account.free_since = now
        if limit.is_rate and count:
            account.lapses_at = now + 0.8 * limit.lease_s
        account.retry_at = now if retry_at is None else retry_at
        if count and not limit.is_rate:
            self._wake(account, now + LINGER_S)
        return account

    def recalled(self, key: str, count: int, now: float) -> Account | None:
        """Others wait: give back what is unused, and *count* more as connections end."""
        account = self.accounts.get(key)
        if account is None or account.rule.limit.is_rate:
            return None
        account.contested_until = now + CONTESTED_S
        account.owed = max(0, count - account.free)
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
        self.forget_if_idle(account)

    def forget_if_idle(self, account: Account) -> None:
        """Drop an account that nobody uses or waits for; what is left of a rate first lapses.

        One that was dropped before may come here once more, by an alarm that was set: its key may be another's now.
        """
        if account.idle:
            if self.accounts.get(account.rule.key) is account:
                del self.accounts[account.rule.key]
        elif account.free and account.rule.limit.is_rate and not account.has_waiting:
            self._wake(account, account.lapses_at)

    def leave(self, queue: "Queue") -> None:
        """*queue* no longer waits for anything."""
        for account in queue.waits_for:
            for lane in account.waiting:
                lane.pop(queue, None)
            self.forget_if_idle(account)
        queue.waits_for.clear()

    def _wait(self, account: Account, queue: "Queue", lane: int) -> None:
        if queue not in account.waiting[lane]:
            if account in queue.waits_for:
                account.waiting[1 - lane].pop(queue)
            else:
                queue.waits_for.append(account)
            account.waiting[lane][queue] = None
            if queue is account.asker:  # to ask for all costs nobody their turn
                account.waiting[lane].move_to_end(queue, last=False)

    def _ask(self, account: Account, lane: int, want: int, now: float) -> None:
        limit = account.rule.limit
        if account.asked:
            return
        if now < account.retry_at:
            self._wake(account, account.retry_at)
            return
        if account.rule.is_learnt:
            return
        account.asked = True
        if limit.is_rate:
            want = min(want, max(1, limit.burst // self._workers))
        self._emit(Lease(account.rule.key, max(1, want), limit, lane))

    def _give_back(self, account: Account, count: int) -> None:
        """Return units. The authority then forgets that we wanted more, so we may ask again at any time."""
        account.free -= count
        account.retry_at = 0.0
        if not account.rule.is_learnt:
            self._emit(GiveBack(account.rule.key, count))
