"""The recorder as the supervisor's: started, kept running, ended last of all."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from angarium.config.model import Config
from angarium.core.clock import Clock
from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.operations import Changed, MessageHistory
from angarium.node.kept_process import SILENT_S, KeptProcess
from angarium.node.link import refuse_calls
from angarium.node.recorder.status import RecorderStatus

_LAST_S = 10.0
"""So long it may read on after the workers have ended; what it has not read then, it reads at the next start."""


class RecorderKeeper:
    """Keeps one recorder process running on the journals in *spool*. It never holds up the mail.

    *config_of* returns the configuration in force; *end_mail* has the workers end mail that it has read, *message*
    asks them what they know of one, by its id, *cancel* has them end what waits of one, with a note. One that says
    nothing for *silent_s* is killed, and what has happened is recorded by a new one.
    """

    def __init__(
        self,
        config_of: Callable[[], Config],
        data: Path,
        spool: Path,
        clock: Clock,
        log: Log,
        counters: Counters,
        end_mail: Callable[[list[Any]], Awaitable[list[MessageId]]],
        message: Callable[[str], Awaitable[MessageHistory]],
        cancel: Callable[[str, str], Awaitable[Changed]],
        silent_s: float = SILENT_S,
    ) -> None:
        self._end_mail = end_mail
        self._message = message
        self._cancel = cancel
        self._clock = clock
        self._log = log
        self._counters = counters
        self._process = KeptProcess(
            "angarium.node.recorder.process",
            "recorder",
            {"data": data, "spool": spool},
            config_of,
            clock,
            log,
            self,
            silent_s,
        )
        self._lag_s = 0.0
        self._told = RecorderStatus()

    @property
    def status(self) -> RecorderStatus | None:
        """What it has told of itself last, None while it is not running."""
        return self._told if self._process.has_told else None

    @property
    def problem(self) -> str:
        """Why it does not read; empty: it does, or has just been started."""
        return self._process.problem

    @property
    def pid(self) -> int:
        """Its process id, 0 while it is not running."""
        return self._process.pid

    @property
    def told(self) -> RecorderStatus:
        """What it has told of itself last."""
        return self.status or RecorderStatus()

    def start(self) -> None:
        """Start it, in the background."""
        self._process.start()

    def count_lag(self) -> None:
        """Bring `recorder_lag_seconds` up to date: that of one that is silent, or is not there, grows."""
        self._counters.set("recorder_lag_seconds", self._lag_s + self._process.silent_s)

    def configure(self) -> None:
        """Have it obey the configuration that is in force now."""
        self._process.configure()

    async def stop(self) -> None:
        """Have it read all that there is, and end it."""
        await self._process.stop(_LAST_S)

    async def answer(self, op: str, args: dict[str, Any]) -> Any:
        """See KeptOf."""
        if op == "end_mail":
            return await self._end_mail(args["read"])
        if op == "message":
            return await self._message(args["id"])
        if op == "cancel":
            return await self._cancel(args["id"], args["note"])
        return await refuse_calls(op, args)

    def complain(self, error: str) -> None:
        """See KeptOf."""
        self._log.error("recorder", self._clock.now(), error=error)

    def killed(self) -> None:
        """See KeptOf."""
        self._log.warning("recorder", self._clock.now(), ended="killed: there is still something to read")

    def died(self, ended: str, lived_s: float, again_in_s: float) -> None:
        """See KeptOf."""
        self._log.error("recorder", self._clock.now(), ended=ended, lived_s=lived_s, again_in_s=again_in_s)
        self._counters.add("recorder_restarts_total")
        self._told = RecorderStatus()  # the next one counts from 0

    def hear(self, args: dict[str, Any]) -> None:
        """See KeptOf."""
        now, before = msgspec.convert(args, RecorderStatus), self._told
        self._told, self._lag_s = now, now.lag_s
        self._counters.set("suppressions_held", now.held)
        for name, count in now.types.items():
            self._counters.add("recorder_taken_total", name, amount=count - before.types.get(name, 0))
        for name, count in now.bounces.items():
            self._counters.add("bounces_total", name, amount=count - before.bounces.get(name, 0))
        self._counters.set("event_store_bytes", now.event_bytes)
        self._counters.add("events_too_late_total", amount=now.events_too_late - before.events_too_late)
        self._counters.set("kept_texts_bytes", now.text_bytes)
        self._counters.add("kept_texts_left_out_total", amount=now.texts_left_out - before.texts_left_out)
