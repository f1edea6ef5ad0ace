"""Bringing one transaction onto its connection: the body fetched, the intent written where the policy asks for it.

*Intents* belong to `Ambiguous_Delivery = hold`: the recipients of an attempt are written down as held before it
begins, so that they are held also when this process dies between the final dot and its reply. In memory nothing
changes: they are in flight, and the outcome's event replaces the intent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from traceback import format_exc
from typing import Protocol

import msgspec

from angarium.config.records import OutboundOptions
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Attempt, Message, Recipient
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.delivery.connection import Connection
from angarium.delivery.signing import CannotSign, KeySource, Signer, needs_mending
from angarium.delivery.smtputf8 import is_measured, with_header
from angarium.engine.record import EventWriter
from angarium.mime.eightbit import downgrade, shorten_lines
from angarium.queue.commands import Deliver, Record, Result, Verdict
from angarium.spool.port import Body, LargeBody, Spool, SpoolError

_PIECE = 262_144
_INTENT = "an attempt begins; held if its outcome does not become known (Ambiguous_Delivery = hold)"
_GONE = Reply(421, "4.4.2", "[internal] the connection had gone")
_UNREADABLE = Reply(451, "4.3.0", "[internal] the message's text cannot be read at the moment")
_UNWRITTEN = Reply(451, "4.3.0", "[internal] the attempt cannot be written down at the moment")
_UNSIGNED = Reply(451, "4.7.0", "[internal] the message could not be signed; see the log")
_FAULT = Reply(451, "4.3.0", "[internal] the attempt ended by a fault of our own; see the log")
_NOT_SEVEN_BIT = Reply(554, "5.6.3", "[internal] 8-bit message that cannot be converted for this peer")


class Finished(Protocol):
    """Hears how a transaction ended that never reached the peer; `Outbound.finished` is one."""

    def __call__(self, conn: int, results: list[Result], usable: bool) -> None:
        """Take the results; the connection can take another transaction if *usable*."""
        ...


class Handover:
    """All transactions of one worker between the scheduler's command and the peer."""

    def __init__(
        self,
        spool: Spool,
        recorder: EventWriter,
        clock: Clock,
        log: Log,
        finished: Finished,
        changed: Callable[[], None],
        keys: KeySource | None,
    ) -> None:
        """*changed* is called whenever `is_writing` may have become False."""
        self.is_draining = False
        self._spool = spool
        self._recorder = recorder
        self._clock = clock
        self._log = log
        self._finished = finished
        self._changed = changed
        self._signer = Signer(keys, clock)
        self._tasks = Tasks(log, clock)
        self._intents: dict[int, list[Recipient]] = {}
        self._unwritten = 0

    @property
    def is_writing(self) -> bool:
        """Whether an intent is on its way to the disk."""
        return self._unwritten > 0

    def deliver(self, command: Deliver, connection: Connection | None) -> None:
        """Carry *command* out on *connection*, None when that has gone already."""
        body = self._spool.body_now(command.recipients[0].message)
        if connection is None or connection.is_over:
            self._end(command, "untried", _GONE, usable=False)
        elif body is None:
            self._start(command, connection, self._load(command, connection))
        else:
            try:
                self._begin(command, connection, body)
            except Exception:
                self._break_off(command, connection)
                raise

    def _start(self, command: Deliver, connection: Connection, work: Awaitable[None]) -> None:
        self._tasks.start(self._ended_by_faults(command, connection, work))

    async def _ended_by_faults(self, command: Deliver, connection: Connection, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            self._break_off(command, connection)
            raise

    def _break_off(self, command: Deliver, connection: Connection) -> None:
        """End the attempt after what nobody foresaw: else its mail would be in flight for good."""
        verdict: Verdict = "ambiguous" if connection.past_final_dot else "transient"
        connection.quit()
        self._end(command, verdict, _FAULT, usable=False)

    async def _load(self, command: Deliver, connection: Connection) -> None:
        message = command.recipients[0].message
        try:
            body = await self._spool.load_body(message)
            if isinstance(body, LargeBody) and is_measured(message):
                body = await asyncio.to_thread(with_header, body)
        except (SpoolError, OSError) as error:
            self._log.error("body", self._clock.now(), message=message.id.hex(), error=str(error))
            self._end(command, "transient", _UNREADABLE, usable=not connection.is_over)
            return
        if connection.is_over:
            self._end(command, "untried", _GONE, usable=False)
        else:
            self._begin(command, connection, body)

    def _begin(self, command: Deliver, connection: Connection, body: Body) -> None:
        head = self._signer.head_now(command.recipients[0].message, body, connection.command.options)
        if head is None:
            self._start(command, connection, self._sign(command, connection, body))
        else:
            self._hand_over(command, connection, body, head)

    async def _sign(self, command: Deliver, connection: Connection, body: Body) -> None:
        message, options = command.recipients[0].message, connection.command.options
        short = await self._shortened(message, body, options) if needs_mending(message, body) else None
        if short is None:
            signing = self._signer.head_for(message, body, options)
        else:
            body = short
            signing = self._signer.head_of_other(message, short, options)
        head = await self._signed(message, signing)
        if connection.is_over or self.is_draining:
            self._end(command, "untried", _GONE, usable=False)
        elif isinstance(head, Reply):
            self._end(command, "transient", head, usable=True)
        else:
            self._hand_over(command, connection, body, head)

    async def _shortened(self, message: Message, body: Body, options: OutboundOptions) -> bytes | None:
        """Return a body to be signed, without lines that hosts on the way may break; None: it leaves as it is."""
        if not await self._signer.signs(message, options):
            return None
        data = body if isinstance(body, bytes) else await asyncio.to_thread(body.path.read_bytes)
        return await asyncio.to_thread(shorten_lines, data)

    async def _signed(self, message: Message, signing: Awaitable[bytes]) -> bytes | Reply:
        """Return what *signing* makes, or what to tell the recipients instead: nothing leaves unsigned."""
        try:
            return await signing
        except CannotSign as error:
            self._log.error("signing", self._clock.now(), message=message.id.hex(), error=str(error))
            return error.reply
        except Exception as error:  # noqa: BLE001 - a fault of ours never loses or bounces mail
            self._log.fault(self._clock.now(), error, message=message.id.hex())
            return _UNSIGNED

    def _hand_over(self, command: Deliver, connection: Connection, body: Body, head: bytes) -> None:
        if connection.command.options.ambiguous_delivery == "hold":
            self._intend(command, connection, body, head)
        else:
            connection.deliver(command, body, head)

    def _end(self, command: Deliver, verdict: Verdict, reply: Reply, *, usable: bool) -> None:
        attempt = Attempt(started_at=self._clock.now(), stage="idle")
        is_untried = verdict == "untried"
        results = [Result(each, verdict, reply, attempt, is_untried) for each in command.recipients]
        self._finished(command.conn, results, usable)

    # -- intents

    def _intend(self, command: Deliver, connection: Connection, body: Body, head: bytes) -> None:
        now = self._clock.now()
        intents = [each.event("intent", now, "held", note=_INTENT) for each in command.recipients]
        for event, recipient in zip(intents, command.recipients, strict=True):
            recipient.apply(msgspec.structs.replace(event, state="queued"))
        self._intents[connection.id] = command.recipients
        self._unwritten += 1

        def written(error: SpoolError | None) -> None:
            self._unwritten -= 1
            self._changed()
            if connection.is_over or self.is_draining:
                self._end(command, "untried", _GONE, usable=False)
            elif error is None:
                try:
                    connection.deliver(command, body, head)
                except Exception:
                    self._break_off(command, connection)
                    raise
            else:
                self._end(command, "transient", _UNWRITTEN, usable=True)

        self._recorder.record(Record(intents, command.recipients), written)

    def concluded(self, conn: int, results: list[Result]) -> None:
        """An attempt has ended: who was untried in it is to be queued after a crash as well."""
        if self._intents:
            self._withdraw(conn, [each.recipient for each in results if each.verdict == "untried"])

    def abandon(self, conn: int) -> None:
        """The attempt on *conn* is dropped before its message was whole."""
        self._withdraw(conn, self._intents.get(conn, []))

    def _withdraw(self, conn: int, untried: list[Recipient]) -> None:
        intended = self._intents.pop(conn, None)
        if intended and untried:
            now = self._clock.now()
            self._recorder.record(
                Record.of(untried, lambda each: each.event("released", now, "queued", note="not attempted"))
            )

    # -- bodies that need more than one write

    def feed(self, connection: Connection) -> None:
        """Send the large body that the peer of *connection* is ready for."""
        self._tasks.start(self._feed(connection))

    async def _feed(self, connection: Connection) -> None:
        body = connection.body
        assert isinstance(body, LargeBody)
        try:
            with await asyncio.to_thread(open, body.path, "rb") as file:
                more = True
                while more:
                    piece = await asyncio.to_thread(file.read, _PIECE)
                    more = await connection.feed(piece, file.tell() >= body.size or not piece)
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer waits for the rest in vain
            self._log.error("body", self._clock.now(), file=str(body.path), error=repr(error))
            connection.give_up()

    def convert(self, connection: Connection) -> None:
        """Give *connection* a 7-bit form of the body that its peer does not take."""
        self._tasks.start(self._convert(connection))

    async def _convert(self, connection: Connection) -> None:
        message = connection.message
        assert message is not None
        try:
            converted, head = await self._converted(connection, message)
        except Exception as error:  # noqa: BLE001 - the connection waits for this without a time limit
            now, where = self._clock.now(), format_exc()
            self._log.error("body", now, message=message.id.hex(), error=repr(error), traceback=where)
            converted, head = b"", _UNREADABLE
        if connection.message is not message:
            return  # the connection was lost meanwhile, and its owner has heard
        if isinstance(head, Reply):
            connection.refuse_held(head)
        else:
            connection.retry_with(converted, head)

    async def _converted(self, connection: Connection, message: Message) -> tuple[bytes, bytes | Reply]:
        """Return the 7-bit form and what leaves before it, or what to tell the recipients instead."""
        body = connection.body
        data = body if isinstance(body, bytes) else await asyncio.to_thread(body.path.read_bytes)
        converted = await asyncio.to_thread(downgrade, data)
        if converted is None:
            return b"", _NOT_SEVEN_BIT
        signing = self._signer.head_of_other(message, converted, connection.command.options)
        return converted, await self._signed(message, signing)
