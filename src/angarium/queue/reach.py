"""How a destination is reached: its plan, addresses that rest after a failure, and when to give up for a
while.
"""

from collections.abc import Iterable

from angarium.core.address import Address
from angarium.core.records import Recipient
from angarium.core.reply import Reply
from angarium.queue.commands import ConnectFailure, Resolve, Settle
from angarium.queue.memory import Memory
from angarium.queue.outcomes import failed, put_off
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.queues import HoldKind, Queue
from angarium.queue.retry import JITTER
from angarium.queue.state import State

LOCAL_REST_S = 5.0
"""After a failure of our own (no descriptors, bind address missing) the binding opens nothing for this long.
"""

MIN_REST_S = 1.0
"""An address rests at least this long, lest a destination that refuses is tried in a tight loop."""

NEVER_AGAIN = (521, 556)
"""Greetings that say that mail is never taken there (RFC 7504); other refusals of a session may pass."""

Rest = tuple[float, Reply]


class Reach:
    """Knows which addresses of which queue may be tried now."""

    def __init__(self, state: State, memory: Memory) -> None:
        self._state = state
        self._memory = memory
        self._rests: dict[tuple[str, str, int], Rest] = {}
        self.local_rests: dict[str, Rest] = {}

    # --- plans

    def route(self, queue: Queue, now: float) -> HoldKind:
        """Make sure that *queue* has a plan; says what is awaited if it has none."""
        plan = queue.plan
        if plan is not None and now < plan.expires_at:
            return ""
        if queue.resolving:
            return "resolving"
        if now < queue.route_retry_at:
            self._state.alarms.set(queue, queue.route_retry_at)
            return "route"
        queue.resolving = True
        self._state.emit(Resolve(queue.key))
        return "resolving"

    def resolved(self, queue: Queue, outcome: RoutePlan | RouteFailure, now: float) -> None:
        """Take the answer. A failure counts as an attempt for the mail that waited for it."""
        queue.resolving = False
        self._state.todo[queue] = None
        if isinstance(outcome, RoutePlan):
            queue.route_retry_at = 0.0
            self._state.routed(queue, outcome)
            return
        queue.plan = None
        queue.route_retry_at = outcome.retry_at
        queue.last_reply = (now, outcome.reply)
        self._give_up(queue, outcome.reply, None, now)
        if not outcome.reply.is_permanent:
            self._count_failure(queue, now)

    def addresses(self, queue: Queue) -> Iterable[Address]:
        """All addresses that the plan names."""
        return [address for level in queue.plan.levels for address in level.addresses] if queue.plan else []

    # --- failures

    def failed(self, queue: Queue, address: Address, failure: ConnectFailure, now: float) -> None:
        """A connection of *queue* did not become ready. If no way is left, those who waited are put off."""
        queue.last_reply = (now, failure.reply)
        self._state.todo[queue] = None
        if failure.fault == "local":
            self.local_rests[queue.key.binding] = (now + LOCAL_REST_S, failure.reply)
            return
        everywhere = failure.fault == "site"
        for tried in self.addresses(queue) if everywhere else [address]:
            self.rest(queue, tried, failure.reply, now)
        self.exhausted(queue, failure, now)

    def exhausted(self, queue: Queue, failure: ConnectFailure, now: float) -> None:
        """If no address is left to try and no connection is open or on its way, put off those who waited."""
        if queue.open or queue.opening or self._is_reachable(queue, now):
            return
        self._give_up(queue, failure.reply, failure, now)
        self._count_failure(queue, now)

    def rest(self, queue: Queue, address: Address, reply: Reply, now: float) -> None:
        """Leave *address* alone for `Host_Failure_Retry`."""
        if len(self._rests) > 10_000:
            self._rests = {key: rest for key, rest in self._rests.items() if rest[0] > now}
        until = now + max(MIN_REST_S, queue.options.host_failure_retry)
        self._rests[queue.key.binding, address.ip, address.port] = (until, reply)

    def resting(self, queue: Queue, address: Address, now: float) -> Rest | None:
        """Until when *address* rests and for which reply; None if it does not."""
        rest = self._rests.get((queue.key.binding, address.ip, address.port))
        return rest if rest is not None and rest[0] > now else None

    def local_rest(self, queue: Queue, now: float) -> Rest | None:
        """Until when the queue's binding opens nothing after a failure of ours, and which, or None."""
        rest = self.local_rests.get(queue.key.binding)
        return rest if rest is not None and rest[0] > now else None

    def worked(self, queue: Queue) -> None:
        """A connection became ready: the queue's failures are over.

        If its address rests, that was found out after this connection was begun, and stays so.
        """
        queue.failures = queue.probes = 0
        queue.delayed_until = None

    def try_now(self, queue: Queue) -> None:
        """Forget what speaks against trying *queue* at once; its failures still count."""
        if queue.delayed_until is not None:
            queue.delayed_until = 0.0
        queue.route_retry_at = 0.0
        for address in self.addresses(queue):
            self._rests.pop((queue.key.binding, address.ip, address.port), None)
        self._state.todo[queue] = None

    def _is_reachable(self, queue: Queue, now: float) -> bool:
        return any(self.resting(queue, address, now) is None for address in self.addresses(queue))

    def _give_up(self, queue: Queue, reply: Reply, failure: ConnectFailure | None, now: float) -> None:
        """No way to deliver was found: count an attempt for each recipient that waited."""
        attempt = failure.attempt if failure is not None else None
        options, rng = queue.options, self._state.rng
        final = reply.is_permanent and (failure is None or reply.code in NEVER_AGAIN)
        settle: list[Recipient] = []
        for recipient in queue.ready.drain():
            if final:
                event = failed(recipient, reply, attempt, now)
            else:
                event = put_off(recipient, reply, attempt, options, now, rng)
            self._state.apply(recipient, event)
            self._memory.dismiss(queue, recipient)
            if event.state == "queued":
                settle.append(recipient)
        if settle:
            self._state.emit(Settle(settle))

    def _count_failure(self, queue: Queue, now: float) -> None:
        """All ways have failed once more. After enough of that the whole queue is delayed, and probed."""
        if not queue.failures:
            queue.failing_since = now
        queue.failures += 1
        queue.failed_at = now
        options = queue.options
        most, longest_s = options.mx_failures_to_delay, options.connect_timeout_to_delay
        if 0 < most <= queue.failures or 0 < longest_s <= now - queue.failing_since:
            wait_s = max(MIN_REST_S, options.host_failure_retry) * 2.0 ** min(queue.probes, 32)
            wait_s = min(wait_s, max(MIN_REST_S, options.retry_interval))
            queue.probes += 1
            queue.delayed_until = now + wait_s * (1 + JITTER * self._state.rng.random())
