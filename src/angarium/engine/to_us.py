"""Mail to this node that was read: what it says is written into its own journal, and then its end."""

import asyncio
from collections.abc import Sequence

import msgspec

from angarium.core.clock import Clock
from angarium.core.ids import MessageId
from angarium.core.metrics import Counters
from angarium.core.records import TERMINAL, Event, Fact, Recipient
from angarium.engine.record import EventWriter
from angarium.queue.commands import WriteEvents
from angarium.spool.port import Selection, Spool, SpoolError

MOST_RECIPIENTS = 10_000


class ReadMail(msgspec.Struct, frozen=True):
    """A mail to this node, and what it says."""

    message: MessageId
    facts: list[Fact]


class MailToUs:
    """Ends mail that was read. Told twice, it happens once."""

    def __init__(self, spool: Spool, writer: EventWriter, clock: Clock, counters: Counters) -> None:
        self._spool = spool
        self._writer = writer
        self._clock = clock
        self._counters = counters

    async def end(self, read: Sequence[ReadMail]) -> list[MessageId]:
        """Write down what each mail says and that it was read; return those that have ended, now or before. Others are
        not of this worker, or are not in the settled store yet. Raises SpoolError.
        """
        have_ended = await asyncio.gather(*(self._end(each) for each in read))  # they share the syncs
        return [each.message for each, has_ended in zip(read, have_ended, strict=True) if has_ended]

    async def _end(self, read: ReadMail) -> bool:
        found = await self._spool.select(Selection(message=read.message), None, MOST_RECIPIENTS)
        waiting = [each for each in found if each.message.fate == "feedback"]
        if not waiting:
            return await self._has_ended(read.message)
        note = ", ".join(dict.fromkeys(fact.kind for fact in read.facts))
        command = WriteEvents.of(waiting, lambda each: self._event(each, note))
        written: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self._writer.record(command, written.set_result, facts=read.facts)
        error = await written
        if error is not None:
            raise error
        for fact in read.facts:
            self._counters.add("feedback_read_total", fact.kind)
        return True

    def _event(self, recipient: Recipient, note: str) -> Event:
        return recipient.event("read", self._clock.now(), "delivered", note=note)

    async def _has_ended(self, message_id: MessageId) -> bool:
        message, events = await self._spool.history(message_id)
        if message is None or message.fate != "feedback":
            return False
        ended = {event.index for event in events if event.state in TERMINAL}
        return len(ended) == len(message.recipients)
