"""The engine of one worker, put together: the one place that knows all of its parts.

They stand in the order in which each has been given what it needs; nothing is filled in later.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.waiting import NOTHING_WAITS, WaitingMail
from angarium.delivery.outbound import Outbound
from angarium.delivery.signing import KeyFinder
from angarium.engine.clearance import NOTHING_SUPPRESSED, Clearance
from angarium.engine.drain import Drain
from angarium.engine.engine import Engine
from angarium.engine.enter import Acceptance
from angarium.engine.expiry import Expiry
from angarium.engine.facts import FactWriter
from angarium.engine.failing import Failing
from angarium.engine.live import LiveScheduler
from angarium.engine.looks import Looks
from angarium.engine.operate import Operator
from angarium.engine.page import Pager
from angarium.engine.pump import Leases, Pump
from angarium.engine.readers import ReaderFacts
from angarium.engine.record import EventWriter, Recorder
from angarium.engine.reports.reporter import Reporter
from angarium.engine.resolve import Routes, WayFinder
from angarium.engine.suppressing import Suppressing
from angarium.engine.sweep import Sweeper
from angarium.engine.to_us import MailToUs
from angarium.engine.trace import TraceHub
from angarium.engine.turn import Turn
from angarium.engine.view import ConfigView
from angarium.node.spools import settings_of
from angarium.queue.scheduler import Scheduler
from angarium.render.pipeline import RENDERING, Rendering
from angarium.render.return_path import ReturnPaths
from angarium.spool.port import Spool
from angarium.spool.settings import SpoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What differs between a worker, a test and a drill.

    *routes* plans by the configuration that `assemble` is given. *leases* says who answers for the limits that
    *workers* share, given who is to hear it. Without *keys* nothing is signed, and without *returns* mail comes back to
    its sender. *rendering* makes what each recipient gets, and
    *clearance* knows who is suppressed.
    """

    clock: Clock
    log: Log
    counters: Counters
    open_spool: Callable[[SpoolSettings], Awaitable[Spool]]
    routes: Routes
    leases: Callable[[LiveScheduler], Leases]
    workers: int = 1
    waiting: WaitingMail = NOTHING_WAITS
    keys: KeyFinder | None = None
    returns: ReturnPaths | None = None
    rendering: Rendering = RENDERING
    clearance: Clearance = NOTHING_SUPPRESSED
    rng: Random = field(default_factory=Random)


async def assemble(config: Config, ports: Ports) -> Engine:
    """Put an engine together. Raises SpoolError. `Engine.recover` comes next."""
    clock, log, counters = ports.clock, ports.log, ports.counters
    view = ConfigView(config)
    turn = Turn()
    most = config.globals.max_resident_messages
    scheduler = LiveScheduler(
        Scheduler(config, ports.rng, workers=ports.workers, max_resident=most), turn, clock
    )
    spool = await ports.open_spool(settings_of(config, view))
    spool.on_flow(scheduler.flow_changed)

    writer = EventWriter(spool, log, counters, ports.waiting)
    failing = Failing(turn, clock, log)
    suppressing = Suppressing(ports.clearance, failing, scheduler, clock, log)
    acceptance = Acceptance(view, spool, scheduler, suppressing, clock, log, counters, ports.waiting)
    reporter = Reporter(acceptance.enter, view, spool, clock, log, counters)
    recorder = Recorder(view, writer, reporter, spool, clock)
    failing.recorded_by(recorder.record)
    suppressing.recorded_by(recorder.record)

    way_finder = WayFinder(view, ports.routes, scheduler, clock, log)
    pager = Pager(spool, scheduler, suppressing, clock, log)
    traces = TraceHub()
    way_out = Outbound(
        view,
        scheduler,
        spool,
        writer,
        traces,
        ports.keys,
        ports.returns,
        ports.rendering,
        ports.clearance,
        clock,
        log,
        counters,
    )
    pump = Pump(
        scheduler,
        turn,
        way_out,
        recorder,
        way_finder,
        pager,
        ports.leases(scheduler),
        spool,
        clock,
        log,
    )

    expiry = Expiry(view, spool, recorder, clock, log)
    looks = Looks(view, spool, scheduler, way_finder, way_out, clock)
    return Engine(
        view=view,
        spool=spool,
        scheduler=scheduler,
        acceptance=acceptance,
        way_finder=way_finder,
        way_out=way_out,
        traces=traces,
        operator=Operator(view, spool, scheduler, recorder, way_finder, pager, looks, clock, log),
        sweeper=Sweeper(scheduler, pump, way_out, recorder, expiry, spool, clock),
        facts=FactWriter(spool, clock, counters),
        to_us=MailToUs(spool, writer, clock, counters),
        readers=ReaderFacts(spool, clock, counters),
        drain=Drain(scheduler, pump, way_out, recorder, clock, log),
    )
