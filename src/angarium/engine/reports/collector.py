"""Failures of one message are told together: a mail to a thousand who do not exist is not answered by a thousand."""

import asyncio
from collections.abc import Callable
from typing import Final

from angarium.core.ids import MessageId
from angarium.engine.reports.report import Report

WAITS_S: Final = (2.0, 60.0, 600.0, 3600.0)
"""How long the first report of a message is kept open for what else fails, the second, and so on; then the last."""

_MOST_OPEN = 5_000
_MOST_KNOWN = 20_000


class Collector:
    """Keeps reports open for a while, each for what comes to be told of the same message and action.

    *close* takes each report when its time is up, or when all recipients of its message are in it.
    """

    def __init__(self, close: Callable[[Report], object], waits_s: tuple[float, ...] = WAITS_S) -> None:
        self._close = close
        self._waits_s = waits_s
        self._open: dict[tuple[MessageId, str], tuple[Report, asyncio.TimerHandle]] = {}
        self._told: dict[MessageId, int] = {}

    def __len__(self) -> int:
        """How many reports are open."""
        return len(self._open)

    def add(self, report: Report) -> None:
        """Close *report* in a while, with what was and will be added of the same message and action."""
        key = report.message.id, report.action
        found = self._open.get(key)
        if found is not None:
            report = found[0].joined_by(report)
        if len(report.items) == len(report.message.recipients):
            self._end(key, report)
        elif found is None:
            wait_s = self._waits_s[min(self._told.get(report.message.id, 0), len(self._waits_s) - 1)]
            timer = asyncio.get_running_loop().call_later(wait_s, self._end, key, report)
            self._open[key] = report, timer
            if len(self._open) > _MOST_OPEN:
                self._end(*next((key, report) for key, (report, _) in self._open.items()))

    def close_all(self) -> None:
        """Close what is open now: it is waited for, or the process ends."""
        for key, (report, _) in list(self._open.items()):
            self._end(key, report)

    def _end(self, key: tuple[MessageId, str], report: Report) -> None:
        found = self._open.pop(key, None)
        if found is not None:
            found[1].cancel()
        if len(report.items) < len(report.message.recipients):
            self._told[key[0]] = self._told.pop(key[0], 0) + 1
            if len(self._told) > _MOST_KNOWN:
                del self._told[next(iter(self._told))]
        self._close(report)
