"""What is counted of an account's and a server's sending, and what is said when the count is full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Final, NamedTuple

from angarium.core.reply import Reply
from angarium.identity.records import Account, Limits, Rate, Server

DAY_S: Final = 86_400

_UNITS = {1: "second", 60: "minute", 3600: "hour", DAY_S: "day", 7 * DAY_S: "week"}


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
    def reason(self) -> str:
        """A sentence for the sender: which limit, and when to come back."""
        bucket = self.bucket
        window = _UNITS.get(bucket.seconds, f"{bucket.seconds} seconds")
        may = f"{bucket.owner} may send to {bucket.limit} recipients {'in' if window[-1] == 's' else 'a'} {window}"
        if self.wanted > bucket.limit:
            return f"{may}, fewer than these {self.wanted}; send to fewer at once"
        return f"{may} and has; send again after {_rfc3339(self.again_at)}"

    @property
    def reply(self) -> Reply:
        """The answer to a recipient too many."""
        return Reply(450, "4.7.1", self.reason)

    @property
    def closing(self) -> Reply:
        """The answer that ends the session of somebody who goes on all the same."""
        return Reply(421, "4.7.1", self.reason)


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


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(ceil(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
