"""Ends settled mail whose time is over: what is held, suspended or waiting for a dead destination ages as well."""

import asyncio

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Recipient
from angarium.core.tasks import Tasks
from angarium.engine.record import Recorder
from angarium.engine.view import ConfigView
from angarium.queue.commands import WriteEvents
from angarium.queue.outcomes import expired
from angarium.spool.port import Spool, SpoolError

_EVERY_S = 5.0
_BATCH = 1000


class Expiry:
    """Looks every few seconds for settled recipients whose expiry has passed."""

    def __init__(self, view: ConfigView, spool: Spool, recorder: Recorder, clock: Clock, log: Log) -> None:
        self._view = view
        self._recorder = recorder
        self._spool = spool
        self._clock = clock
        self._next = 0.0
        self._log = log
        self._tasks = Tasks(log, clock)
        self._round: asyncio.Task[None] | None = None

    def sweep(self, now: float) -> None:
        """Called each second; starts a round when one is due and none is running."""
        if now >= self._next and (self._round is None or self._round.done()):
            self._next = now + _EVERY_S
            self._round = self._tasks.start(self._go_round())

    async def _go_round(self) -> None:
        try:
            await self._end_all()
        except SpoolError as error:
            self._log.error("expiry", self._clock.now(), error=str(error), again_in_s=_EVERY_S)

    async def _end_all(self) -> None:
        async for rows in self._spool.due_to_expire(self._clock.now(), _BATCH):
            ended = self._ended(rows)
            if ended.events:
                self._recorder.record(ended)
                await self._recorder.written()

    def _ended(self, rows: list[Recipient]) -> WriteEvents:
        """Let those expire that are too old by the options in force now; the others stay as they are."""
        now, ended = self._clock.now(), WriteEvents([], [])
        for recipient in rows:
            options = self._view.config.outbound(recipient.binding, recipient.domain)
            event = expired(recipient, options, now)
            if event is not None:
                ended.add(recipient, event)
        return ended
