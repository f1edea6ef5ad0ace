"""Intents: what is written down before an attempt under `Ambiguous_Delivery = hold` begins.

Its recipients are then held also when this process dies between the final dot and its reply. In memory nothing
changes: they are in flight, and the outcome's event replaces the intent.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from angarium.core.clock import Clock
from angarium.core.records import Recipient
from angarium.delivery.attempt import NeedIntent
from angarium.engine.record import EventWriter
from angarium.queue.commands import Result, WriteEvents
from angarium.spool.port import SpoolError

_INTENT = "an attempt begins; held if its outcome does not become known (Ambiguous_Delivery = hold)"


class Intents:
    """Those of one worker, by the connection that the attempt is on. *changed* is called as `is_writing` changes."""

    def __init__(self, writer: EventWriter, clock: Clock, changed: Callable[[], None]) -> None:
        self._writer = writer
        self._clock = clock
        self._changed = changed
        self._intended: dict[int, list[Recipient]] = {}
        self._unwritten = 0

    @property
    def is_writing(self) -> bool:
        """Whether an intent is on its way to the disk."""
        return self._unwritten > 0

    def write(self, need: NeedIntent) -> Coroutine[Any, Any, None]:
        """Write an intent at once; return what waits until it is durable. That may raise SpoolError: then the
        recipients may be held after a crash nevertheless.
        """
        conn, recipients = need.command.conn, need.command.recipients
        now = self._clock.now()
        events = [each.event("intent", now, "held", note=_INTENT) for each in recipients]
        for event, recipient in zip(events, recipients, strict=True):
            recipient.apply(msgspec.structs.replace(event, state="queued"))
        self._intended[conn] = recipients
        self._unwritten += 1
        written: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self._writer.record(WriteEvents(events, recipients), written.set_result)
        return self._until(written)

    async def _until(self, written: asyncio.Future[SpoolError | None]) -> None:
        try:
            error = await written
        finally:
            self._unwritten -= 1
            self._changed()
        if error is not None:
            raise error

    def concluded(self, conn: int, results: list[Result]) -> None:
        """An attempt has ended: who was untried in it is to be queued after a crash as well."""
        if self._intended:
            self._withdraw(conn, [each.recipient for each in results if each.verdict == "untried"])

    def abandon(self, conn: int) -> None:
        """The attempt on *conn* is dropped before its message was whole."""
        self._withdraw(conn, self._intended.get(conn, []))

    def _withdraw(self, conn: int, untried: list[Recipient]) -> None:
        intended = self._intended.pop(conn, None)
        if intended and untried:
            now = self._clock.now()
            self._writer.record(
                WriteEvents.of(
                    untried, lambda each: each.event("released", now, "queued", note="not attempted")
                )
            )
