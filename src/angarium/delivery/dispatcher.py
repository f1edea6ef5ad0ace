"""Carries out what the scheduler decides, and tells it what came of it. The one place where both meet.

The scheduler's commands are run in `pump`, which is called once per turn of the event loop in which anything happened,
so that a burst of acknowledgements or replies costs one pass.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Flow, FlowSummary, Message, Recipient
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.core.waiting import NOTHING_WAITS, WaitingMail, account_of
from angarium.delivery.connection import Connection
from angarium.delivery.dialing import Dialer
from angarium.delivery.handover import Handover
from angarium.delivery.router import Router
from angarium.delivery.signing import KeySource
from angarium.delivery.trace import TraceHub
from angarium.engine.enter import end_failures, recipients_of, waits_in_store
from angarium.engine.record import Recorder
from angarium.queue.commands import (
    Connect,
    ConnectFailure,
    Deliver,
    GiveBack,
    Lease,
    PageIn,
    Quit,
    Record,
    Resolve,
    Result,
    Settle,
)
from angarium.queue.plan import RouteFailure, RoutePlan
from angarium.queue.scheduler import Scheduler
from angarium.queue.stored import RECHECK_S
from angarium.spool.port import Body, Selection, Spool, SpoolError, SpoolStatus, Then

_MOST_UNWRITTEN = 1000
_MOST_WAITING = 200_000
_MOST_UNREPORTED = 10_000


class Leases(Protocol):
    """The authority for limits that workers share. It answers by calling `Dispatcher.granted`."""

    def ask(self, command: Lease) -> None:
        """Ask for units of a limit."""
        ...

    def give_back(self, command: GiveBack) -> None:
        """Return units."""
        ...


class Dispatcher:
    """One worker's way out."""

    def __init__(
        self,
        config: Config,
        scheduler: Scheduler,
        spool: Spool,
        router: Router,
        leases: Leases,
        clock: Clock,
        log: Log,
        counters: Counters,
        keys: KeySource | None = None,
        waiting: WaitingMail = NOTHING_WAITS,
    ) -> None:
        self.config = config
        self.scheduler = scheduler
        self.spool = spool
        self.traces = TraceHub()
        self._router = router
        self._clock = clock
        self._log = log
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._waiting_mail = waiting
        self._recorder = Recorder(self, spool, clock, log, counters, waiting)
        self._dialer = Dialer(self, self.traces, clock, log, counters)
        self._connections = self._dialer.connections
        self._tasks = Tasks(log, clock)
        self._pump_planned = False
        self._pages = 0
        self._left_stored: Selection | None = None
        self._settled_down = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        settled_down = self._settled_down.set
        self._handover = Handover(spool, self._recorder, clock, log, self.finished, settled_down, keys)
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at: float | None = None
        self._run: dict[type, Callable[[Any], object]] = {
            Deliver: self._deliver,
            Record: self._recorder.record,
            Connect: self._dialer.connect,
            Quit: self._quit,
            Settle: self._settle,
            Resolve: lambda command: self._tasks.start(self._resolve(command)),
            PageIn: lambda command: self._tasks.start(self._page(command)),
            Lease: leases.ask,
            GiveBack: leases.give_back,
        }
        spool.on_flow(self._flow_changed)

    # -- mail in

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make *message* durable and see to its delivery; *then* is called as by `Spool.accept`."""
        settled = waits_in_store(message, self.scheduler.has_room)

        def accepted(error: SpoolError | None) -> None:
            if error is None:
                self._take_over(message, settled)
            then(error)

        self.spool.accept(message, body, accepted, settled=settled)

    def _take_over(self, message: Message, settled: bool) -> None:
        try:
            self._count_in(message)
            if not settled:
                self.add(recipients_of(message, self.config))
        except Exception as error:  # noqa: BLE001 - it is durable, and whoever sent it waits to hear so
            self._log.fault(self._clock.now(), error, message=message.id.hex())

    def add(self, recipients: list[Recipient]) -> None:
        """Schedule recipients that are durable and not in the settled store."""
        now = self._clock.now()
        self.scheduler.add(end_failures(recipients, now, self._recorder.record), now)
        self.plan_pump()

    def record(self, command: Record, *, logged: bool = True) -> None:
        """Write down events that were decided outside the scheduler (operator, expiry), each *logged* or not."""
        self._recorder.record(command, logged=logged)

    async def written(self) -> None:
        """Wait until what was recorded before is durable, reports and all. Raises SpoolError."""
        await self._recorder.written()

    def _count_in(self, message: Message) -> None:
        self._counters.add("received_messages_total")
        self._counters.add("received_recipients_total", amount=len(message.recipients))
        self._counters.add("received_bytes_total", amount=message.body_size)
        account = account_of(message.tenant)
        if account:
            number = len(message.recipients)
            self._waiting_mail.wait(account, number, number * message.body_size)

    # -- the scheduler's turn

    def plan_pump(self) -> None:
        """Have the scheduler's commands carried out at the end of this turn of the loop."""
        if not self._pump_planned:
            self._pump_planned = True
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Carry out what the scheduler wants, and plan its next wake-up."""
        self._pump_planned = False
        scheduler, run = self.scheduler, self._run
        while commands := scheduler.take_commands():
            for command in commands:
                try:
                    run[type(command)](command)
                except Exception as error:  # noqa: BLE001 - a fault of ours must not cost the commands behind it
                    self._log.fault(self._clock.now(), error, command=type(command).__name__)
        self._plan_wake(scheduler.wake_at)

    def _plan_wake(self, at: float | None) -> None:
        # Later wake-ups keep an earlier timer: the scheduler finds nothing due and says again when to wake.
        if at is None or (self._wake_at is not None and self._wake_at <= at):
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake_at = at
        self._wake = self._loop.call_later(max(0.0, at - self._clock.now()), self._tick)

    def _tick(self) -> None:
        self._wake = self._wake_at = None
        self.scheduler.tick(self._clock.now())
        self.pump()

    # -- commands

    async def _resolve(self, command: Resolve) -> None:
        outcome: RoutePlan | RouteFailure
        try:
            outcome = await self._router.resolve(command.queue, self._clock.now(), command.since)
        except Exception as error:  # noqa: BLE001 - a fault of ours never bounces mail, and never stops a queue
            self._log.fault(self._clock.now(), error, domain=command.queue.domain)
            retry_at = self._clock.now() + 60
            outcome = RouteFailure(Reply(451, "4.3.0", "[internal] routing failed; see the log"), retry_at)
        self.scheduler.resolved(command.queue, outcome, self._clock.now())
        self.plan_pump()

    def _deliver(self, command: Deliver) -> None:
        connection = self._connections.get(command.conn)
        if connection is not None:
            self.traces.follow(connection, command.recipients[0].message)
        self._handover.deliver(command, connection)

    def _quit(self, command: Quit) -> None:
        connection = self._dialer.leave(command.conn)
        if connection is not None:
            connection.quit()

    def _settle(self, command: Settle) -> None:
        self.spool.settle(command.recipients, self._settled)

    def _settled(self, error: SpoolError | None) -> None:
        if error is not None:
            self._log.error("settle", self._clock.now(), error=str(error))

    async def _page(self, command: PageIn) -> None:
        left, flow = self._left_stored, command.flow
        if left is not None and left.covers(flow.binding, flow.domain):
            self.scheduler.paged(flow, [], self._clock.now())  # it asks again before long
            self.plan_pump()
            return
        self._pages += 1
        recipients: list[Recipient] = []
        try:
            recipients = await self.spool.page(command.flow, self._clock.now(), command.limit)
            recipients = end_failures(recipients, self._clock.now(), self._recorder.record)
        except SpoolError as error:
            self._log.error("page", self._clock.now(), error=str(error), again_in_s=RECHECK_S)
        except Exception as error:  # noqa: BLE001 - a queue whose page never came would never ask for another
            self._log.fault(self._clock.now(), error, domain=command.flow.domain)
            recipients = [each for each in recipients if each.message.fate != "fail"]
        self._pages -= 1
        self.scheduler.paged(command.flow, recipients, self._clock.now())
        self._settled_down.set()
        self.plan_pump()

    async def pages_arrived(self) -> None:
        """Wait until no recipient is between the settled store and the scheduler, where neither can find it."""
        while self._pages:
            self._settled_down.clear()
            await self._settled_down.wait()

    @contextlib.contextmanager
    def leaving_stored(self, selection: Selection) -> Iterator[None]:
        """Have nothing that may match *selection* come from the settled store into memory meanwhile: whoever goes
        through the store for it would miss it. For one at a time.
        """
        self._left_stored = selection
        try:
            yield
        finally:
            self._left_stored = None

    # -- what happened

    def _flow_changed(self, flow: Flow, summary: FlowSummary) -> None:
        self.scheduler.flow_changed(flow, summary, self._clock.now())
        self.plan_pump()

    def granted(self, key: str, count: int, retry_at: float | None, left: int) -> None:
        """Take the authority's answer."""
        self.scheduler.granted(key, count, retry_at, self._clock.now(), left)
        self.plan_pump()

    def recall(self, key: str, count: int, rank: int) -> None:
        """The authority wants unused units back, and *count* of those in use, for others of *rank* or worse."""
        self.scheduler.recall(key, count, rank, self._clock.now())
        self.plan_pump()

    def connection_opened(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._counters.add("connections_total", "ready")
        self.scheduler.opened(connection.id, self._clock.now())
        self.plan_pump()

    def connection_failed(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner."""
        self._counters.add("connections_total", "failed")
        self._dialer.leave(connection.id)
        queue = connection.command.queue
        self._log.info(
            "connection",
            self._clock.now(),
            result="failed",
            domain=queue.domain,
            binding=queue.binding,
            peer=failure.attempt.peer,
            host=failure.attempt.host,
            stage=failure.attempt.stage,
            fault=failure.fault,
            reply=str(failure.reply),
        )
        self.scheduler.connect_failed(connection.id, failure, self._clock.now())
        self.plan_pump()

    def connection_retried(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner."""
        self._dialer.connect_again(connection, failure)

    def transaction_finished(self, connection: Connection, results: list[Result], usable: bool) -> None:
        """See connection.Owner."""
        self.finished(connection.id, results, usable)

    def finished(self, conn: int, results: list[Result], usable: bool) -> None:
        """Tell the scheduler how a transaction ended, on the wire or before it."""
        if not usable:
            self._dialer.leave(conn)
        self._settled_down.set()
        for result in results:
            self._counters.add("attempts_total", result.verdict)
        self._handover.concluded(conn, results)
        self.scheduler.finished(conn, results, usable, self._clock.now())
        self.plan_pump()

    def connection_closed(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._dialer.leave(connection.id)
        self.scheduler.closed(connection.id, self._clock.now())
        self.plan_pump()

    def connection_ended(self, connection: Connection) -> None:
        """See connection.Owner."""
        self.scheduler.ended(connection.id, self._clock.now())
        self.plan_pump()

    def body_wanted(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._handover.feed(connection)

    def downgrade_wanted(self, connection: Connection) -> None:
        """See connection.Owner."""
        self._handover.convert(connection)

    # -- time, change, end

    def sweep(self, now: float) -> None:
        """End stages whose time is up, and pause while outcomes pile up; called each second."""
        for connection in list(self._connections.values()):
            connection.check(now)
        if self._wake is not None and self._wake_at is not None and self._wake_at <= now:
            self._wake.cancel()  # the machine slept, or its clock was set forward: the loop's timer knows nothing of it
            self._tick()
        self.scheduler.pause(pause_reason(self.spool.status(), self._recorder.unreported), now)
        self.plan_pump()

    def reconfigure(self, config: Config) -> None:
        """Obey a new generation of the configuration from now on, and ask the DNS anew."""
        self.config = config
        self._router.reconfigure(config)
        self.scheduler.reconfigure(config)
        self.ask_anew()
        self.plan_pump()

    def has_moved(self, local_addresses: Iterable[str]) -> None:
        """Plan by this machine's addresses of now, and by what its name servers of now say."""
        self._router.reconfigure(self.config, local_addresses)
        self.ask_anew()

    def ask_anew(self, *domains: str) -> None:
        """Ask the DNS anew about the queues of *domains*, or all, before anything more is sent to them."""
        now = self._clock.now()
        self._router.forget(*domains, since=now)
        self.scheduler.ask_anew(domains, now)

    async def drain(self, seconds: float) -> None:
        """Start nothing new; let attempts past their final dot finish, up to *seconds*; drop the rest, still queued."""
        self._handover.is_draining = True
        self.scheduler.drain(self._clock.now())
        self.pump()
        try:
            async with asyncio.timeout(seconds) as self._patience:
                while self._is_past_recall:
                    self._settled_down.clear()
                    await self._settled_down.wait()
        except TimeoutError:
            self._log.warning(
                "draining", self._clock.now(), error="attempts were cut off after their final dot"
            )
        self._patience = None
        await asyncio.sleep(0)  # what the last results bring about is carried out
        self.pump()
        for connection in list(self._connections.values()):
            if connection.past_final_dot:
                connection.give_up()  # ambiguous, and told as such
            else:
                self._handover.abandon(connection.id)
                connection.quit()
        self.pump()
        await self._report_all(seconds)

    async def _report_all(self, seconds: float) -> None:
        """Make the reports that are still due. Mail whose report does not get done is tried again by the next start."""
        try:
            async with asyncio.timeout(seconds):
                await self._recorder.written()
        except (TimeoutError, SpoolError) as error:
            self._log.warning("draining", self._clock.now(), error=f"not all is written: {error!r}")

    def hurry(self, seconds: float) -> None:
        """Have `drain`, if it still waits, wait for no more than *seconds* from now on."""
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)

    @property
    def _is_past_recall(self) -> bool:
        """Whether something is under way whose outcome must be waited for."""
        connections = self._connections.values()
        return self._handover.is_writing or any(connection.past_final_dot for connection in connections)

    @property
    def connections(self) -> list[Connection]:
        """Connections under way, open or opening."""
        return list(self._connections.values())


def pause_reason(status: SpoolStatus, unreported: int) -> str | None:
    """Return why nothing further should be delivered, or None. *unreported* is how many reports wait.

    What was delivered and cannot be written down is held in memory, and would be delivered again after a crash.
    """
    if unreported > _MOST_UNREPORTED:
        return f"{unreported} reports to senders wait for the disk"
    if status.backlog <= (_MOST_UNWRITTEN if status.unwell else _MOST_WAITING):
        return None
    return f"{status.backlog} outcomes wait for the disk" + (f": {status.unwell}" if status.unwell else "")
