"""How a destination is reached: its plan, addresses that rest after a failure, and when to give up for a
while.
"""

from collections.abc import Iterable

from angarium.core.address import Address
from angarium.core.records import Recipient
from angarium.core.reply import Reply
from angarium.queue.alarms import NEVER
from angarium.queue.commands import ConnectFailure, Resolve, Settle
from angarium.queue.crowding import Crowding
from angarium.queue.memory import Memory
from angarium.queue.outcomes import failed, put_off
from angarium.queue.plan import DNS_SILENT, RouteFailure, RoutePlan
from angarium.queue.queues import HoldKind, PooledConnection, Queue, Rest, Said
from angarium.queue.retry import JITTER
from angarium.queue.state import State

LOCAL_REST_S = 5.0
"""After a local failure (no descriptors, bind address missing) the binding opens nothing for this long.
"""

MIN_REST_S = 1.0
"""An address rests at least this long, so that a destination that refuses is not tried in a tight loop."""

NEVER_AGAIN = (521, 556)
"""Greetings that say that mail is never taken there (RFC 7504); other refusals of a session may pass."""


class Reachability:
    """Knows which addresses of which queue may be tried now."""

    def __init__(self, state: State, memory: Memory) -> None:
        self._state = state
        self._memory = memory
        self.crowding = Crowding(state)
        self._rests: dict[tuple[str | int, str, int], Rest] = {}
        self.local_rests: dict[str, Rest] = {}

    # --- plans

    def route(self, queue: Queue, now: float) -> HoldKind:
        """Make sure that *queue* has a plan; says what is awaited if it has none."""
        plan = queue.plan
        if plan is not None and now < plan.expires_at and queue.asked_at >= queue.asked_since:
            return ""
        if queue.resolving:
            return "resolving"
        if now < queue.route_retry_at:
            self._state.alarms.set(queue, queue.route_retry_at)
            return "route"
        queue.resolving = True
        queue.asked_at = now
        self._state.emit(Resolve(queue.key, queue.asked_since))
        return "resolving"

    def resolved(self, queue: Queue, outcome: RoutePlan | RouteFailure, now: float) -> None:
        """Take the answer. A failure counts as an attempt for the mail that waited for it; but if only DNS was silent
        about a plan to be renewed, that plan is used while it holds.
        """
        queue.resolving = False
        self._state.todo[queue] = None
        if queue.asked_at < queue.asked_since:
            return  # asked for too early: `route` asks again
        if isinstance(outcome, RoutePlan):
            queue.route_retry_at = 0.0
            self._state.routed(queue, outcome)
            return
        if queue.plan is not None and now < queue.plan.expires_at and outcome.reply.enhanced == DNS_SILENT:
            return
        queue.plan = None
        queue.route_retry_at = outcome.retry_at
        queue.last_reply = queue.no_route = Said(now, outcome.reply)
        self._give_up(queue, outcome.reply, None, now, is_final=outcome.reply.is_permanent)
        if not outcome.reply.is_permanent:
            self._count_failure(queue, now)

    def addresses(self, queue: Queue) -> Iterable[Address]:
        """All addresses that the plan names."""
        return [address for level in queue.plan.levels for address in level.addresses] if queue.plan else []

    # --- failures

    def failed(self, queue: Queue, address: Address, failure: ConnectFailure, now: float) -> None:
        """A connection of *queue* did not become ready. If no way is left, those who waited are put off."""
        if self._learn(queue, address, failure, now):
            self._exhausted(queue, failure, now)

    def lost(self, queue: Queue, address: Address, failure: ConnectFailure, now: float) -> None:
        """A connection ended before it was of use: as if it had not opened, if there is mail for another."""
        if self._learn(queue, address, failure, now) and queue.ready.count:
            self._exhausted(queue, failure, now)

    def _learn(self, queue: Queue, address: Address, failure: ConnectFailure, now: float) -> bool:
        """Note what *failure* speaks against; returns whether that is an address, which now rests."""
        queue.last_reply = Said(now, failure.reply, failure.attempt.host, failure.attempt.stage)
        self._state.todo[queue] = None
        if failure.fault == "local":
            self.local_rests[queue.key.binding] = Rest(now + LOCAL_REST_S, failure.reply, now)
            return False
        if self.crowding.is_enough(queue, address, failure, now):
            return False
        queue.round_at = min(queue.round_at, now)
        if not failure.on_terms:
            rest = Rest(now + _rest_s(queue), failure.reply, now)
            self._rest(queue.key.binding, address, rest)
            for other in self.crowding.failed(queue, address, rest):
                other.round_at = min(other.round_at, now)
                self._exhausted(other, failure, now)
            return True
        rest = Rest(now + _rest_s(queue), failure.reply, now, queue.options)
        for meant in self._meant(queue, address, failure):
            self._rest(id(queue.options), meant, rest)
        return True

    def _meant(self, queue: Queue, address: Address, failure: ConnectFailure) -> list[Address]:
        """The addresses that *failure* speaks against, for queues with the same options."""
        if failure.fault == "address":
            return [address]
        everywhere, host = failure.fault == "site", (address.host, address.port)
        return [each for each in self.addresses(queue) if everywhere or (each.host, each.port) == host]

    def _exhausted(self, queue: Queue, failure: ConnectFailure, now: float) -> None:
        """If each address has failed in this round, and no connection is open or on its way, put off those who
        waited: for good if each of them said that mail is never taken there.
        """
        if queue.open or queue.opening:
            return
        rests = [self._failure(queue, address, now) for address in self.addresses(queue)]
        replies = [rest.reply for rest in rests if rest is not None]
        if len(replies) < len(rests) or not replies:
            return
        is_final = all(reply.code in NEVER_AGAIN for reply in replies)
        queue.asked_since = now  # they may have moved
        self._give_up(queue, failure.reply, failure, now, is_final=is_final)
        self._count_failure(queue, now)

    def _rest(self, whose: str | int, address: Address, rest: Rest) -> None:
        """Leave *address* alone, for a binding or for those who share options."""
        if len(self._rests) > 10_000:
            self._rests = {key: each for key, each in self._rests.items() if each.until > rest.since}
        self._rests[whose, address.ip, address.port] = rest

    def _rests_of(self, queue: Queue, address: Address) -> list[Rest]:
        """What was last found out against *address*, for all and for queues like *queue*."""
        found = []
        for whose in (queue.key.binding, id(queue.options)):
            rest = self._rests.get((whose, address.ip, address.port))
            if rest is not None and (rest.options is None or rest.options is queue.options):
                found.append(rest)
        return found

    def _failure(self, queue: Queue, address: Address, now: float) -> Rest | None:
        """The failure of *address* that counts in this round: it rests, or has failed since the round began."""
        rests = self._rests_of(queue, address)
        return next((rest for rest in rests if rest.until > now or rest.since >= queue.round_at), None)

    def resting(self, queue: Queue, address: Address, now: float) -> Rest | None:
        """Until when *address* rests and for which reply; None if it does not."""
        rests = self._rests_of(queue, address) if self._rests else ()
        return next((rest for rest in rests if rest.until > now), None)

    def local_rest(self, queue: Queue, now: float) -> Rest | None:
        """Until when the queue's binding opens nothing after a failure of ours, and which, or None."""
        rest = self.local_rests.get(queue.key.binding)
        return rest if rest is not None and rest.until > now else None

    def worked(self, connection: PooledConnection) -> None:
        """A connection became ready: the queue's failures are over.

        If its address rests, that was found out after this connection was begun, and stays so.
        """
        queue = connection.queue
        queue.failures = queue.probes = 0
        queue.delayed_until = None
        queue.round_at = NEVER
        self.crowding.opened(connection)

    def ask_anew(self, queue: Queue, now: float) -> None:
        """Use nothing any longer that was learnt of the way before *now*."""
        queue.asked_since = now
        queue.route_retry_at = 0.0

    def try_now(self, queue: Queue) -> None:
        """Forget what speaks against trying *queue* at once; its failures still count."""
        if queue.delayed_until is not None:
            queue.delayed_until = 0.0
        queue.route_retry_at = 0.0
        binding = queue.key.binding
        for address in self.addresses(queue):
            for whose in (binding, id(queue.options)):
                self._rests.pop((whose, address.ip, address.port), None)
            self.crowding.forget(binding, address)
        self._state.todo[queue] = None

    def _give_up(
        self, queue: Queue, reply: Reply, failure: ConnectFailure | None, now: float, *, is_final: bool
    ) -> None:
        """No way to deliver was found: count an attempt for each recipient that waited."""
        queue.round_at = NEVER
        attempt = failure.attempt if failure is not None else None
        options, rng = queue.options, self._state.rng
        settle: list[Recipient] = []
        for recipient in queue.ready.drain():
            if is_final:
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


def _rest_s(queue: Queue) -> float:
    return max(MIN_REST_S, queue.options.host_failure_retry)
