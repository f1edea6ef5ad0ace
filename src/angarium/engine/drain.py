"""The end of a worker's deliveries: nothing new begins, what cannot be taken back is waited for."""

import asyncio

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.engine.live import LiveScheduler
from angarium.engine.pump import Pump
from angarium.engine.record import Recorder
from angarium.engine.way_out import WayOut
from angarium.spool.port import SpoolError


class Drain:
    """Ends deliveries, once."""

    def __init__(
        self,
        scheduler: LiveScheduler,
        pump: Pump,
        way_out: WayOut,
        recorder: Recorder,
        clock: Clock,
        log: Log,
    ) -> None:
        self._scheduler = scheduler
        self._pump = pump
        self._way_out = way_out
        self._recorder = recorder
        self._clock = clock
        self._log = log
        self._patience: asyncio.Timeout | None = None

    async def drain(self, seconds: float) -> None:
        """Start nothing new; let attempts past their final dot finish, up to *seconds*; drop the rest, still queued."""
        self._way_out.stop()
        self._scheduler.drain()
        self._pump.pump()
        try:
            async with asyncio.timeout(seconds) as self._patience:
                await self._way_out.decided()
        except TimeoutError:
            self._log.warning(
                "draining", self._clock.now(), error="attempts were cut off after their final dot"
            )
        self._patience = None
        await asyncio.sleep(0)  # what the last results bring about is carried out
        self._pump.pump()
        self._way_out.break_off()
        self._pump.pump()
        await self.report_all(seconds)

    async def report_all(self, seconds: float) -> None:
        """Make the reports that are still due, of what was taken meanwhile as well. Mail whose report does not get done
        is tried again by the next start.
        """
        await asyncio.sleep(0)  # what was taken only to fail ends at the end of a turn
        try:
            async with asyncio.timeout(seconds):
                await self._recorder.written()
        except (TimeoutError, SpoolError) as error:
            self._log.warning("draining", self._clock.now(), error=f"not all is written: {error!r}")

    def hurry(self, seconds: float) -> None:
        """Have `drain`, if it still waits, wait for no more than *seconds* from now on."""
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)
