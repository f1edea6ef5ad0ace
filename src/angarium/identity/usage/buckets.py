"""What is counted of an account's and a server's sending, and what is said when the count is full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from angarium.core.submission import Problem, Reason
from angarium.identity.limits import Limits, Rate
from angarium.identity.records import Account, Server

DAY_S: Final = 86_400


class Bucket(NamedTuple):
    """One count that is kept: at most *limit* recipients of *scope* in each window of *seconds*.

    Windows begin at multiples of their length since 1970, so that the day is that of UTC. *owner* is how the scope
    is called in a reply, `account acme`.
    """

    scope: str
    seconds: int
    limit: int
    owner: str

    def starts_at(self, now: float) -> int:
        """Return when the window that holds *now* began."""
        return int(now // self.seconds) * self.seconds


@dataclass(frozen=True, slots=True)
class Allowed:
    """The recipients are counted, and may be sent to."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Nothing was counted: *bucket* has no room for that many until *again_at*."""

    bucket: Bucket
    wanted: int
    again_at: float

    @property
    def problem(self) -> Problem:
        """Which limit it is, and when to come back."""
        bucket = self.bucket
        facts = {"owner": bucket.owner, "seconds": bucket.seconds, "again_at": self.again_at}
        reason = Reason.QUOTA_TOO_SMALL if self.wanted > bucket.limit else Reason.QUOTA
        return Problem(reason, limit=bucket.limit, found=self.wanted, facts=facts)


ALLOWED: Final = Allowed()


def buckets_of(account: Account, server: Server | None) -> tuple[Bucket, ...]:
    """Return what is counted, in the one order in which all workers lock the counts. Usually nothing."""
    found = _buckets(f"account:{account.id}", f"account {account.name}", account.limits)
    if server is not None:
        found += _buckets(f"server:{server.id}", f"server {server.name}", server.limits)
    return found


def chunk(left: int, wanted: int) -> int:
    """Return how many to reserve when *left* remain and *wanted* are needed now, at most *left*.

    A twentieth of what remains, so that hardly anything lies idle with other workers once the count is nearly full.
    """
    return min(left, max(wanted, min(_LARGEST_CHUNK, left // 20)))


def latest(exceeded: Sequence[Exceeded]) -> Exceeded:
    """Return the one of several full buckets that keeps the sender waiting longest."""
    return max(exceeded, key=lambda each: each.again_at)


_LARGEST_CHUNK = 1000


def _buckets(scope: str, owner: str, limits: Limits) -> tuple[Bucket, ...]:
    """One bucket for each length of window, since a rate per day and the daily quota are one count."""
    rates = [limits.rate] if limits.rate is not None else []
    if limits.daily_quota is not None:
        rates.append(Rate(limits.daily_quota, DAY_S))
    least: dict[int, int] = {}
    for rate in rates:
        least[rate.seconds] = min(rate.count, least.get(rate.seconds, rate.count))
    return tuple(Bucket(scope, seconds, limit, owner) for seconds, limit in sorted(least.items()))
