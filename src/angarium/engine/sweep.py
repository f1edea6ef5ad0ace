"""What is looked at each second: stages, timers, what is to expire, and whether outcomes pile up."""

from angarium.core.clock import Clock
from angarium.engine.expiry import Expiry
from angarium.engine.live import LiveScheduler
from angarium.engine.pump import Pump
from angarium.engine.record import Recorder
from angarium.engine.way_out import WayOut
from angarium.spool.port import Spool, SpoolStatus

_MOST_UNWRITTEN = 1000
_MOST_WAITING = 200_000
_MOST_UNREPORTED = 10_000


class Sweeper:
    """Called each second."""

    def __init__(
        self,
        scheduler: LiveScheduler,
        pump: Pump,
        way_out: WayOut,
        recorder: Recorder,
        expiry: Expiry,
        spool: Spool,
        clock: Clock,
    ) -> None:
        self._scheduler = scheduler
        self._pump = pump
        self._way_out = way_out
        self._recorder = recorder
        self._expiry = expiry
        self._spool = spool
        self._clock = clock

    def sweep(self) -> None:
        """End stages whose time is up and mail that is too old, and pause while outcomes pile up."""
        now = self._clock.now()
        self._way_out.check(now)
        self._pump.catch_up(now)
        self._scheduler.pause(pause_reason(self._spool.status(), self._recorder.unreported))
        self._expiry.sweep(now)


def pause_reason(status: SpoolStatus, unreported: int) -> str | None:
    """Return why nothing further should be delivered, or None. *unreported* is how many reports wait.

    What was delivered and cannot be written down is held in memory, and would be delivered again after a crash.
    """
    if unreported > _MOST_UNREPORTED:
        return f"{unreported} reports to senders wait for the disk"
    if status.backlog <= (_MOST_UNWRITTEN if status.unwell else _MOST_WAITING):
        return None
    return f"{status.backlog} outcomes wait for the disk" + (f": {status.unwell}" if status.unwell else "")
