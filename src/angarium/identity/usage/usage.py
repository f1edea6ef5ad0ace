"""Counting recipients against rates and quotas, exactly, though several workers count at once.

Each worker reserves chunks in the store (`counts`) and takes from them without asking again; what lies idle goes back.
So no window ever sees more than its limit, and near its end a worker may be refused while another still holds a small
chunk that it gives back seconds later. A worker that dies takes its chunks with it: at most a twentieth of what was
left is lost to that window, and none is counted twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.identity.principal import Principal
from angarium.identity.usage.buckets import ALLOWED, Allowed, Bucket, Exceeded
from angarium.identity.usage.counts import Need, Window, forget, give_back, reserve
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.outage import Outage
from angarium.sql.threads import StoreThread

IDLE_S: Final = 5.0
"""How long a chunk may lie untouched before it goes back."""
REFUSED_S: Final = 1.0
"""How long a full bucket is believed to be full; another worker may give something back."""

_TIDY_S = 1.0
_FORGET_S = 600.0


@dataclass(slots=True)
class _Held:
    """What one worker holds of one bucket in one window."""

    starts_at: int
    ends_at: int
    limit: int
    left: int
    used_at: float


class Usage:
    """The counts as one worker sees them. For one event loop; *database* may be used by others."""

    def __init__(self, database: Database, clock: Clock, log: Log) -> None:
        self._database = database
        self._clock = clock
        self._worker = StoreThread("usage counts")
        self._tasks = Tasks(log, clock)
        self._held: dict[tuple[str, int], _Held] = {}
        self._full: dict[tuple[str, int], tuple[float, Exceeded]] = {}
        self._owed: dict[Window, int] = {}
        self._services: list[asyncio.Task[Any]] = []
        self._outage = Outage("usage counts", "identity_outage", log, clock)

    async def start(self) -> None:
        """Begin to give back what lies idle."""
        self._services = [
            self._tasks.regularly(_TIDY_S, self.tidy),
            self._tasks.regularly(_FORGET_S, self._forget),
        ]

    async def close(self) -> None:
        """Give everything back, and stop. What the store does not take is lost to its windows."""
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self._return_idle(float("inf"))
        await self._worker.close()

    def take_now(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded | None:
        """Count *count* recipients if that can be said at once; None: `take` has to ask the store. For somebody
        without limits this costs nothing.
        """
        buckets = principal.buckets
        if not buckets:
            return ALLOWED
        for bucket in buckets:
            held = self._of(bucket, now)
            if held is None or held.left < count:
                return self._known_full(bucket, count, now)
        for bucket in buckets:
            self._spend(bucket, count, now)
        return ALLOWED

    async def take(self, principal: Principal, count: int, now: float) -> Allowed | Exceeded:
        """Count *count* recipients, all or none. Raises StoreError. Cancelled, it counts none."""
        known = self.take_now(principal, count, now)
        if known is not None:
            return known
        asking = self._tasks.start(self._ask(principal.buckets, count, now))
        try:
            result: Allowed | Exceeded | StoreError = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(lambda done: self._unwanted(principal, count, now, done))
            raise
        if isinstance(result, StoreError):
            raise result
        return result

    def give_back(self, principal: Principal, count: int, since: float) -> None:
        """Return *count* recipients that were taken at *since*, or some time after it, and not used after all.

        They go back to the window that holds *since*: what was taken in one that is over stays counted there.
        """
        for bucket in principal.buckets:
            self._hold(bucket, count, since)

    async def tidy(self) -> None:
        """Give back what lies idle. When that fails it is lost to its window: it may have been done all the same,
        and giving back twice would let more through than the limit.
        """
        now = self._clock.now()
        await self._return_idle(now)
        self._full = {key: full for key, full in self._full.items() if full[0] > now}

    async def _forget(self) -> None:
        now = self._clock.now()
        await self._do(lambda: forget(self._database, now))

    def _of(self, bucket: Bucket, now: float) -> _Held | None:
        """Return what is held of *bucket* in the window that holds *now*. What was reserved under another limit is
        put aside to go back.
        """
        held = self._held.get((bucket.scope, bucket.seconds))
        if held is None or not held.starts_at <= now < held.ends_at:
            return None
        if held.limit != bucket.limit:
            self._owe(bucket.scope, bucket.seconds, self._held.pop((bucket.scope, bucket.seconds)))
            return None
        return held

    def _spend(self, bucket: Bucket, count: int, now: float) -> None:
        held = self._held[bucket.scope, bucket.seconds]
        held.left -= count
        held.used_at = now

    def _known_full(self, bucket: Bucket, count: int, now: float) -> Exceeded | None:
        until, full = self._full.get((bucket.scope, bucket.seconds), (0.0, None))
        if full is not None and now < until and full.bucket == bucket and full.wanted <= count:
            return Exceeded(bucket, count, full.again_at)
        return None

    async def _ask(
        self, buckets: tuple[Bucket, ...], count: int, now: float
    ) -> Allowed | Exceeded | StoreError:
        """Take what is here, and reserve what is lacking."""
        taken = {bucket: self._take_held(bucket, count, now) for bucket in buckets}
        needs = [
            Need(bucket, bucket.starts_at(now), count - here)
            for bucket, here in taken.items()
            if here < count
        ]
        try:
            granted = await self._worker.ask(lambda: reserve(self._database, needs)) if needs else {}
        except StoreError as error:
            self._put_back(taken, now)
            return error
        if isinstance(granted, Exceeded):
            self._put_back(taken, now)
            full = Exceeded(granted.bucket, count, granted.again_at)
            until = min(now + REFUSED_S, granted.again_at)
            self._full[granted.bucket.scope, granted.bucket.seconds] = until, full
            return full
        for need in needs:
            reserved = granted[Window(need.bucket.scope, need.bucket.seconds, need.starts_at)]
            self._hold(need.bucket, reserved - need.recipients, now)
        return ALLOWED

    def _take_held(self, bucket: Bucket, count: int, now: float) -> int:
        held = self._of(bucket, now)
        if held is None:
            return 0
        here = min(held.left, count)
        self._spend(bucket, here, now)
        return here

    def _put_back(self, taken: dict[Bucket, int], now: float) -> None:
        for bucket, count in taken.items():
            if count:
                self._hold(bucket, count, now)

    def _hold(self, bucket: Bucket, count: int, now: float) -> None:
        """Add to what is held of the window that holds *now*; if that is not the one held, it goes back."""
        key, starts_at = (bucket.scope, bucket.seconds), bucket.starts_at(now)
        held = self._of(bucket, now)
        if held is not None:
            held.left += count
            held.used_at = max(held.used_at, now)
            return
        fresh = _Held(starts_at, starts_at + bucket.seconds, bucket.limit, count, now)
        other = self._held.get(key)
        if other is None or other.starts_at < starts_at:
            self._held[key] = fresh
        else:
            self._owe(bucket.scope, bucket.seconds, fresh)

    def _owe(self, scope: str, seconds: int, held: _Held) -> None:
        if held.left > 0:
            window = Window(scope, seconds, held.starts_at)
            self._owed[window] = self._owed.get(window, 0) + held.left

    def _unwanted(
        self,
        principal: Principal,
        count: int,
        now: float,
        done: "asyncio.Task[Allowed | Exceeded | StoreError]",
    ) -> None:
        if not done.cancelled() and done.exception() is None and isinstance(done.result(), Allowed):
            self.give_back(principal, count, now)

    async def _return_idle(self, now: float) -> None:
        for (scope, seconds), held in list(self._held.items()):
            if now >= held.used_at + IDLE_S or now >= held.ends_at:
                del self._held[scope, seconds]
                self._owe(scope, seconds, held)
        clock = self._clock.now()
        owed = {
            window: count
            for window, count in self._owed.items()
            if window.starts_at + window.seconds > clock  # an old window has no use for it
        }
        self._owed = {}
        if owed:
            await self._do(lambda: give_back(self._database, owed))

    async def _do(self, work: Callable[[], object]) -> None:
        """Have the store do *work*, or note that it did not."""
        try:
            await self._worker.ask(work, timeout_s=30)
        except StoreError as error:
            self._outage.begins(error)
        else:
            self._outage.ends()
