"""From what a session received to a durable message: trace lines, lane, binding, and the answer that follows."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.clock import Clock
from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.log import Log
from angarium.core.records import ForwardPath, Message, Origin
from angarium.core.reply import Reply
from angarium.mime.header import HeaderBlock
from angarium.mime.trace import date_line, message_id_line, received_line
from angarium.queue.binding import BindingFacts, choose_binding
from angarium.spool.port import Body, LargeBody, LargeBodyWriter, Spool, SpoolError, SpoolStatus, Then
from angarium.submission.policy import (
    HEADER_TOO_LARGE,
    LOOP,
    OUT_OF_MEMORY,
    QUEUE_FULL,
    lane_of,
    storage_reply,
)

Answer = Callable[[Reply], None]


class Envelope(NamedTuple):
    """What MAIL and RCPT said."""

    reverse_path: str
    sender_domain: str
    recipients: list[ForwardPath]
    eight_bit: bool
    smtputf8: bool
    ret: str
    envid: str


class Entrance(Protocol):
    """The way into spool and scheduler; `delivery.dispatcher.Dispatcher` is one."""

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make durable and deliver."""
        ...


class Load(NamedTuple):
    """What bounds admission. Recipients count memory and settled store; memory is the process's, in bytes."""

    recipients: int
    most_recipients: int
    memory_bytes: int
    most_memory_bytes: int


def refusal(status: SpoolStatus, load: Load) -> Reply | None:
    """Return why no mail is taken at the moment, or None. Everything here is temporary."""
    if status.accepting is not None:
        return storage_reply(status.accepting)
    if load.most_recipients and load.recipients >= load.most_recipients:
        return QUEUE_FULL
    if load.most_memory_bytes and load.memory_bytes >= load.most_memory_bytes:
        return OUT_OF_MEMORY
    return None


class Intake:
    """Takes messages of all sessions of a worker. *refuses* is set by its owner from `refusal`, each second."""

    def __init__(
        self, config: Config, entrance: Entrance, spool: Spool, clock: Clock, log: Log, rng: random.Random
    ) -> None:
        self.config = config
        self.refuses: Reply | None = None
        self._pending = 0
        self._none_pending = asyncio.Event()
        self._none_pending.set()
        self._entrance = entrance
        self._spool = spool
        self._clock = clock
        self._log = log
        self._rng = rng

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that does not fit into the journal."""
        return self._spool.large_body(message_id)

    async def settled(self) -> None:
        """Wait until every message that was handed to the spool has been answered."""
        await self._none_pending.wait()

    def _count(self, more: int) -> None:
        self._pending += more
        if self._pending:
            self._none_pending.clear()
        else:
            self._none_pending.set()

    def new_id(self) -> MessageId:
        """Return an id for a message that is being received."""
        return new_id(self._clock.now())

    def submit(
        self,
        message_id: MessageId,
        envelope: Envelope,
        origin: Origin,
        options: InboundOptions,
        body: Body,
        head: bytes,
        answer: Answer,
    ) -> None:
        """Accept the message or refuse it; *answer* is called once, for a 250 only when the message is durable.

        *head* is as much of the body's beginning as surely holds the header block.
        """
        now = self._clock.now()
        header = HeaderBlock.scan(head)
        problem = self._problem(header, options)
        if problem is not None:
            if isinstance(body, LargeBody):
                self._spool.large_body(message_id).discard()
            answer(problem)
            return
        message = self._message(now, message_id, envelope, origin, options, body, header)

        def accepted(error: SpoolError | None) -> None:
            self._count(-1)
            if error is None:
                self._log_reception(message)
                answer(Reply(250, "2.0.0", f"queued as {format_id(message_id)}"))
            else:
                self._log.error("refused", self._clock.now(), message=format_id(message_id), error=str(error))
                answer(storage_reply(error))

        self._count(1)
        self._entrance.enter(message, body, accepted)

    def _problem(self, header: HeaderBlock, options: InboundOptions) -> Reply | None:
        if header.size > options.max_header_size:
            return HEADER_TOO_LARGE
        if options.max_received_headers and header.received_count > options.max_received_headers:
            return LOOP
        return None

    def _message(
        self,
        now: float,
        message_id: MessageId,
        envelope: Envelope,
        origin: Origin,
        options: InboundOptions,
        body: Body,
        header: HeaderBlock,
    ) -> Message:
        peer_ip = origin.peer.rpartition(":")[0].strip("[]")
        return Message(
            message_id,
            now,
            envelope.reverse_path,
            tuple(envelope.recipients),
            choose_binding(
                self.config,
                BindingFacts(origin.listener, peer_ip, envelope.sender_domain, partial(_value, header)),
                self._rng,
            ),
            lane_of(options, header.first(b"priority")) if header.has(b"priority") else options.lane,
            peer_ip or origin.listener,
            self._trace(now, message_id, envelope, origin, options, header),
            len(body) if isinstance(body, bytes) else body.size,
            envelope.eight_bit,
            envelope.smtputf8,
            envelope.ret,
            envelope.envid,
            origin,
        )

    def _trace(
        self,
        now: float,
        message_id: MessageId,
        envelope: Envelope,
        origin: Origin,
        options: InboundOptions,
        header: HeaderBlock,
    ) -> bytes:
        hostname = options.received_hostname
        lines = b""
        if options.rfc2822_trace_headers:
            single = envelope.recipients[0].address if len(envelope.recipients) == 1 else ""
            lines = received_line(origin, hostname, format_id(message_id), single, now, envelope.smtputf8)
        if options.rfc2822_date_header == "ifneeded" and not header.has(b"date"):
            lines += date_line(now)
        if options.rfc2822_messageid_header == "ifneeded" and not header.has(b"message-id"):
            lines += message_id_line(format_id(message_id), hostname)
        return lines

    def _log_reception(self, message: Message) -> None:
        self._log.info(
            "received",
            message.received_at,
            message=format_id(message.id),
            sender=message.reverse_path,
            recipients=len(message.recipients),
            size=message.size,
            binding=message.binding,
            lane="bulk" if message.lane else "transactional",
            peer=message.origin.peer,
            listener=message.origin.listener,
            session=message.origin.session,
        )


def _value(header: HeaderBlock, name: str) -> str | None:
    """Return the value of a header field for the binding rules."""
    field = name.encode("ascii", "replace")
    return header.first(field) if header.has(field) else None


class Spill:
    """A large body on its way to its file, at the pace of the disk.

    *slow* is called with True when the session should stop reading for a while, and with False when it may go on.
    """

    _HIGH = 2_097_152

    def __init__(self, writer: LargeBodyWriter, slow: Callable[[bool], None]) -> None:
        self.head = b""
        self.eight_bit = False
        self._writer = writer
        self._slow = slow
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._error: SpoolError | None = None
        self._wake = asyncio.Event()
        self._ended = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, piece: bytes) -> None:
        """Take a piece; it is written in the background."""
        if not self.head:
            self.head = piece
        self.eight_bit = self.eight_bit or not piece.isascii()
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        self._wake.set()
        if self._waiting_bytes > self._HIGH:
            self._slow(True)

    async def finish(self) -> Body:
        """Write what is left and make it durable. Raises SpoolError; the file is gone then."""
        self._ended = True
        self._wake.set()
        await self._task
        if self._error is None:
            try:
                return await self._writer.finish()
            except SpoolError as error:
                self._error = error
        self._writer.discard()
        raise self._error

    def abandon(self) -> None:
        """The message will not come to its end: forget it and its file."""
        self._task.cancel()
        self._writer.discard()

    async def _run(self) -> None:
        while not (self._ended and not self._waiting):
            if not self._waiting:
                self._wake.clear()
                self._slow(False)
                await self._wake.wait()
                continue
            piece = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            if self._error is None:
                try:
                    await self._writer.write(piece)
                except SpoolError as error:
                    self._error = error
        self._slow(False)
