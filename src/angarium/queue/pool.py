"""The connections: when to open one and to which address, how to use it, and when to end it."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from angarium.config.verification import verification_of
from angarium.core.address import Address
from angarium.core.records import Recipient
from angarium.queue.alarms import NEVER
from angarium.queue.commands import LEFT_OUT, Connect, ConnectFailure, Deliver, Quit, Result, Settle
from angarium.queue.crowding import says_too_many
from angarium.queue.leases import Wish
from angarium.queue.limits import AHEAD_S
from angarium.queue.memory import Memory
from angarium.queue.outcomes import expired, judge
from angarium.queue.queues import Holding, HoldKind, PooledConnection, Queue, Said, Site
from angarium.queue.reachability import Reachability
from angarium.queue.shaping import (
    Rules,
    host_connection_rules,
    host_message_rules,
    opening_rules,
    slowest_first,
)
from angarium.queue.state import State
from angarium.queue.turns import is_modest, kept_of


class Terms(NamedTuple):
    """The limits that a new connection falls under: its own, those of its messages, and how many may wait for these."""

    connections: Rules
    messages: Rules
    openings: Rules


NO_TERMS = Terms((), (), ())

PATIENCE_S = (0.1, 2.0)
"""By lane: mail waits this long for busy connections before a further one is opened for it."""

IDLE_SEARCH = 64


class Pool:
    """Opens, uses and ends connections."""

    def __init__(self, state: State, memory: Memory, reachability: Reachability) -> None:
        self._state = state
        self._holdings = state.holdings
        self._memory = memory
        self._reachability = reachability
        self._last_id = 0

    # --- opening

    def open(self, queue: Queue, now: float) -> HoldKind:
        """Open what connections the waiting mail is worth; says why there are no more."""
        while True:
            want = self._wanted(queue, now)
            if want < 1:
                return "connecting" if queue.opening else "busy"
            hold = self._open_one(queue, want, now)
            if hold:
                return hold

    def _wanted(self, queue: Queue, now: float) -> int:
        """How many more connections to open now.

        One for each waiting recipient that the present ones will not take next, but only as many at once as
        are open already: a destination that accepts is filled within a few round trips, one that does not is
        not stormed. Mail that its busy connections leave waiting gets one more.
        """
        total = queue.open + queue.opening
        if queue.failures:
            return 1 - total
        if queue.open and self._holdings.is_spent(queue.message_rules, now):
            return 0
        waiting = queue.ready.urgent or queue.ready.count
        want = min(waiting - total, max(1, queue.open) - queue.opening)
        if want < 1 and not queue.opening:
            patient_until = queue.progress_at + PATIENCE_S[queue.ready.lane]
            if now >= patient_until:
                return 1
            self._state.alarms.set(queue, patient_until)
        return want

    def _open_one(self, queue: Queue, want: int, now: float) -> HoldKind:
        local = self._reachability.local_rest(queue, now)
        if local is not None:
            self._state.alarms.set(queue, local[0])
            return "local"
        wish = self._wish(queue, want, now)
        terms = Terms(self._state.rules(queue), queue.message_rules, queue.opening_rules)
        lacking = self._lacking(terms, wish, now)
        if lacking is not None:
            self._make_room(lacking, wish, now)
            return "limit"
        chosen = self._choose(queue, wish, now)
        if isinstance(chosen, str):
            return chosen
        address, of_host = chosen
        self._connect(queue, address, terms, of_host, now)
        return ""

    def _lacking(self, terms: Terms, wish: Wish, now: float) -> Holding | None:
        """The first limit that holds a new connection; the queue waits for it then."""
        holdings = self._holdings
        return (
            holdings.lacking(terms.openings, wish, now)
            or holdings.too_early(terms.messages, wish, now)
            or holdings.lacking(terms.connections, wish, now)
        )

    def _keeps_the_rest(self, queue: Queue, now: float) -> bool:
        """Whether the connections of *queue* that are not at work for bulk mail are kept for the better lane."""
        if not queue.keeps_for_better_lane(now):
            return False
        path = self._holdings.path(self._state.rules(queue))
        if path is None:
            return False
        in_reach = path.used + path.free + path.left
        return in_reach - path.closing - queue.opening - queue.bulk_busy <= kept_of(in_reach)

    def _wish(self, queue: Queue, want: int, now: float) -> Wish:
        """*queue* wants *want* more connections."""
        lane = queue.ready.lane if queue.ready.count or not queue.due else queue.due.lane
        elsewhere = self._holdings.held_elsewhere(self._state.rules(queue))
        keeps = queue.keeps_for_better_lane(now)
        return Wish(queue, lane, want, queue.open + queue.opening, elsewhere, queue.takes_s(now), keeps)

    def _choose(self, queue: Queue, wish: Wish, now: float) -> tuple[Address, Terms] | HoldKind:
        """Pick the least busy address of the best level with one that may be tried and is under its limits."""
        assert queue.plan is not None
        assert queue.site is not None
        load, rng = queue.site.load, self._state.rng
        limited: Holding | None = None
        for level in queue.plan.levels:
            usable = [a for a in level.addresses if self._reachability.resting(queue, a, now) is None]
            if len(usable) > 1:
                usable.sort(key=lambda address: (load.get(address, 0), rng.random()))
            for address in usable:
                terms = self._host_terms(queue, address, now)
                lacking = self._lacking(terms, wish, now) if terms is not NO_TERMS else None
                if lacking is None:
                    return address, terms
                limited = lacking
        if limited is not None:
            self._make_room(limited, wish, now)
            return "limit"
        rests = [
            self._reachability.resting(queue, address, now) for address in self._reachability.addresses(queue)
        ]
        self._state.alarms.set(queue, min(rest[0] for rest in rests if rest is not None))
        return "resting"

    def _host_terms(self, queue: Queue, address: Address, now: float) -> Terms:
        options, binding = self._state.config.host(*queue.key, address.host), queue.key.binding
        learnt = self._reachability.crowding.rules(binding, address, now)
        connections = host_connection_rules(binding, address.host, address.ip, options)
        messages = host_message_rules(options)
        if not (learnt or connections or messages):
            return NO_TERMS
        return Terms(learnt + slowest_first(connections), messages, opening_rules(messages))

    def _connect(self, queue: Queue, address: Address, own: Terms, of_host: Terms, now: float) -> None:
        assert queue.plan is not None
        assert queue.site is not None
        self._last_id += 1
        connection = PooledConnection(self._last_id, queue, queue.site, address, queue.options)
        connection.holdings = self._holdings.take(own.connections + of_host.connections, 1)
        connection.message_rules = of_host.messages
        self._claim(connection, own.openings + of_host.openings, now)
        self._state.connections[connection.id] = connection
        queue.opening += 1
        queue.progress_at = now
        load = queue.site.load
        load[address] = load.get(address, 0) + 1
        self._reachability.crowding.begun(connection)
        self._state.emit(Connect(connection.id, queue.key, address, queue.plan.method, queue.options))

    def _claim(self, connection: PooledConnection, openings: Rules, now: float) -> None:
        """*connection* is one of those that wait for their first message; it may open slowly if these are rare."""
        if openings:
            connection.claims = self._holdings.take(openings, 1)
            longest_s = max(rule.stated.interval_s for rule in openings if rule.stated is not None)
            connection.claims_until = now + max(AHEAD_S, longest_s / 2)
            self._state.alarms.set(connection, connection.claims_until)

    def _release_claims(self, connection: PooledConnection, now: float) -> None:
        for holding in connection.claims:
            self._put(holding, now)
        connection.claims = []
        connection.claims_until = NEVER

    def _make_room(self, holding: Holding, wish: Wish, now: float) -> None:
        """End an idle connection that holds a unit of *holding*, unless one for each who waits is ending."""
        if holding.rule.limit.is_rate or holding.closing >= holding.waiting_count:
            return
        if is_modest(wish.rank(holding.rule)):
            return
        for connection in islice(self._state.idle, IDLE_SEARCH):
            if holding in connection.holdings:
                self.end(connection, now)
                return

    # --- using

    def use_idle(self, queue: Queue, site: Site, now: float) -> HoldKind:
        """Hand ready mail to the site's idle connections, the queue's own first."""
        while queue.ready.count and site.idle:
            if not queue.ready.urgent and self._keeps_the_rest(queue, now):
                return ""
            connection = site.idle[-1]
            if connection.queue is not queue:
                own = next((other for other in site.idle if other.queue is queue), None)
                if own is not None:
                    connection = own
                elif self._lacks_for_messages(connection, queue, now):
                    return "limit"  # before it is moved, or two queues would take it from each other for ever
                elif not self._move(connection, queue, now):
                    return ""
            hold = self._hand_over(connection, queue, now)
            if hold:
                return hold
        return ""

    def _move(self, connection: PooledConnection, queue: Queue, now: float) -> bool:
        """Let *connection* serve *queue*, a sibling of its queue, if the limits allow that."""
        if connection.options != queue.options or verification_of(queue.options) == "host":
            return False  # a certificate may have been checked for the name of that queue's domain
        if not queue.ready.urgent and self._keeps_the_rest(connection.queue, now):
            return False
        rules = [rule for rule in self._state.rules(queue) if not rule.limit.is_rate]
        held = {holding.rule.key for holding in connection.holdings}
        needed = tuple(rule for rule in rules if rule.key not in held)
        if self._holdings.lacking(needed, self._wish(queue, 1, now), now) is not None:
            return False
        old = connection.queue
        surplus = {rule.key for rule in self._state.rules(old)} - {rule.key for rule in rules}
        for holding in [holding for holding in connection.holdings if holding.rule.key in surplus]:
            connection.holdings.remove(holding)
            self._put(holding, now)
        connection.holdings += self._holdings.take(needed, 1)
        old.open -= 1
        queue.open += 1
        connection.queue, connection.counted_as = queue, queue.counted_as
        self._state.todo[old] = None
        return True

    def _hand_over(self, connection: PooledConnection, queue: Queue, now: float) -> HoldKind:
        """Start a transaction on the idle *connection*, unless a limit on messages holds it."""
        options = queue.options
        limit = options.max_recipients_per_batch
        if options.max_recipients_per_connection:
            limit = min(limit, options.max_recipients_per_connection - connection.recipients)
        rules = _message_rules(connection, queue)
        if rules:
            if self._lacks_for_messages(connection, queue, now):
                return "limit"
            limit = min(limit, self._holdings.at_hand(rules, now))
        batch = queue.ready.take(limit)
        if options.never_attempt_expired_messages:
            batch = self._without_expired(queue, batch, now)
            if not batch:
                return ""
        if rules:
            self._holdings.take(rules, len(batch))
        if connection.claims:
            self._release_claims(connection, now)
        self._take_from_idle(connection)
        connection.state = "busy"
        connection.batch = batch
        queue.in_flight += len(batch)
        queue.bulk_busy += batch[0].message.lane != 0
        queue.progress_at = connection.busy_since = now
        self._state.emit(Deliver(connection.id, queue.key, batch))
        return ""

    def _lacks_for_messages(self, connection: PooledConnection, queue: Queue, now: float) -> bool:
        """Whether a limit on messages holds what *queue* would send over *connection*; then it waits for that."""
        rules, ready = _message_rules(connection, queue), queue.ready
        wish = Wish(queue, ready.lane, ready.count, has=connection.recipients)  # a new one goes first
        return self._holdings.lacking(rules, wish, now) is not None

    def _without_expired(self, queue: Queue, batch: list[Recipient], now: float) -> list[Recipient]:
        kept = []
        for recipient in batch:
            event = expired(recipient, queue.options, now)
            if event is None:
                kept.append(recipient)
            else:
                self._state.apply(recipient, event)
                self._memory.dismiss(queue, recipient)
        return kept

    # --- what connections report

    def opened(self, connection: PooledConnection, now: float) -> None:
        """*connection* is ready for mail."""
        queue = connection.queue
        queue.opening -= 1
        queue.open += 1
        self._reachability.worked(connection)
        connection.opened_at = now
        self._set_free(connection, now)

    def connect_failed(self, connection: PooledConnection, failure: ConnectFailure, now: float) -> None:
        """*connection* did not become ready, and is gone or going."""
        connection.queue.opening -= 1
        self._reachability.crowding.gone(connection, now)
        self._leave(connection, now)
        self._reachability.failed(connection.queue, connection.address, failure, now)

    def finished(
        self, connection: PooledConnection, results: Sequence[Result], usable: bool, now: float
    ) -> None:
        """The transaction has ended. Without *usable* the connection is gone or going."""
        queue = connection.queue
        batch, connection.batch = connection.batch, []
        queue.in_flight -= len(batch)
        queue.bulk_busy -= batch[0].message.lane != 0
        queue.moved_at, queue.moved_in_s = now, now - connection.busy_since
        connection.recipients += len(batch)
        if self._take_results(queue, batch, results, now):
            connection.deliveries += 1
        self._state.todo[queue] = None
        if connection.recipients == len(batch) and (usable or connection.deliveries):
            self._reachability.crowding.proved(connection, now)
        if not usable or connection.has_ended:
            queue.open -= 1
            self._reachability.crowding.gone(connection, now)
            self._leave(connection, now)
            self._distrust(connection, results, now)
        elif self._is_spent(connection):
            self.end(connection, now)
        else:
            self._set_free(connection, now)

    def closed(self, connection: PooledConnection, now: float) -> None:
        """The peer has ended the idle *connection*."""
        connection.queue.open -= 1
        self._leave(connection, now)

    def ended(self, connection: PooledConnection, now: float) -> None:
        """The socket has ended: its peer counts *connection* no more. Of a busy one `finished` is still to come."""
        if connection.state == "closing":
            self._drop(connection, now)
        else:
            connection.has_ended = True

    def _take_results(
        self, queue: Queue, batch: list[Recipient], results: Sequence[Result], now: float
    ) -> bool:
        """Let happen what became of *batch*; returns whether anything was delivered. What has no result, or
        was not tried, is ready again.
        """
        delivered = False
        untried: list[Recipient] = []
        settle: list[Recipient] = []
        told: Result | None = None
        for result in results:
            recipient = result.recipient
            event = judge(result, queue.options, now, self._state.rng)
            if event is None:
                untried.append(recipient)
                continue
            if result.verdict not in LEFT_OUT:
                told = result
            self._state.apply(recipient, event)
            self._memory.dismiss(queue, recipient)
            if event.type == "delivered":
                delivered = True
            elif event.state == "queued" or event.state == "held":
                settle.append(recipient)
        if told is not None:
            queue.last_reply = Said(now, told.reply, told.attempt.host, told.attempt.stage)
        if len(results) < len(batch):
            judged = {id(result.recipient) for result in results}
            untried += [recipient for recipient in batch if id(recipient) not in judged]
        if untried:
            queue.ready.put_back(untried)
        if settle:
            self._state.emit(Settle(settle))
        return delivered

    def _distrust(self, connection: PooledConnection, results: Sequence[Result], now: float) -> None:
        """The connection was lost before it had delivered anything, or because there were too many of them.

        Not so one that is used up: recipients that it has not tried are tried by another, also at the same address.
        """
        lost = next((r for r in results if r.session_fault or _says_too_many(r)), None)
        if lost is None or (connection.deliveries and not says_too_many(lost.reply)):
            return
        on_terms = lost.attempt.stage in ("ehlo", "tls", "auth")  # the greetings that follow XCLIENT
        failure = ConnectFailure(lost.reply, lost.attempt, "address", on_terms)
        self._reachability.lost(connection.queue, connection.address, failure, now)

    # --- free, ended

    def _set_free(self, connection: PooledConnection, now: float) -> None:
        """*connection* has nothing to do: keep it for the next message, unless others need what it holds."""
        site, queue = connection.site, connection.queue
        contested = self._contested(connection, now)
        heir = _heir(connection, contested) if contested else None
        sibling = heir or site.next_wanting(queue)
        if (
            self._is_outdated(connection)
            or (contested and heir is None)
            or not (sibling or queue.ready.count or self._reachability.crowding.is_roomy(connection, now))
        ):
            self.end(connection, now)
            return
        connection.state = "idle"
        site.idle.append(connection)
        self._state.idle[connection] = None
        if connection.claims and not queue.ready.count:
            self._release_claims(connection, now)
        connection.idle_until = now + connection.options.idle_timeout
        self._state.alarms.set(connection, connection.idle_until)
        self._state.todo[queue] = None
        if sibling is not None:
            self._state.todo[sibling] = None

    def _is_outdated(self, connection: PooledConnection) -> bool:
        queue = connection.queue
        if self._state.draining or connection.counted_as is not queue.counted_as:
            return True
        return connection.options is not queue.options and connection.options != queue.options

    def _contested(self, connection: PooledConnection, now: float) -> list[Holding]:
        """The limits whose units *connection* has, and others wait for."""
        queue = connection.queue
        lane = queue.ready.lane if queue.ready.count else None
        held_s = now - connection.opened_at
        return [each for each in connection.holdings if each.contested(queue, lane, held_s, now)]

    def _is_spent(self, connection: PooledConnection) -> bool:
        options = connection.queue.options
        deliveries, recipients = options.max_deliveries_per_connection, options.max_recipients_per_connection
        return bool(
            (deliveries and connection.deliveries >= deliveries)
            or (recipients and connection.recipients >= recipients)
        )

    def alarm(self, connection: PooledConnection, now: float) -> None:
        """The alarm of *connection* went off: let others be opened in its place if that takes long, end it if it has
        been idle for long enough.
        """
        if connection.state == "opening" and now >= connection.claims_until:
            self._release_claims(connection, now)
        if connection.state != "idle":
            return
        if now < connection.idle_until:
            self._state.alarms.set(connection, connection.idle_until)
        else:
            self.end(connection, now)

    def end(self, connection: PooledConnection, now: float) -> None:
        """Say goodbye on a connection that is not busy."""
        self._state.emit(Quit(connection.id))
        connection.queue.open -= 1
        self._leave(connection, now)

    def _take_from_idle(self, connection: PooledConnection) -> None:
        if self._state.idle.pop(connection, True) is None:
            connection.site.idle.remove(connection)

    def _leave(self, connection: PooledConnection, now: float) -> None:
        """Use *connection* no more. Its units it keeps until its peer counts it no more either."""
        self._take_from_idle(connection)
        connection.state = "closing"
        connection.alarm_at = NEVER
        self._release_claims(connection, now)
        for holding in connection.holdings:
            holding.closing += 1
        self._state.todo[connection.queue] = None
        if connection.has_ended:
            self._drop(connection, now)

    def _drop(self, connection: PooledConnection, now: float) -> None:
        """Forget a connection that is gone and return its units."""
        connection.state = "gone"
        del self._state.connections[connection.id]
        self._reachability.crowding.gone(connection, now)
        site = connection.site
        left = site.load[connection.address] - 1
        if left:
            site.load[connection.address] = left
        else:
            del site.load[connection.address]
            self._state.forget_site(site)
        for holding in connection.holdings:
            holding.closing -= 1
            self._put(holding, now)
        self._state.revisit(connection.queue)

    def _put(self, holding: Holding, now: float) -> None:
        self._holdings.put(holding, now)
        self._state.freed[holding] = None


def _message_rules(connection: PooledConnection, queue: Queue) -> Rules:
    if not connection.message_rules:
        return queue.message_rules
    return slowest_first(queue.message_rules + connection.message_rules)


def _heir(connection: PooledConnection, contested: Sequence[Holding]) -> Queue | None:
    """The sibling whose turn it is with everything that is *contested*: it may as well have the connection."""
    nexts = {holding.next_after(connection.queue) for holding in contested}
    heir = nexts.pop() if len(nexts) == 1 else None
    if heir is None or heir.site is not connection.site or heir.options is not connection.options:
        return None
    return None if any(holding.owed for holding in contested) else heir


def _says_too_many(result: Result) -> bool:
    return result.verdict == "untried" and says_too_many(result.reply)
