"""The scheduler: what to do next with the mail that waits. Pure: no clock, no socket, no thread.

Inputs are method calls with the time; what to do is returned by `take_commands`, and `wake_at` says when to
call `tick`. Every input only marks the queues that it concerns; `_run` then lets each of them do what it can,
in `_advance`. No input looks at all queues or all recipients, but for an operator's `evict` and a
`reconfigure`, which is spread over several ticks.

In memory are recipients that are due (ready) or in flight. All others, delayed, held and overflowing, are in
the settled store; the scheduler knows them as flows with a due time, and pages them in when it can send them.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random

from angarium.core.records import Event, Flow, FlowSummary, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.queue.alarms import Alarms
from angarium.queue.commands import (
    Command,
    Connect,
    ConnectFailure,
    Deliver,
    Page,
    Quit,
    Record,
    Resolve,
    Result,
    Settle,
)
from angarium.queue.leases import Account, Ledger
from angarium.queue.outcomes import expired, failed, judge, put_off
from angarium.queue.plan import Address, RouteFailure, RoutePlan
from angarium.queue.queues import Connection, DueFlows, HoldKind, Queue, Site
from angarium.queue.residence import Residence
from angarium.queue.retry import JITTER
from angarium.queue.shaping import (
    Policy,
    Rules,
    connection_rules,
    host_connection_rules,
    host_message_rules,
    message_rules,
    slowest_first,
)
from angarium.queue.stored import StoredFlows
from angarium.spool.port import Selection

PAGE = 500
"""Recipients asked for in one page."""

TICK_BUDGET = 2000
"""Wake-ups served in one `tick`; the rest follow in the next, which is due at once."""

LOCAL_REST_S = 5.0
"""After a failure of our own (no descriptors, bind address missing) the binding opens nothing for this long.
"""

PATIENCE_S = (0.1, 2.0)
"""By lane: mail waits this long for busy connections before a further one is opened for it."""

UNBOUNDED_QUEUE = 5000
"""How far a queue without `Max_Resident_Active_Queue` is filled from the settled store."""

LAST_REPLIES = 20_000
"""Queues of which the last reply is remembered while none of their mail is in memory."""


class Scheduler:
    """Decides for one worker. *workers* share the limits; *max_resident* bounds the recipients in its memory.
    """

    def __init__(self, config: Policy, rng: Random, *, workers: int = 1, max_resident: int = 65_536) -> None:
        self._config = config
        self._rng = rng
        self._generation = 0
        self._draining = False
        self._commands: list[Command] = []
        self._record: Record | None = None
        self._queues: dict[tuple[str, str], Queue] = {}
        self._sites: dict[tuple[str, str, str], Site] = {}
        self._connections: dict[int, Connection] = {}
        self._idle: dict[Connection, None] = {}
        self._last_id = 0
        self._alarms: Alarms[Queue | Connection | Account] = Alarms()
        self._ledger = Ledger(self._commands_append, self._alarms.set, workers)
        self._stored = StoredFlows()
        self._residence = Residence(max_resident)
        self._hungry: tuple[dict[Queue, None], dict[Queue, None]] = ({}, {})
        self._rests: dict[tuple[str, str, int], tuple[float, Reply]] = {}
        self._local_rests: dict[str, tuple[float, Reply]] = {}
        self._last_replies: dict[tuple[str, str], tuple[float, Reply]] = {}
        self._todo: dict[Queue, None] = {}
        self._freed: dict[Account, None] = {}
        self._renewing: list[Queue] = []

    # --- outputs

    def take_commands(self) -> list[Command]:
        """Return, once, what is to be done, in order."""
        commands = self._commands[:]
        self._commands.clear()
        self._record = None
        return commands

    @property
    def wake_at(self) -> float | None:
        """When `tick` must be called next, in epoch seconds; None while nothing waits for time to pass."""
        if self._renewing:
            return 0.0
        times = [at for at in (self._alarms.next_at(), self._stored.next_at()) if at is not None]
        return min(times, default=None)

    def has_room(self, source: str, now: float) -> bool:
        """Whether a fresh recipient of *source* may stay in memory; else have it accepted as settled."""
        return self._residence.has_room(source)

    # --- inputs: mail

    def add(self, recipients: Sequence[Recipient], now: float) -> None:
        """Take in recipients that are in memory and durable: fresh, recovered, released or moved ones.

        Those that are not due, held, or too many are given to the settled store.
        """
        elsewhere: list[Recipient] = []
        for recipient in recipients:
            queue = self._queue(recipient.binding, recipient.domain)
            self._todo[queue] = None
            if recipient.due_at > now or recipient.state != "queued" or not self._may_stay(queue, recipient):
                elsewhere.append(recipient)
            else:
                self._admit(queue, recipient)
        if elsewhere:
            self._commands.append(Settle(elsewhere))
        self._run(now)

    def flow_changed(self, flow: Flow, summary: FlowSummary, now: float) -> None:
        """The settled store's share of *flow* is now *summary*."""
        self._stored.update(flow, summary)
        if not self._stored.is_due(flow, now):
            queue = self._queues.get((flow.binding, flow.domain))
            if queue is not None and queue.due is not None:
                queue.due.discard(flow)
        self._take_due(now, TICK_BUDGET)
        self._run(now)

    def paged(self, flow: Flow, recipients: Sequence[Recipient], now: float) -> None:
        """The answer to `Page`: *recipients* are in memory. Fewer than asked for: no more are due."""
        queue = self._queue(flow.binding, flow.domain)
        self._residence.reserved -= queue.paging
        if len(recipients) < queue.paging:
            if queue.due is not None:
                queue.due.discard(flow)
            self._stored.recheck(flow, now)
        queue.paging = 0
        for recipient in recipients:
            self._admit(queue, recipient)
        self._todo[queue] = None
        self._run(now)

    def evict(self, selection: Selection, now: float) -> list[Recipient]:
        """Forget the matching recipients that are not in flight and return them, still unchanged."""
        if selection.state == "held":
            return []
        evicted: list[Recipient] = []
        for queue in self._selected(selection):
            if selection.message is None:
                gone = queue.ready.drain()
            else:
                gone = queue.ready.remove(lambda recipient: recipient.message.id == selection.message)
            for recipient in gone:
                self._dismiss(queue, recipient)
            evicted += gone
            self._todo[queue] = None
        self._run(now)
        return evicted

    # --- inputs: routes and connections

    def resolved(self, key: QueueKey, outcome: RoutePlan | RouteFailure, now: float) -> None:
        """The answer to `Resolve`. A failure counts as an attempt for the mail that waited for it."""
        queue = self._queues.get(key)
        if queue is None:
            return
        queue.resolving = False
        self._todo[queue] = None
        if isinstance(outcome, RoutePlan):
            queue.route_reply = None
            self._lead(queue, outcome)
        else:
            queue.plan = None
            queue.route_reply = outcome.reply
            queue.route_retry_at = outcome.retry_at
            self._note(queue, outcome.reply, now)
            self._fail_ready(queue, outcome.reply, None, now)
            if not outcome.reply.is_permanent:
                self._count_failure(queue, now)
        self._run(now)

    def opened(self, conn: int, now: float) -> None:
        """Connection *conn* is ready for mail."""
        connection = self._connections.get(conn)
        if connection is None:
            return
        queue = connection.queue
        queue.opening -= 1
        queue.open += 1
        queue.failures = queue.probes = 0
        queue.delayed_until = None
        address = connection.address
        self._rests.pop((queue.key.binding, address.ip, address.port), None)
        connection.opened_at = now
        self._set_idle(connection, now)
        self._run(now)

    def connect_failed(self, conn: int, failure: ConnectFailure, now: float) -> None:
        """Connection *conn* did not become ready and is gone."""
        connection = self._connections.get(conn)
        if connection is None:
            return
        queue = connection.queue
        queue.opening -= 1
        self._drop(connection, now)
        self._note(queue, failure.reply, now)
        if failure.fault == "local":
            self._local_rests[queue.key.binding] = (now + LOCAL_REST_S, failure.reply)
        else:
            everywhere = failure.fault == "site" and queue.plan is not None
            addresses = self._addresses(queue) if everywhere else [connection.address]
            for address in addresses:
                self._rest(queue, address, failure.reply, now)
            if not (queue.open or queue.opening) and not self._reachable(queue, now):
                self._fail_ready(queue, failure.reply, failure, now)
                self._count_failure(queue, now)
        self._run(now)

    def finished(self, conn: int, results: Sequence[Result], usable: bool, now: float) -> None:
        """The transaction on *conn* has ended. Without *usable* the connection is gone."""
        connection = self._connections.get(conn)
        if connection is None or connection.state != "busy":
            return
        queue = connection.queue
        batch, connection.batch = connection.batch, []
        queue.in_flight -= len(batch)
        connection.recipients += len(batch)
        delivered = self._take_results(queue, batch, results, now)
        if delivered:
            connection.deliveries += 1
        self._todo[queue] = None
        if not usable:
            if not connection.deliveries:
                self._distrust(connection, results, now)
            queue.open -= 1
            self._drop(connection, now)
        elif self._is_spent(connection):
            self._end(connection, now)
        else:
            self._set_idle(connection, now)
        self._run(now)

    def closed(self, conn: int, now: float) -> None:
        """The peer ended the idle connection *conn*. For a busy one `finished` comes."""
        connection = self._connections.get(conn)
        if connection is None or connection.state != "idle":
            return
        connection.queue.open -= 1
        self._drop(connection, now)
        self._run(now)

    # --- inputs: limits, configuration, time

    def granted(self, key: str, count: int, retry_at: float | None, now: float) -> None:
        """The authority's answer to `Lease`, or units that came free later; *retry_at* says when to ask
        again.
        """
        account = self._ledger.granted(key, count, retry_at, now)
        if account is not None:
            self._freed[account] = None
        self._run(now)

    def recall(self, key: str, count: int, now: float) -> None:
        """Others wait for units of *key*: give back what is unused, and *count* more as soon as is decent."""
        account = self._ledger.recalled(key, count, now)
        if account is not None and account.owed:
            for connection in list(self._idle):
                if account.owed and account in connection.accounts:
                    self._end(connection, now)
        self._run(now)

    def reconfigure(self, config: Policy, now: float) -> None:
        """Use *config* from now on. Queues take it over in the next ticks; connections end after their
        transaction if what they were opened with has changed.
        """
        self._config = config
        self._generation += 1
        self._renewing = list(self._queues.values())

    def tick(self, now: float) -> None:
        """Time has passed: serve what is due."""
        for queue in self._renewing[-TICK_BUDGET:]:
            self._todo[queue] = None
        del self._renewing[-TICK_BUDGET:]
        self._take_due(now, TICK_BUDGET)
        for _ in range(TICK_BUDGET):
            sleeper = self._alarms.pop_due(now)
            if sleeper is None:
                break
            if isinstance(sleeper, Queue):
                self._todo[sleeper] = None
            elif isinstance(sleeper, Connection):
                self._end_if_idle(sleeper, now)
            else:
                self._ledger.review(sleeper, now)
                self._freed[sleeper] = None
        self._run(now)

    def drain(self, now: float) -> None:
        """No new connections or transactions from now on; what is in flight goes on."""
        self._draining = True
        for connection in list(self._idle):
            self._end(connection, now)
        self._run(now)

    # --- the loop

    def _run(self, now: float) -> None:
        todo, freed = self._todo, self._freed
        while True:
            while todo:
                self._advance(todo.popitem()[0], now)
            if freed:
                self._wake_waiting(next(iter(freed)), now)
            elif not self._feed_hungry():
                return

    def _wake_waiting(self, account: Account, now: float) -> None:
        """Wake the queue whose turn it is to use *account*, or to ask for it; the others when that has had
        effect.
        """
        usable = account.available(now) > 0
        if account.has_waiting and (usable or (not account.asked and now >= account.retry_at)):
            queue = account.next_waiting()
            assert queue is not None
            self._todo[queue] = None
            return
        del self._freed[account]
        if account.has_waiting and not account.asked:
            self._alarms.set(account, account.retry_at)
        self._ledger.forget_if_idle(account)

    def _feed_hungry(self) -> bool:
        """Wake one queue that waits for memory, if there is some again."""
        if not self._residence.is_relaxed:
            return False
        for lane in self._hungry:
            for queue in lane:
                del lane[queue]
                self._todo[queue] = None
                return True
        return False

    def _advance(self, queue: Queue, now: float) -> None:
        """Let *queue* do all it can do now, and note what holds it."""
        if queue.generation != self._generation:
            self._renew(queue)
        hold: HoldKind = ""
        if queue.ready.count or queue.due:
            hold = self._work(queue, now)
        queue.hold = hold
        if queue.waits_for and hold != "limit":
            self._ledger.leave(queue)
        site = queue.site
        if site is not None:
            wants = queue.ready.lane if queue.ready.count else -1
            if wants != queue.wants:
                if queue.wants >= 0:
                    site.wanting[queue.wants].pop(queue, None)
                if wants >= 0:
                    site.wanting[wants][queue] = None
                queue.wants = wants
        if queue.resident == 0 and queue.is_empty:
            self._forget(queue)

    def _work(self, queue: Queue, now: float) -> HoldKind:
        if self._draining:
            return "draining"
        if queue.options.suspend_delivery:
            self._settle_ready(queue)
            return "suspended"
        if queue.delayed_until is not None and now < queue.delayed_until:
            self._settle_ready(queue)
            self._alarms.set(queue, queue.delayed_until)
            return "delayed"
        site = queue.site
        if site is not None and site.idle and queue.ready.count:
            hold = self._use_idle(queue, site, now)
            if hold:
                return hold
        hold = ""
        if queue.due and not queue.failures:
            hold = self._page(queue)
        if queue.ready.count or (queue.failures and queue.due):
            return self._route(queue, now) or self._open(queue, now)
        return hold

    # --- routes

    def _route(self, queue: Queue, now: float) -> HoldKind:
        plan = queue.plan
        if plan is not None and now < plan.expires_at:
            return ""
        if queue.resolving:
            return "resolving"
        if now < queue.route_retry_at:
            self._alarms.set(queue, queue.route_retry_at)
            return "route"
        queue.resolving = True
        self._commands.append(Resolve(queue.key))
        return "resolving"

    def _lead(self, queue: Queue, plan: RoutePlan) -> None:
        """Send the queue's mail by *plan* from now on."""
        queue.plan = plan
        queue.route_retry_at = 0.0
        key = (queue.key.binding, plan.site, plan.method)
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = Site(key, [], ({}, {}))
        if site is not queue.site:
            self._leave_site(queue)
            queue.site = site
            site.queues += 1

    def _leave_site(self, queue: Queue) -> None:
        site = queue.site
        if site is None:
            return
        if queue.wants >= 0:
            site.wanting[queue.wants].pop(queue, None)
            queue.wants = -1
        queue.site = None
        site.queues -= 1
        self._forget_site(site)

    def _forget_site(self, site: Site) -> None:
        if not site.queues and not site.load:
            self._sites.pop(site.key, None)

    def _addresses(self, queue: Queue) -> Iterable[Address]:
        return [address for level in queue.plan.levels for address in level.addresses] if queue.plan else []

    def _rest(self, queue: Queue, address: Address, reply: Reply, now: float) -> None:
        retry_s = queue.options.host_failure_retry
        if retry_s <= 0:
            return
        if len(self._rests) > 10_000:
            self._rests = {key: rest for key, rest in self._rests.items() if rest[0] > now}
        self._rests[(queue.key.binding, address.ip, address.port)] = (now + retry_s, reply)

    def _resting_until(self, queue: Queue, address: Address, now: float) -> float | None:
        rest = self._rests.get((queue.key.binding, address.ip, address.port))
        return rest[0] if rest is not None and rest[0] > now else None

    def _reachable(self, queue: Queue, now: float) -> bool:
        return any(self._resting_until(queue, address, now) is None for address in self._addresses(queue))

    # --- opening connections

    def _open(self, queue: Queue, now: float) -> HoldKind:
        """Open what connections the waiting mail is worth."""
        while True:
            want = self._wanted_connections(queue, now)
            if want < 1:
                return "connecting" if queue.opening else "busy"
            hold = self._open_one(queue, want, now)
            if hold:
                return hold

    def _wanted_connections(self, queue: Queue, now: float) -> int:
        """How many more connections to open now.

        One for each waiting recipient that the present ones will not take next, but only as many at once as
        are open already: a destination that accepts is filled within a few round trips, one that does not is
        not stormed.
        """
        total = queue.open + queue.opening
        if queue.failures:
            return 1 - total
        want = min(queue.ready.count - total, max(1, queue.open) - queue.opening)
        if want < 1 and not queue.opening:
            patient_until = queue.progress_at + PATIENCE_S[queue.ready.lane]
            if now >= patient_until:
                return 1
            self._alarms.set(queue, patient_until)
        return want

    def _open_one(self, queue: Queue, want: int, now: float) -> HoldKind:
        local = self._local_rests.get(queue.key.binding)
        if local is not None and now < local[0]:
            self._alarms.set(queue, local[0])
            return "local"
        rules = queue.connection_rules
        if rules is None:
            rules = connection_rules(queue.key, queue.options, self._config.globals)
            rules = queue.connection_rules = slowest_first(rules)
        lane = queue.ready.lane if queue.ready.count or not queue.due else queue.due.lane
        lacking = self._ledger.lacking(rules, queue, lane, want, now)
        if lacking is not None:
            self._make_room(lacking, queue, now)
            return "limit"
        chosen = self._choose(queue, lane, now)
        if isinstance(chosen, str):
            return chosen
        address, host_rules = chosen
        self._connect(queue, address, rules + host_rules, now)
        return ""

    def _choose(self, queue: Queue, lane: int, now: float) -> tuple[Address, Rules] | HoldKind:
        """Pick the least busy address of the best level that has one that is reachable and under its limits.
        """
        assert queue.plan is not None
        assert queue.site is not None
        load, rng = queue.site.load, self._rng
        limited = False
        for level in queue.plan.levels:
            usable = [a for a in level.addresses if self._resting_until(queue, a, now) is None]
            if len(usable) > 1:
                usable.sort(key=lambda address: (load.get(address, 0), rng.random()))
            for address in usable:
                host = self._config.host(*queue.key, address.host)
                rules = slowest_first(
                    host_connection_rules(queue.key.binding, address.host, address.ip, host)
                )
                if not rules or self._ledger.lacking(rules, queue, lane, 1, now) is None:
                    return address, rules
                limited = True
        if limited:
            return "limit"
        rests = [self._resting_until(queue, address, now) for address in self._addresses(queue)]
        queue.hold_until = min(until for until in rests if until is not None)
        self._alarms.set(queue, queue.hold_until)
        return "resting"

    def _connect(self, queue: Queue, address: Address, rules: Rules, now: float) -> None:
        assert queue.plan is not None
        assert queue.site is not None
        self._last_id += 1
        connection = Connection(self._last_id, queue, queue.site, address, queue.options)
        connection.accounts = self._ledger.take(rules, 1, now)
        connection.message_rules = host_message_rules(self._config.host(*queue.key, address.host))
        self._connections[connection.id] = connection
        queue.opening += 1
        queue.progress_at = now
        load = queue.site.load
        load[address] = load.get(address, 0) + 1
        self._commands.append(Connect(connection.id, queue.key, address, queue.plan.method, queue.options))

    def _make_room(self, account: Account, queue: Queue, now: float) -> None:
        """End an idle connection that holds a unit of *account*, for which *queue* waits."""
        if account.rule.limit.is_rate:
            return
        for connection in islice(self._idle, 64):
            if account in connection.accounts and not connection.queue.ready.count:
                self._end(connection, now)
                return

    # --- using connections

    def _use_idle(self, queue: Queue, site: Site, now: float) -> HoldKind:
        """Hand ready mail to the site's idle connections."""
        while queue.ready.count and site.idle:
            connection = site.idle[-1]
            if connection.queue is not queue:
                own = next((c for c in site.idle if c.queue is queue), None)
                if own is not None:
                    connection = own
                elif not self._move(connection, queue, now):
                    return ""
            hold = self._hand_over(connection, queue, now)
            if hold:
                return hold
        return ""

    def _move(self, connection: Connection, queue: Queue, now: float) -> bool:
        """Let *connection* serve *queue*, a sibling of the one it was opened for; its limits must allow it.
        """
        rules = queue.connection_rules
        if rules is None:
            rules = connection_rules(queue.key, queue.options, self._config.globals)
            rules = queue.connection_rules = slowest_first(rules)
        if connection.options != queue.options:
            return False
        held = {account.rule.key for account in connection.accounts}
        needed = tuple(rule for rule in rules if rule.key not in held and not rule.limit.is_rate)
        if self._ledger.lacking(needed, queue, queue.ready.lane, 1, now) is not None:
            return False
        theirs = {rule.key for rule in rules}
        old = connection.queue
        own = {rule.key for rule in old.connection_rules or ()}
        for account in [a for a in connection.accounts if a.rule.key in own and a.rule.key not in theirs]:
            connection.accounts.remove(account)
            self._ledger.put(account, now)
            self._freed[account] = None
        connection.accounts += self._ledger.take(needed, 1, now)
        old.open -= 1
        queue.open += 1
        connection.queue = queue
        self._todo[old] = None
        return True

    def _hand_over(self, connection: Connection, queue: Queue, now: float) -> HoldKind:
        """Start a transaction on the idle *connection*, unless a limit on messages holds it."""
        options = queue.options
        limit = options.max_recipients_per_batch or len(queue.ready)
        if options.max_recipients_per_connection:
            limit = min(limit, options.max_recipients_per_connection - connection.recipients)
        rules = queue.message_rules + connection.message_rules
        if rules:
            rules = slowest_first(rules)
            if self._ledger.lacking(rules, queue, queue.ready.lane, len(queue.ready), now) is not None:
                return "limit"
            limit = min(limit, self._ledger.at_hand(rules, now))
        batch = queue.ready.take(limit)
        if options.never_attempt_expired_messages:
            batch = self._without_expired(queue, batch, now)
            if not batch:
                return ""
        if rules:
            self._ledger.take(rules, len(batch), now)
        connection.state = "busy"
        connection.batch = batch
        connection.site.idle.remove(connection)
        self._idle.pop(connection, None)
        queue.in_flight += len(batch)
        queue.progress_at = now
        self._commands.append(Deliver(connection.id, queue.key, batch))
        return ""

    def _set_idle(self, connection: Connection, now: float) -> None:
        """*connection* has nothing to do: give it work, keep it for a while, or give it up for others."""
        queue = connection.queue
        connection.state = "idle"
        if self._draining or (
            connection.options is not queue.options and connection.options != queue.options
        ):
            self._end(connection, now)
            return
        lane = queue.ready.lane if queue.ready.count else 2
        held_s = now - connection.opened_at
        if any(account.contested(queue, lane, held_s, now) for account in connection.accounts):
            self._end(connection, now)
            return
        site = connection.site
        site.idle.append(connection)
        self._idle[connection] = None
        connection.idle_until = now + connection.options.idle_timeout
        self._alarms.set(connection, connection.idle_until)
        self._todo[queue] = None
        if len(site.wanting[0]) + len(site.wanting[1]) > (queue.wants >= 0):
            for wanting in (site.wanting[1], site.wanting[0]):
                sibling = next((q for q in wanting if q is not queue), None)
                if sibling is not None and (wanting is site.wanting[0] or not queue.ready.count):
                    self._todo[sibling] = None

    def _end_if_idle(self, connection: Connection, now: float) -> None:
        if connection.state != "idle":
            return
        if now < connection.idle_until:
            self._alarms.set(connection, connection.idle_until)
        else:
            self._end(connection, now)

    def _is_spent(self, connection: Connection) -> bool:
        options = connection.queue.options
        most = options.max_deliveries_per_connection
        if most and connection.deliveries >= most:
            return True
        most = options.max_recipients_per_connection
        return bool(most) and connection.recipients >= most

    def _end(self, connection: Connection, now: float) -> None:
        self._commands.append(Quit(connection.id))
        connection.queue.open -= 1
        self._drop(connection, now)

    def _drop(self, connection: Connection, now: float) -> None:
        """Forget a connection that is gone and return its units."""
        connection.state = "gone"
        del self._connections[connection.id]
        site = connection.site
        if connection in self._idle:
            del self._idle[connection]
            site.idle.remove(connection)
        left = site.load[connection.address] - 1
        if left:
            site.load[connection.address] = left
        else:
            del site.load[connection.address]
            self._forget_site(site)
        for account in connection.accounts:
            self._ledger.put(account, now)
            self._freed[account] = None
        self._todo[connection.queue] = None

    # --- outcomes

    def _take_results(
        self, queue: Queue, batch: list[Recipient], results: Sequence[Result], now: float
    ) -> bool:
        """Record what became of *batch*; returns whether anything was delivered."""
        delivered = False
        untried: list[Recipient] = []
        settle: list[Recipient] = []
        for result in results:
            event = judge(result, queue.options, now, self._rng)
            recipient = result.recipient
            if event is None:
                untried.append(recipient)
                continue
            self._apply(recipient, event)
            self._dismiss(queue, recipient)
            if event.type == "delivered":
                delivered = True
            if event.state == "queued" or event.state == "held":
                settle.append(recipient)
        if results:
            self._last_replies[queue.key] = (now, results[-1].reply)
        if len(results) < len(batch):
            judged = {id(result.recipient) for result in results}
            untried += [recipient for recipient in batch if id(recipient) not in judged]
        if untried:
            queue.ready.put_back(untried)
        if settle:
            self._commands.append(Settle(settle))
        return delivered

    def _distrust(self, connection: Connection, results: Sequence[Result], now: float) -> None:
        """A connection was lost before it had delivered anything: its address rests as if it had not opened.
        """
        lost = next((r for r in results if r.session_fault or r.verdict == "untried"), None)
        if lost is not None:
            self._rest(connection.queue, connection.address, lost.reply, now)

    def _fail_ready(self, queue: Queue, reply: Reply, failure: ConnectFailure | None, now: float) -> None:
        """No way to deliver was found: count an attempt for each recipient that waited."""
        attempt = failure.attempt if failure is not None else None
        settle = []
        for recipient in queue.ready.drain():
            if reply.is_permanent and (failure is None or reply.code in (521, 556)):
                event = failed(recipient, reply, attempt, now)
            else:
                event = put_off(recipient, reply, attempt, queue.options, now, self._rng)
            self._apply(recipient, event)
            self._dismiss(queue, recipient)
            if event.state == "queued":
                settle.append(recipient)
        if settle:
            self._commands.append(Settle(settle))

    def _count_failure(self, queue: Queue, now: float) -> None:
        """All ways have failed once more. After enough of that the whole queue is delayed."""
        if not queue.failures:
            queue.failing_since = now
        queue.failures += 1
        options = queue.options
        most, longest_s = options.mx_failures_to_delay, options.connect_timeout_to_delay
        too_often = 0 < most <= queue.failures
        too_long = 0 < longest_s <= now - queue.failing_since
        if too_often or too_long:
            wait_s = max(1, options.host_failure_retry) * 2.0 ** min(queue.probes, 32)
            wait_s = min(wait_s, max(1, options.retry_interval)) * (1 + JITTER * self._rng.random())
            queue.probes += 1
            queue.delayed_until = now + wait_s
        self._todo[queue] = None

    def _without_expired(self, queue: Queue, batch: list[Recipient], now: float) -> list[Recipient]:
        kept = []
        for recipient in batch:
            event = expired(recipient, queue.options, now)
            if event is None:
                kept.append(recipient)
            else:
                self._apply(recipient, event)
                self._dismiss(queue, recipient)
        return kept

    def _apply(self, recipient: Recipient, event: Event) -> None:
        recipient.apply(event)
        record = self._record
        if record is None:
            record = self._record = Record([], [])
            self._commands.append(record)
        record.events.append(event)
        record.recipients.append(recipient)

    def _note(self, queue: Queue, reply: Reply, now: float) -> None:
        self._last_replies[queue.key] = (now, reply)
        while len(self._last_replies) > LAST_REPLIES:
            del self._last_replies[next(iter(self._last_replies))]

    # --- memory

    def _queue(self, binding: str, domain: str) -> Queue:
        queue = self._queues.get((binding, domain))
        if queue is None:
            key = QueueKey(binding, domain)
            queue = self._queues[key] = Queue(key)
            self._renew(queue)
        return queue

    def _renew(self, queue: Queue) -> None:
        """Take over the configuration in force; what follows from the old one is forgotten if it differs."""
        options = self._config.outbound(*queue.key)
        known = queue.generation >= 0
        queue.generation = self._generation
        queue.connection_rules = None
        if known and options == queue.options:
            queue.message_rules = slowest_first(message_rules(options))
            return
        queue.options = options
        queue.message_rules = slowest_first(message_rules(options))
        queue.plan = None

    def _forget(self, queue: Queue) -> None:
        self._leave_site(queue)
        self._ledger.leave(queue)
        for lane in self._hungry:
            lane.pop(queue, None)
        del self._queues[queue.key]

    def _selected(self, selection: Selection) -> list[Queue]:
        if selection.binding is not None and selection.domain is not None:
            queue = self._queues.get((selection.binding, selection.domain))
            return [] if queue is None else [queue]
        return [
            queue
            for queue in self._queues.values()
            if selection.binding in (None, queue.key.binding) and selection.domain in (None, queue.key.domain)
        ]

    def _may_stay(self, queue: Queue, recipient: Recipient) -> bool:
        """Whether a further recipient fits. A tenth of every bound is kept for transactional mail."""
        most = queue.options.max_resident_active_queue
        room = self._residence.room()
        if recipient.message.lane:
            return (most < 0 or queue.resident < most - most // 10) and room > self._residence.reserve
        return (most < 0 or queue.resident < most) and room > 0

    def _admit(self, queue: Queue, recipient: Recipient) -> None:
        queue.resident += 1
        self._residence.add(recipient.message.source)
        queue.ready.add(recipient)

    def _dismiss(self, queue: Queue, recipient: Recipient) -> None:
        queue.resident -= 1
        self._residence.remove(recipient.message.source)

    def _settle_ready(self, queue: Queue) -> None:
        """Send the queue's ready mail to the settled store, as it is: nothing was tried."""
        recipients = queue.ready.drain()
        for recipient in recipients:
            self._dismiss(queue, recipient)
        if recipients:
            self._commands.append(Settle(recipients))

    def _take_due(self, now: float, limit: int) -> None:
        """Note which stored flows have become due."""
        for _ in range(limit):
            flow = self._stored.pop_due(now)
            if flow is None:
                return
            queue = self._queue(flow.binding, flow.domain)
            if queue.due is None:
                queue.due = DueFlows()
            queue.due.add(flow)
            self._todo[queue] = None

    def _page(self, queue: Queue) -> HoldKind:
        """Ask for due mail from the settled store, if the queue's share of memory is less than half full."""
        assert queue.due is not None
        if queue.paging:
            return "paging"
        most = queue.options.max_resident_active_queue
        if most < 0:
            most = UNBOUNDED_QUEUE
        lane = queue.due.lane
        if queue.resident * 2 > most and (lane or queue.resident >= most):
            return ""
        room = self._residence.room() - (self._residence.reserve if lane else 0)
        if room < 1:
            self._hungry[lane][queue] = None
            return "memory"
        queue.paging = max(1, min(PAGE, room, most - queue.resident))
        self._residence.reserved += queue.paging
        self._commands.append(Page(queue.due.next(), queue.paging))
        return "paging"

    def _commands_append(self, command: Command) -> None:
        self._commands.append(command)
