"""Mail comes from the settled store into memory when the scheduler can send it."""

import asyncio
import contextlib
from collections.abc import Iterator

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Recipient
from angarium.core.tasks import Tasks
from angarium.engine.live import LiveScheduler
from angarium.engine.suppressing import Suppressing
from angarium.queue.commands import PageIn
from angarium.queue.stored import RECHECK_S
from angarium.spool.port import Selection, Spool, SpoolError


class Pager:
    """Fetches what the scheduler asks for by `PageIn`."""

    def __init__(
        self, spool: Spool, scheduler: LiveScheduler, suppressing: Suppressing, clock: Clock, log: Log
    ) -> None:
        self._spool = spool
        self._scheduler = scheduler
        self._suppressing = suppressing
        self._clock = clock
        self._log = log
        self._tasks = Tasks(log, clock)
        self._under_way = 0
        self._changed = asyncio.Event()
        self._left: Selection | None = None

    def page(self, command: PageIn) -> None:
        """Bring recipients into memory; the scheduler is answered in any case."""
        self._tasks.start(self._page(command))

    async def _page(self, command: PageIn) -> None:
        flow = command.flow
        await self._suppressing.known(flow.tenant)
        if self._left is not None and self._left.covers(flow.binding, flow.domain):
            self._scheduler.paged(flow, [])  # it asks again before long
            return
        self._under_way += 1
        recipients: list[Recipient] = []
        try:
            recipients = await self._spool.page(flow, self._clock.now(), command.limit)
            recipients = await self._suppressing.sifted(recipients)
        except SpoolError as error:
            self._log.error("page", self._clock.now(), error=str(error), again_in_s=RECHECK_S)
        except Exception as error:  # noqa: BLE001 - a queue whose page never came would never ask for another
            self._log.fault(self._clock.now(), error, domain=flow.domain)
            recipients = [each for each in recipients if each.message.fate != "fail"]
        self._under_way -= 1
        self._scheduler.paged(flow, recipients)
        self._changed.set()

    async def arrived(self) -> None:
        """Wait until no recipient is between the settled store and the scheduler, where neither can find it."""
        while self._under_way:
            self._changed.clear()
            await self._changed.wait()

    @contextlib.contextmanager
    def leaving(self, selection: Selection) -> Iterator[None]:
        """Have nothing that may match *selection* come into memory meanwhile: a search of the settled store would
        miss it. For one at a time.
        """
        self._left = selection
        try:
            yield
        finally:
            self._left = None
