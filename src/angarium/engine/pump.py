"""Carries out what the scheduler decides.

The scheduler's commands are run in `pump`, which is called once per turn of the event loop in which anything happened,
so that a burst of acknowledgements or replies costs one pass. Who carries a command out tells the scheduler what came
of it, by `LiveScheduler`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.engine.lanes import BulkStarts
from angarium.engine.live import LiveScheduler
from angarium.engine.page import Pager
from angarium.engine.record import Recorder
from angarium.engine.resolve import WayFinder
from angarium.engine.turn import Turn
from angarium.engine.way_out import WayOut
from angarium.queue.commands import (
    Connect,
    Deliver,
    GiveBack,
    Lease,
    PageIn,
    Quit,
    Resolve,
    Settle,
    WriteEvents,
)
from angarium.spool.port import Spool, SpoolError


class Leases(Protocol):
    """The authority for limits that workers share. It answers by calling `LiveScheduler.granted`."""

    def ask(self, command: Lease) -> None:
        """Ask for units of a limit."""
        ...

    def give_back(self, command: GiveBack) -> None:
        """Return units."""
        ...


class Pump:
    """Takes the scheduler's commands and has each carried out."""

    def __init__(
        self,
        scheduler: LiveScheduler,
        turn: Turn,
        way_out: WayOut,
        recorder: Recorder,
        way_finder: WayFinder,
        pager: Pager,
        leases: Leases,
        spool: Spool,
        clock: Clock,
        log: Log,
    ) -> None:
        self._scheduler = scheduler
        self._way_out = way_out
        self._spool = spool
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at: float | None = None
        self._carry_out: dict[type, Callable[[Any], object]] = {
            Deliver: BulkStarts(self._begin).deliver,
            WriteEvents: recorder.record,
            Connect: way_out.connect,
            Quit: way_out.quit,
            Settle: self._settle,
            Resolve: way_finder.resolve,
            PageIn: pager.page,
            Lease: leases.ask,
            GiveBack: leases.give_back,
        }
        turn.at_end(self.pump)

    def pump(self) -> None:
        """Carry out what the scheduler wants, and plan its next wake-up."""
        scheduler, carry_out = self._scheduler, self._carry_out
        while commands := scheduler.take_commands():
            for command in commands:
                try:
                    carry_out[type(command)](command)
                except Exception as error:  # noqa: BLE001 - a fault of ours must not cost the commands behind it
                    self._fault(command, error)
        self._plan_wake(scheduler.wake_at)

    def _begin(self, command: Deliver) -> None:
        try:
            self._way_out.deliver(command)
        except Exception as error:  # noqa: BLE001 - nor what waits for the next turn
            self._fault(command, error)

    def _fault(self, command: object, error: Exception) -> None:
        self._log.fault(self._clock.now(), error, command=type(command).__name__)

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
        self._scheduler.tick()
        self.pump()

    def catch_up(self, now: float) -> None:
        """Wake the scheduler if it should have been woken by *now*; called each second."""
        if self._wake is not None and self._wake_at is not None and self._wake_at <= now:
            self._wake.cancel()  # the machine slept, or its clock was set forward: the loop's timer knows nothing of it
            self._tick()

    def _settle(self, command: Settle) -> None:
        self._spool.settle(command.recipients, self._settled)

    def _settled(self, error: SpoolError | None) -> None:
        if error is not None:
            self._log.error("settle", self._clock.now(), error=str(error))
