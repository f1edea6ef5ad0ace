"""The units of shared limits that this scheduler has: leased from the authority, used, and given back when
idle.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from angarium.queue.alarms import NEVER
from angarium.queue.commands import Command, GiveBack, Lease
from angarium.queue.limits import AHEAD_S
from angarium.queue.shaping import Rule, Rules
from angarium.queue.turns import LANES, RANKS, as_good_as, better_than, is_modest, rank_of

if TYPE_CHECKING:
    from angarium.queue.queues import Queue

LINGER_S = 2.0
"""Unused units of a count limit are kept this long: the next connection need not ask."""

QUANTUM_S = 1.0
"""A connection may be used this long before it must be given up for others that wait for its units."""

LIVELY_S = 2.0
"""Who holds all units of a shared limit is to give one back in about this time."""

CONTESTED_S = 7.0
"""A recall holds for this long; the authority repeats it while somebody still waits."""


OPENERS = tuple(rank_of(lane, modest=True) for lane in range(LANES))
"""By lane: the rank in which those wait for a rate who would open a connection for what it lets pass. Before them go
new connections, after them those that have sent something.
"""


class Wish(NamedTuple):
    """What *queue* wants *want* units for: mail of *lane*.

    It *has* so many connections, other workers have *elsewhere*; each comes back after about *takes_s*. *keeps* says
    that bulk mail leaves some to the better lane.
    """

    queue: "Queue"
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


class Account:
    """One limit as this scheduler knows it.

    *free* units may be used; those of a rate only before *lapses_at*. *used* counts connections, *closing* those of
    them that have nothing more to do: their units come free by themselves. *left* is how many nobody held when the
    authority last spoke. *retry_at* is when it wants to be asked again, *asked_rank* for whom it was asked last. Queues
    that wait for units stand in *waiting*, by rank; *turn* is the one that was woken last, *asker* one that was woken
    only to ask for more. *owed* units are to be given back for others, the best of *owed_rank*.
    """

    __slots__ = (
        "alarm_at",
        "asked",
        "asked_rank",
        "asker",
        "closing",
        "contested_until",
        "free",
        "free_since",
        "lapsed",
        "lapsed_at",
        "lapses_at",
        "left",
        "owed",
        "owed_rank",
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
        self.left = 0
        self.free_since = 0.0
        self.lapses_at = NEVER
        self.lapsed = 0
        self.lapsed_at = 0.0
        self.asked = False
        self.asked_rank = RANKS
        self.retry_at = 0.0
        self.contested_until = 0.0
        self.owed = 0
        self.owed_rank = RANKS
        self.alarm_at = NEVER
        self.turn: Queue | None = None
        self.asker: Queue | None = None
        self.waiting: tuple[dict[Queue, None], ...] = tuple({} for _ in range(RANKS))

    def available(self, now: float) -> int:
        """How many units can be used now."""
        if now >= self.lapses_at:
            self.lapsed, self.lapsed_at = self.free, self.lapses_at
            self.free = 0
            self.lapses_at = NEVER
        return self.free

    def comes_soon(self, now: float) -> bool:
        """Whether a unit of a rate, of which there is none now, is expected so soon that its user may be made ready."""
        return self.rule.limit.is_rate and now < self.retry_at <= now + AHEAD_S

    def has_for(self, rank: int, now: float) -> bool:
        """Whether one of *rank* may use a unit now: if it is modest, none of those that it leaves to others."""
        free = self.available(now)
        return free > 0 and (not is_modest(rank) or free + self.left > self.left_by(rank))

    def left_by(self, rank: int) -> int:
        """How many units one of *rank* leaves to others."""
        return self.rule.limit.left_by(rank)

    @property
    def waiting_count(self) -> int:
        """How many queues of this scheduler wait for units."""
        return sum(map(len, self.waiting))

    @property
    def has_waiting(self) -> bool:
        """Whether queues of this scheduler wait for units."""
        return any(self.waiting)

    def contested(self, user: "Queue", lane: int | None, held_s: float, now: float) -> bool:
        """Whether a connection that *user* has held for *held_s*, for mail of *lane*, is due to others.

        At once to a better lane, and to who has none if *user* has several; after its quantum to equals. Without mail
        (None), at once to anybody. Who is served by what is closing already waits for no more.
        """
        if not (self.owed or self.has_waiting):
            return False
        several = user.open > 1
        better = RANKS if lane is None else better_than(lane, several=several)
        is_owed = self.owed > self.closing and now < self.contested_until
        if (is_owed and self.owed_rank < better) or self._others(user, better) > self.closing:
            return True
        if lane is None or held_s < QUANTUM_S:
            return lane is None and is_owed
        return is_owed or self._others(user, as_good_as(lane, several=several)) > self.closing

    def _others(self, user: "Queue", below: int) -> int:
        """How many queues but *user* wait, of ranks *below* this, for a unit that *user* could give up."""
        return sum(
            len(waiting) - (user in waiting)
            for rank, waiting in enumerate(self.waiting[:below])
            if waiting and self._could_serve(rank)
        )

    def _could_serve(self, rank: int) -> bool:
        """Whether with one unit more than come free by themselves there was one for *rank*."""
        return self.free + self.left + self.closing >= self.left_by(rank)

    def next_after(self, user: "Queue") -> "Queue | None":
        """The queue whose turn it is when *user* has done."""
        ranks = (waiting for rank, waiting in enumerate(self.waiting) if self._could_serve(rank))
        return next((queue for waiting in ranks for queue in waiting if queue is not user), None)

    def next_waiting(self, now: float, *, to_ask: bool) -> "Queue | None":
        """The queue whose turn it is to use a unit, or *to_ask* for one; it no longer waits."""
        for rank, waiting in enumerate(self.waiting):
            if waiting and (to_ask or self.has_for(rank, now) or (rank in OPENERS and self.comes_soon(now))):
                queue = self.asker if self.asker in waiting else next(iter(waiting))
                assert queue is not None
                del waiting[queue]
                queue.waits_for.remove(self)
                self.asker = queue if to_ask and self.rule.limit.is_rate else None
                self.turn = queue
                return queue
        return None

    def waits_as(self, queue: "Queue") -> int:
        """The rank in which *queue* waits."""
        return next((rank for rank, waiting in enumerate(self.waiting) if queue in waiting), RANKS)

    def is_promised(self, queue: "Queue", rank: int, now: float) -> bool:
        """Whether others, as good as *queue* of *rank* or better, have waited for what is free."""
        if self.turn is queue:
            return False
        return any(
            len(waiting) > (queue in waiting)
            for each, waiting in enumerate(self.waiting[: rank + 1])
            if waiting and self.has_for(each, now)
        )

    def wake_at(self, now: float) -> float:
        """When those who wait can go on, or ask, if no answer comes before."""
        soon_at = self.retry_at - AHEAD_S
        is_for_openers = (
            self.rule.limit.is_rate and now < soon_at and any(self.waiting[rank] for rank in OPENERS)
        )
        return soon_at if is_for_openers else self.retry_at

    @property
    def idle(self) -> bool:
        return not (self.free or self.used or self.asked or self.has_waiting)


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

    def leave(self, queue: "Queue") -> None:
        """*queue* no longer waits for anything."""
        for account in queue.waits_for:
            for waiting in account.waiting:
                waiting.pop(queue, None)
            if account.asker is queue:
                account.asker = None
            self.forget_if_idle(account)
        queue.waits_for.clear()

    def _wait(self, account: Account, queue: "Queue", rank: int) -> None:
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
