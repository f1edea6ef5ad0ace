"""The scheduler: what to do next with the mail that waits. Pure: no clock, no socket, no thread.

Inputs are method calls with the time; what to do is returned by `take_commands`, and `wake_at` says when to
call `tick`. Every input only marks the queues that it concerns; `_run` then lets each of them do what it can,
in `_advance`. No input looks at all queues or all recipients, but for an operator's `evict` and `flush`, and
for `reconfigure` and the end of a pause, which are spread over several ticks.

In memory are recipients that are due (ready) or in flight. All others, delayed, held and overflowing, are in
the settled store; the scheduler knows them as flows with a due time, and pages them in when it can send them.
"""

from collections.abc import Collection, Sequence
from random import Random

from angarium.core.records import Flow, FlowSummary, QueueKey, Recipient
from angarium.queue.census import Census
from angarium.queue.commands import Command, ConnectFailure, Result, Settle
from angarium.queue.explain import NOTHING_SEEN, Explainer, QueueStatus, Seen
from angarium.queue.memory import Memory
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.pool import Pool
from angarium.queue.queues import Holding, HoldKind, PooledConnection, Queue
from angarium.queue.reachability import Reachability
from angarium.queue.shaping import Policy
from angarium.queue.state import State
from angarium.spool.port import Selection

TICK_BUDGET = 2000
"""Wake-ups served in one `tick`; the rest follow in the next, which is due at once."""

KEEP_FAILURES_S = 60.0
"""A queue that failed is remembered this long without mail: what was put off takes a while to be stored."""

LASTING: frozenset[str] = frozenset(("draining", "route", "resting", "local", "limit", "memory"))
"""Holds that may outlast the time that mail has."""


class Scheduler:
    """Decides for one of *workers* that share limits; at most *max_resident* recipients are in its memory."""

    def __init__(self, config: Policy, rng: Random, *, workers: int = 1, max_resident: int = 65_536) -> None:
        self._state = State(config, rng, workers)
        self._memory = Memory(self._state, max_resident)
        self._reachability = Reachability(self._state, self._memory)
        self._pool = Pool(self._state, self._memory, self._reachability)
        self._renewing: list[Queue] = []
        self.census = Census(self._state, self._memory)
        self.explainer = Explainer(self._state, self._memory, self._reachability)

    # --- outputs

    def take_commands(self) -> list[Command]:
        """Return, once, what is to be done, in order."""
        return self._state.take_commands()

    @property
    def wake_at(self) -> float | None:
        """When `tick` must be called next, in epoch seconds; None while nothing waits for time to pass."""
        if self._renewing:
            return 0.0
        alarm_at, stored_at = self._state.alarms.next_at(), self._memory.stored.next_at()
        if alarm_at is None or stored_at is None:
            return stored_at if alarm_at is None else alarm_at
        return min(alarm_at, stored_at)

    def has_room(self, tenant: str) -> bool:
        """Whether a fresh recipient of *tenant* may stay in memory; else have it accepted as settled."""
        return self._memory.residence.has_room(tenant)

    def status(self, now: float, seen: Seen = NOTHING_SEEN) -> list[QueueStatus]:
        """Every queue and what holds it, fullest first. Looks at everything in memory: for operators only."""
        rows = list(self.explainer.rows(now, seen, Selection()))
        return sorted(rows, key=lambda row: (-(row.active + row.in_flight + row.stored), row.queue))

    # --- inputs: mail

    def add(self, recipients: Sequence[Recipient], now: float) -> None:
        """Take in recipients that are in memory and durable: fresh, recovered, released or moved ones.

        Those that are not due, held, or too many are given to the settled store.
        """
        elsewhere: list[Recipient] = []
        for recipient in recipients:
            queue = self._state.queue(recipient.binding, recipient.domain)
            self._state.todo[queue] = None
            ready = recipient.due_at <= now and recipient.state == "queued"
            if ready and self._memory.may_stay(queue, recipient):
                self._memory.admit(queue, recipient)
            else:
                elsewhere.append(recipient)
        if elsewhere:
            self._state.emit(Settle(elsewhere))
        self._run(now)

    def flow_changed(self, flow: Flow, summary: FlowSummary, now: float) -> None:
        """The settled store's share of *flow* is now *summary*."""
        self._memory.flow_changed(flow, summary, now)
        self._memory.take_due(now, TICK_BUDGET)
        self._run(now)

    def paged(self, flow: Flow, recipients: Sequence[Recipient], now: float) -> None:
        """The answer to `PageIn`: *recipients* are in memory. Fewer than asked for: no more are due."""
        queue = self._state.queue(flow.binding, flow.domain)
        self._memory.paged(queue, flow, recipients, now)
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
                self._memory.dismiss(queue, recipient)
            evicted += gone
            self._state.todo[queue] = None
        self._run(now)
        return evicted

    def ask_anew(self, domains: Collection[str], now: float) -> None:
        """From now on plan the way to *domains*, or to all when there is none, by nothing that was learnt before."""
        for queue in self._state.queues.values():
            if not domains or queue.key.domain in domains:
                self._reachability.ask_anew(queue, now)

    def flush(self, selection: Selection, now: float) -> None:
        """Try the matching queues at once: addresses no longer rest, a delayed queue is probed now.

        Limits and suspensions stay in force. What is stored must be made due by its store.
        """
        for queue in self._selected(selection):
            self._reachability.try_now(queue)
        self._run(now)

    # --- inputs: routes and connections

    def resolved(self, key: QueueKey, outcome: RoutePlan | RouteFailure, now: float) -> None:
        """The answer to `Resolve`. A failure counts as an attempt for the mail that waited for it."""
        queue = self._state.queues.get(key)
        if queue is not None and queue.resolving:
            self._reachability.resolved(queue, outcome, now)
            self._run(now)

    def opened(self, conn: int, now: float) -> None:
        """Connection *conn* is ready for mail."""
        connection = self._find(conn, "opening")
        if connection is not None:
            self._pool.opened(connection, now)
            self._run(now)

    def connect_failed(self, conn: int, failure: ConnectFailure, now: float) -> None:
        """Connection *conn* did not become ready, and is gone or going."""
        connection = self._find(conn, "opening")
        if connection is not None:
            self._pool.connect_failed(connection, failure, now)
            self._run(now)

    def finished(self, conn: int, results: Sequence[Result], usable: bool, now: float) -> None:
        """The transaction on *conn* has ended. Without *usable* the connection is gone or going."""
        connection = self._find(conn, "busy")
        if connection is not None:
            self._pool.finished(connection, results, usable, now)
            self._run(now)

    def closed(self, conn: int, now: float) -> None:
        """The peer ended the idle connection *conn*. For a busy one `finished` comes."""
        connection = self._find(conn, "idle")
        if connection is not None:
            self._pool.closed(connection, now)
            self._run(now)

    def ended(self, conn: int, now: float) -> None:
        """The socket of *conn* has ended: its peer counts it no more. Comes once for each `Connect`."""
        connection = self._state.connections.get(conn)
        if connection is not None:
            self._pool.ended(connection, now)
            self._run(now)

    # --- inputs: limits, configuration, time

    def granted(self, key: str, count: int, retry_at: float | None, now: float, left: int = 0) -> None:
        """The authority's answer to `Lease`, or units that came free later; *retry_at* says when to ask
        again, *left* how many units are free.
        """
        holding = self._state.holdings.granted(key, count, retry_at, left, now)
        if holding is not None:
            self._state.freed[holding] = None
            self._run(now)

    def recall(self, key: str, count: int, rank: int, now: float) -> None:
        """Others wait for units of *key*, the best of them of *rank*: give back what is unused, and *count* more as
        soon as is decent.
        """
        holding = self._state.holdings.recalled(key, count, rank, now)
        if holding is None:
            return
        for connection in list(self._state.idle):
            if holding in connection.holdings:
                self._pool.end(connection, now)
        self._run(now)

    def reconfigure(self, config: Policy) -> None:
        """Use *config* from now on. Queues take it over in the next ticks; connections end after their
        transaction if what they were opened with has changed.
        """
        self._state.config = config
        self._state.generation += 1
        self._renewing = list(self._state.queues.values())

    def tick(self, now: float) -> None:
        """Time has passed: serve what is due."""
        self._renew_some()
        self._memory.take_due(now, TICK_BUDGET)
        for _ in range(TICK_BUDGET):
            sleeper = self._state.alarms.pop_due(now)
            if sleeper is None:
                break
            if isinstance(sleeper, Queue):
                self._state.todo[sleeper] = None
            elif isinstance(sleeper, PooledConnection):
                self._pool.alarm(sleeper, now)
            else:
                self._state.holdings.review(sleeper, now)
                self._state.freed[sleeper] = None
        self._run(now)

    def drain(self, now: float) -> None:
        """No new connections or transactions from now on; what is in flight goes on."""
        self._state.draining = True
        for connection in list(self._state.idle):
            self._pool.end(connection, now)
        self._run(now)

    def pause(self, reason: str | None, now: float) -> None:
        """Begin no connection or transaction while there is a *reason*, which is shown with all mail that waits;
        with None, go on. What is in flight goes on, and open connections are kept. Cheap when nothing changes.
        """
        resumed = bool(self._state.paused) and not reason
        self._state.paused = reason or ""
        if resumed:
            self._renewing = list(self._state.queues.values())
            self._renew_some()
            self._run(now)

    # --- the loop

    def _run(self, now: float) -> None:
        todo, freed = self._state.todo, self._state.freed
        while True:
            while todo:
                self._advance(todo.popitem()[0], now)
            if freed:
                self._wake_waiting(next(iter(freed)), now)
            elif not self._memory.feed_hungry():
                return

    def _wake_waiting(self, holding: Holding, now: float) -> None:
        """Wake the queue whose turn it is to use *holding*, or to ask for it; the next when that has had
        effect.
        """
        queue = holding.next_waiting(now, to_ask=False)
        if queue is None and not holding.asked and now >= holding.retry_at:
            queue = holding.next_waiting(now, to_ask=True)
        if queue is not None:
            self._state.todo[queue] = None
            return
        del self._state.freed[holding]
        if holding.has_waiting and not holding.asked:
            self._state.alarms.set(holding, holding.wake_at(now))
        self._state.holdings.forget_if_idle(holding)

    def _advance(self, queue: Queue, now: float) -> None:
        """Let *queue* do all it can do now, and note what holds it."""
        if queue.generation != self._state.generation:
            self._state.renew(queue)
        hold: HoldKind = ""
        if queue.ready.count or queue.due:
            hold = self._work(queue, now)
            if hold in LASTING and queue.ready.count:
                self._memory.sweep(queue, now)
        queue.hold = hold
        if queue.waits_for and hold != "limit":
            self._state.holdings.leave(queue)
        queue.note_wants(queue.ready.lane if queue.ready.count else -1)
        if queue.resident == 0 and queue.is_empty:
            self._forget(queue, now)

    def _work(self, queue: Queue, now: float) -> HoldKind:
        """The steps of one queue, in order of preference. Returns what holds it."""
        if self._state.draining:
            return "draining"
        if self._state.paused:
            return "paused"
        if queue.options.suspend_delivery:
            self._memory.settle_ready(queue)
            return "suspended"
        if queue.delayed_until is not None and now < queue.delayed_until:
            self._memory.settle_ready(queue)
            self._state.alarms.set(queue, queue.delayed_until)
            return "delayed"
        if queue.ready.urgent:
            queue.urgent_at = now
        site = queue.site
        if site is not None and site.idle and queue.ready.count:
            hold = self._pool.use_idle(queue, site, now)
            if hold:
                return hold
        paging: HoldKind = "" if queue.failures else self._memory.page(queue)
        if queue.ready.count or (queue.failures and queue.due):
            return self._reachability.route(queue, now) or self._pool.open(queue, now)
        return paging

    # --- helpers

    def _find(self, conn: int, state: str) -> PooledConnection | None:
        connection = self._state.connections.get(conn)
        return connection if connection is not None and connection.state == state else None

    def _forget(self, queue: Queue, now: float) -> None:
        """Forget an empty queue; its failures only when nothing of it is stored, nor on its way there."""
        if queue.failures:
            keep_until = queue.failed_at + KEEP_FAILURES_S
            if now < keep_until:
                self._state.alarms.set(queue, keep_until)
                return
            if self._memory.stored.has(queue.key):
                return
        self._memory.forget(queue)
        self._state.forget(queue)

    def _renew_some(self) -> None:
        for queue in self._renewing[-TICK_BUDGET:]:
            if self._state.queues.get(queue.key) is queue:
                self._state.todo[queue] = None
        del self._renewing[-TICK_BUDGET:]

    def _selected(self, selection: Selection) -> list[Queue]:
        binding, domain = selection.binding, selection.domain
        if binding is not None and domain is not None:
            queue = self._state.queues.get((binding, domain))
            return [] if queue is None else [queue]
        return [queue for queue in self._state.queues.values() if selection.covers(*queue.key)]
