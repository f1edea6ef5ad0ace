"""Has reports written: each enters as mail, and only then are the events recorded that it tells of.

So a crash between the two repeats an attempt and perhaps a report, but never swallows one.
"""

import asyncio
from collections.abc import Callable

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Message
from angarium.core.tasks import Tasks
from angarium.engine.reports.collector import Collector
from angarium.engine.reports.report import Report, build_report, is_collected
from angarium.engine.view import ConfigView
from angarium.spool.port import Body, Spool, SpoolError, Then

_AT_ONCE = 64


Enter = Callable[[Message, Body, Then], None]
"""Has a report enter as any mail does: makes it durable and delivers it."""


class Reporter:
    """Makes reports.

    While the disk takes nothing, only so many have their text in memory as are made at once; the others wait as the
    events they tell of. What can end many recipients at a time waits for `caught_up` between one lot and the next,
    and deliveries pause when there are too many (`sweep.pause_reason`). A report that cannot be written at all
    leaves its recipients in the journal as they were: the next start tries them, and reports them, again.
    """

    def __init__(
        self, enter: Enter, view: ConfigView, spool: Spool, clock: Clock, log: Log, counters: Counters
    ) -> None:
        self._enter = enter
        self._view = view
        self._spool = spool
        self._clock = clock
        self._log = log
        self._counters = counters
        self._tasks = Tasks(log, clock)
        self._waiting: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._collector = Collector(self._begin)

    @property
    def waiting(self) -> int:
        """How many reports are not durable yet."""
        return len(self._waiting) + len(self._collector)

    def start(self, report: Report) -> None:
        """Make *report*, now or with others of its message; its recipients' last events are as good as recorded."""
        self._spool.expect(report.ends)
        if is_collected(report.action, report.message):
            self._collector.add(report)
        else:
            self._begin(report)

    def _begin(self, report: Report) -> None:
        task = self._tasks.start(self._make(report))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def caught_up(self) -> None:
        """Wait for all reports that were started before; none is kept open any longer."""
        self._collector.close_all()
        if self._waiting:
            await asyncio.wait(self._waiting)

    async def _make(self, report: Report) -> None:
        async with self._places:
            try:
                message, text = await self._built(report)
            except Exception:
                # No report can be made of it; without an end it would be delivered once more.
                self._finish(report)
                raise
            written: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
            self._enter(message, text, written.set_result)
            error = await written
        if error is not None:
            self._complain(report, error)
            return
        self._counters.add("reports_total", report.action)
        self._finish(report)

    async def _built(self, report: Report) -> tuple[Message, bytes]:
        """Make the notification, without the original where that cannot be read."""
        body, config = await self._original(report), self._view.config
        try:
            return await asyncio.to_thread(build_report, report, body, config)
        except OSError as error:
            self._complain(report, error)
            return await asyncio.to_thread(build_report, report, None, config)

    async def _original(self, report: Report) -> Body | None:
        try:
            return await self._spool.load_body(report.message)
        except SpoolError as error:
            self._complain(report, error)
            return None

    def _finish(self, report: Report) -> None:
        if report.ends:
            self._spool.record(report.ends)

    def _complain(self, report: Report, error: Exception) -> None:
        self._log.error("report", self._clock.now(), message=report.message.id.hex(), error=str(error))
