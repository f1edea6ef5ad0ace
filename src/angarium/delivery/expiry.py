"""Ends settled mail whose time is over: what is held, suspended or waiting for a dead destination ages as well."""

import asyncio
from collections.abc import Iterator

from angarium.core.clock import Clock
from angarium.core.records import Event, Recipient
from angarium.delivery.dispatcher import Dispatcher
from angarium.queue.commands import Record
from angarium.queue.outcomes import expired
from angarium.spool.port import Spool

_EVERY_S = 5.0
_BATCH = 1000


class Expiry:
    """Looks every few seconds for settled recipients whose expiry has passed."""

    def __init__(self, dispatcher: Dispatcher, spool: Spool, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._spool = spool
        self._clock = clock
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    def sweep(self, now: float) -> None:
        """Called each second; starts a round when one is due and none is running."""
        if now >= self._next and (self._task is None or self._task.done()):
            self._next = now + _EVERY_S
            self._task = asyncio.get_running_loop().create_task(self._round())

    async def _round(self) -> None:
        while rows := await self._spool.due_to_expire(self._clock.now(), _BATCH):
            ended = list(self._ended(rows))
            if ended:
                self._dispatcher.record(Record([event for event, _ in ended], [each for _, each in ended]))
            if len(ended) < _BATCH:
                return

    def _ended(self, rows: list[Recipient]) -> Iterator[tuple[Event, Recipient]]:
        """Pair those that are too old by the options in force now with their last event, applied."""
        now = self._clock.now()
        for recipient in rows:
            options = self._dispatcher.config.outbound(recipient.binding, recipient.domain)
            event = expired(recipient, options, now)
            if event is not None:
                recipient.apply(event)
                yield event, recipient
