"""What a sender may still send: counted here and nowhere else, whatever door it comes through."""

from collections import defaultdict
from typing import Protocol

from angarium.config.records import GlobalOptions
from angarium.core.clock import Clock
from angarium.core.submission import Problem
from angarium.core.waiting import WaitingCount, WaitingMail
from angarium.identity.principal import Principal, queue_problem, queue_room
from angarium.identity.usage.buckets import ALLOWED, Allowed, Exceeded


class UsageCounter(Protocol):
    """Counts recipients against rates and quotas; `identity.usage.Usage` is one."""

    def take_now(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded | None:
        """Take *count* if that can be said at once; None: ask `take`."""
        ...

    async def take(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        """Take *count*. Raises AngariumError when that cannot be found out."""
        ...

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        """Return what was taken, at *since* or later, for mail that was not accepted."""
        ...


class Reservation:
    """What one submission has taken of its sender's quota.

    It grows as recipients are named, by RCPT or by an option, and is settled once: with the receipt, or when the
    submission will never be complete. *room* is how much more of the account may wait, when it began.
    """

    __slots__ = ("_clock", "_principal", "_recipients", "_room", "_taken", "_usage")

    def __init__(self, usage: UsageCounter, principal: Principal, room: WaitingCount, clock: Clock) -> None:
        self._usage = usage
        self._principal = principal
        self._room = room
        self._clock = clock
        self._recipients = 0
        self._taken: defaultdict[int, int] = defaultdict(int)
        """Recipients that were counted, by the second: that says in which windows."""

    def lacks_room(self, recipients: int, size_bytes: int = 0) -> Problem | None:
        """Return why so many recipients more, and bytes, may not wait, or None."""
        return queue_problem(self._principal, self._room, self._recipients + recipients, size_bytes)

    def take_now(self, count: int) -> Allowed | Problem | None:
        """Take room for *count* recipients if that can be said at once; None: ask `take`."""
        problem = self.lacks_room(count)
        if problem is not None:
            return problem
        if not self._principal.buckets:  # as is usual
            self._recipients += count
            return ALLOWED
        now = self._clock.now()
        answer = self._usage.take_now(self._principal, count, now)
        if isinstance(answer, Allowed):
            self._recipients += count
            self._taken[int(now)] += count
        return answer.problem if isinstance(answer, Exceeded) else answer

    async def take(self, count: int) -> Allowed | Problem:
        """Take room for *count* recipients, all or none. Raises AngariumError when that cannot be found out."""
        known = self.take_now(count)
        if known is not None:
            return known
        now = self._clock.now()
        answer = await self._usage.take(self._principal, count, now)
        if isinstance(answer, Exceeded):
            return answer.problem
        self._recipients += count
        self._taken[int(now)] += count
        return answer

    def settle(self, is_accepted: bool) -> None:
        """Keep what was taken for good, or give it back. What is settled stays so."""
        taken, self._taken = self._taken, defaultdict(int)
        if not is_accepted:
            for since, count in taken.items():
                self._usage.give_back(self._principal, count, since)


class Quota:
    """The quotas of all senders, as one worker sees them. *waiting* knows how much mail of an account waits."""

    def __init__(self, usage: UsageCounter, waiting: WaitingMail, clock: Clock) -> None:
        self._usage = usage
        self._waiting = waiting
        self._clock = clock

    def reserve(self, principal: Principal, node: GlobalOptions) -> Reservation:
        """Begin a reservation, of nothing as yet. *node* has the bounds of accounts that have none themselves."""
        most = WaitingCount(node.account_max_queued_recipients, node.account_max_queued_bytes)
        room = queue_room(principal, self._waiting.waiting(principal.account.id), most)
        return Reservation(self._usage, principal, room, self._clock)


class NothingCounted:
    """Where no sending is counted. Implements UsageCounter."""

    def take_now(self, principal: Principal, count: int, now: float) -> Allowed:
        """See UsageCounter."""
        return ALLOWED

    async def take(self, principal: Principal, count: int, now: float) -> Allowed:
        """See UsageCounter."""
        return ALLOWED

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        """See UsageCounter."""
