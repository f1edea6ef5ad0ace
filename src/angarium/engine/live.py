"""The scheduler in real time."""

from collections.abc import Collection, Sequence

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.records import Flow, FlowSummary, QueueKey, Recipient
from angarium.engine.turn import Turn
from angarium.queue.census import Census
from angarium.queue.commands import Command, ConnectFailure, Result
from angarium.queue.explain import Explainer
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.scheduler import Scheduler
from angarium.spool.port import Selection


class LiveScheduler:
    """Tells the scheduler what happens and when, and has carried out in this *turn* what it wants done about it.

    Its methods are the scheduler's.
    """

    def __init__(self, scheduler: Scheduler, turn: Turn, clock: Clock) -> None:
        self._scheduler = scheduler
        self._turn = turn
        self._now = clock.now

    @property
    def census(self) -> Census:
        """What it has in memory."""
        return self._scheduler.census

    @property
    def wake_at(self) -> float | None:
        """When `tick` must be called next, in epoch seconds; None while nothing waits for time to pass."""
        return self._scheduler.wake_at

    def take_commands(self) -> list[Command]:
        """Return, once, what is to be done, in order."""
        return self._scheduler.take_commands()

    def has_room(self, tenant: str) -> bool:
        """Whether a fresh recipient of *tenant* may stay in memory; else have it accepted as settled."""
        return self._scheduler.has_room(tenant)

    @property
    def explainer(self) -> Explainer:
        """Says what holds mail."""
        return self._scheduler.explainer

    # -- mail

    def add(self, recipients: Sequence[Recipient]) -> None:
        """Take in recipients that are in memory and durable."""
        self._scheduler.add(recipients, self._now())
        self._turn.plan()

    def flow_changed(self, flow: Flow, summary: FlowSummary) -> None:
        """The settled store's share of *flow* is now *summary*."""
        self._scheduler.flow_changed(flow, summary, self._now())
        self._turn.plan()

    def paged(self, flow: Flow, recipients: Sequence[Recipient]) -> None:
        """The answer to `PageIn`."""
        self._scheduler.paged(flow, recipients, self._now())
        self._turn.plan()

    def evict(self, selection: Selection) -> list[Recipient]:
        """Forget the matching recipients that are not in flight and return them, still unchanged."""
        evicted = self._scheduler.evict(selection, self._now())
        self._turn.plan()
        return evicted

    def flush(self, selection: Selection) -> None:
        """Try the matching queues at once."""
        self._scheduler.flush(selection, self._now())
        self._turn.plan()

    # -- routes and connections

    def resolved(self, queue: QueueKey, outcome: RoutePlan | RouteFailure) -> None:
        """The answer to `Resolve`."""
        self._scheduler.resolved(queue, outcome, self._now())
        self._turn.plan()

    def ask_anew(self, domains: Collection[str]) -> None:
        """From now on plan the way to *domains*, or to all when there is none, by nothing that was learnt before."""
        self._scheduler.ask_anew(domains, self._now())
        self._turn.plan()

    def opened(self, conn: int) -> None:
        """Connection *conn* is ready for mail."""
        self._scheduler.opened(conn, self._now())
        self._turn.plan()

    def connect_failed(self, conn: int, failure: ConnectFailure) -> None:
        """Connection *conn* did not become ready, and is gone or going."""
        self._scheduler.connect_failed(conn, failure, self._now())
        self._turn.plan()

    def finished(self, conn: int, results: Sequence[Result], usable: bool) -> None:
        """The answer to `Deliver`."""
        self._scheduler.finished(conn, results, usable, self._now())
        self._turn.plan()

    def closed(self, conn: int) -> None:
        """The peer ended the idle connection *conn*."""
        self._scheduler.closed(conn, self._now())
        self._turn.plan()

    def ended(self, conn: int) -> None:
        """The socket of *conn* has ended: its peer counts it no more."""
        self._scheduler.ended(conn, self._now())
        self._turn.plan()

    # -- limits, configuration, time

    def granted(self, key: str, count: int, retry_at: float | None, left: int) -> None:
        """The authority's answer to `Lease`."""
        self._scheduler.granted(key, count, retry_at, self._now(), left)
        self._turn.plan()

    def recall(self, key: str, count: int, rank: int) -> None:
        """The authority wants unused units back, and *count* in use, for others, the best of them of *rank*."""
        self._scheduler.recall(key, count, rank, self._now())
        self._turn.plan()

    def reconfigure(self, config: Config) -> None:
        """Use *config* from now on."""
        self._scheduler.reconfigure(config)
        self._turn.plan()

    def tick(self) -> None:
        """Time has passed: serve what is due. The caller takes the commands then: no turn is planned."""
        self._scheduler.tick(self._now())

    def pause(self, reason: str | None) -> None:
        """Begin no connection or transaction while there is a *reason*; with None, go on."""
        self._scheduler.pause(reason, self._now())
        self._turn.plan()

    def drain(self) -> None:
        """No new connections or transactions from now on; what is in flight goes on."""
        self._scheduler.drain(self._now())
        self._turn.plan()
