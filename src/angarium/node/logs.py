"""Logs of the node's processes."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log


def make_log(
    config: Config, later: Callable[[Callable[[], None]], object] | None = None, **fields: Any
) -> Log:
    """Make the log that the configuration asks for, on standard error; *later* as of Log."""
    fmt = None if config.globals.log_format == "auto" else config.globals.log_format
    return Log(2, fmt=fmt, level=config.globals.log_level, fields=fields, later=later)


def hear_libraries(log: Log, clock: Clock) -> None:
    """Have *log* take what libraries log, from any thread, for as long as the running loop runs.

    Python itself would write it to standard error by a call that waits for a reader that may never come.
    """
    logging.getLogger().addHandler(_Libraries(log, clock))


class _Libraries(logging.Handler):
    def __init__(self, log: Log, clock: Clock) -> None:
        super().__init__()
        self._log = log
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, record)

    def _take(self, record: logging.LogRecord) -> None:
        where = self.format(record).removeprefix(record.getMessage()).strip()
        error, now = f"{record.name}: {record.getMessage()}", self._clock.now()
        if record.levelno >= logging.ERROR:
            self._log.error("bug", now, error=error, traceback=where)
        else:
            self._log.debug("bug", now, error=error, traceback=where)
