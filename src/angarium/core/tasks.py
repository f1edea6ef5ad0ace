"""Work in the background that is not awaited: kept alive until it is done, and never failing in silence."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from angarium.core.clock import Clock
from angarium.core.log import Log


class Tasks:
    """Starts tasks. One that ends with an exception is a fault of ours: it is logged with its traceback."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run *work* in the background; keep the task only to wait for it or cancel it."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def regularly(
        self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[NoReturn]:
        """Do *work* each *seconds*, until cancelled. A fault of ours in it is logged, and it is tried again."""
        return self.start(self._regularly(seconds, work))

    async def _regularly(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> NoReturn:
        while True:
            await asyncio.sleep(seconds)
            await asyncio.wait((self.start(work()),))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            text = "".join(traceback.format_exception(error))
            self._log.error("bug", self._clock.now(), error=str(error), traceback=text)
