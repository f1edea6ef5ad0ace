"""The process that tells webhooks, as the supervisor's: started when there is a webhook, kept running, ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.node.kept_process import KeptProcess
from angarium.node.link import refuse_calls
from angarium.node.webhooks.status import WebhooksStatus

_LAST_S = 15.0
"""So long answers are waited for at the end; what has none then is told once more after the next start."""


class WebhooksKeeper:
    """Keeps one such process running, once it was asked for."""

    def __init__(
        self, config_of: Callable[[], Config], data: Path, clock: Clock, log: Log, counters: Counters
    ) -> None:
        self._clock = clock
        self._log = log
        self._counters = counters
        self._told = WebhooksStatus()
        self._process = KeptProcess(
            "angarium.node.webhooks.process",
            "webhooks",
            {"data": data},
            config_of,
            clock,
            log,
            self,
        )

    @property
    def problem(self) -> str:
        """Why nobody is told; empty: they are, or there is nobody."""
        return self._process.problem

    @property
    def pid(self) -> int:
        """Its process id, 0 while it is not running."""
        return self._process.pid

    def want(self) -> None:
        """Say that there is a webhook: from now on it is kept running."""
        if not self._process.is_started:
            self._process.start()

    def configure(self) -> None:
        """Have it obey the configuration that is in force now."""
        self._process.configure()

    async def stop(self) -> None:
        """Have it wait for the answers that are due, and end it."""
        await self._process.stop(_LAST_S)

    async def answer(self, op: str, args: dict[str, Any]) -> Any:
        """See KeptOf."""
        return await refuse_calls(op, args)

    def complain(self, error: str) -> None:
        """See KeptOf."""
        self._log.error("webhooks", self._clock.now(), error=error)

    def killed(self) -> None:
        """See KeptOf."""
        self._log.warning("webhooks", self._clock.now(), ended="killed: an answer is still awaited")

    def died(self, ended: str, lived_s: float, again_in_s: float) -> None:
        """See KeptOf."""
        self._log.error("webhooks", self._clock.now(), ended=ended, lived_s=lived_s, again_in_s=again_in_s)
        self._counters.add("webhooks_restarts_total")
        self._told = WebhooksStatus()  # the next one counts from 0

    def hear(self, args: dict[str, Any]) -> None:
        """See KeptOf."""
        now, before = msgspec.convert(args, WebhooksStatus), self._told
        self._told = now
        self._counters.set("webhook_lag_seconds", now.lag_s)
        self._counters.set("webhooks_failing", now.failing)
        self._counters.add("webhook_requests_total", "taken", amount=now.taken - before.taken)
        self._counters.add("webhook_requests_total", "failed", amount=now.failed - before.failed)
        self._counters.add("webhook_events_total", amount=now.events - before.events)
        self._counters.add("webhook_dead_letters_total", amount=now.dead - before.dead)
