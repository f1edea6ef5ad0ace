"""From what a session received to a durable message, and the answer that follows."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Message, Origin
from angarium.core.reply import Reply
from angarium.core.tasks import Tasks
from angarium.dialects.values import Problem, Reason
from angarium.identity.principal import Principal
from angarium.identity.usage.buckets import Exceeded
from angarium.mime.header import HeaderBlock, cut, mended
from angarium.spool.port import Body, LargeBody, LargeBodyWriter, SpoolError, SpoolStatus, Then
from angarium.submission.intake.copies import NO_COPIES, Copies, hidden_copy, plan_copies
from angarium.submission.intake.draft import Draft, Verdict, draft_of, judge
from angarium.submission.intake.message import (
    Arrival,
    Envelope,
    added_lines,
    binding_of,
    message_of,
    received,
)
from angarium.submission.intake.spill import Spill
from angarium.submission.intake.together import Entrance, Files, Quota, bodies_for, enter_together
from angarium.submission.policy import (
    FAULT,
    HEADER_TOO_LARGE,
    LOOP,
    OUT_OF_MEMORY,
    QUEUE_FULL,
    UNCOUNTED,
    is_too_large,
    refuses_literal,
    storage_reply,
)

__all__ = ["Answer", "Entrance", "Envelope", "Intake", "Load", "Spill", "refusal"]

Answer = Callable[[Reply], None]

_SHARE_OF_JOURNAL = 4
"""The copies of one message may take up to one part in so many of the journal."""


class Load(NamedTuple):
    """What bounds admission. Recipients count memory and settled store; 0 for no bound.

    *held_bytes* is what the worker has in memory by its own books, *resident_bytes* what the system counts as its.
    """

    recipients: int
    most_recipients: int
    held_bytes: int
    resident_bytes: int
    most_bytes: int

    @property
    def is_short_of_memory(self) -> bool:
        """Whether the bound is reached. Of what the system counts, much may be free for use again and never go back:
        without mail that is held it is no reason to take none.
        """
        if not self.most_bytes or max(self.held_bytes, self.resident_bytes) < self.most_bytes:
            return False
        return self.held_bytes * 2 >= self.most_bytes


def refusal(status: SpoolStatus, load: Load) -> Reply | None:
    """Return why no mail is taken at the moment, or None. Everything here is temporary."""
    if status.accepting is not None:
        return storage_reply(status.accepting)
    if load.most_recipients and load.recipients >= load.most_recipients:
        return QUEUE_FULL
    if load.is_short_of_memory:
        return OUT_OF_MEMORY
    return None


class Pending:
    """One message from the end of its data on: *count* is called with 1, and with -1 when it is answered, once."""

    __slots__ = ("_answer", "_count", "is_open")

    def __init__(self, count: Callable[[int], None], answer: Answer) -> None:
        self.is_open = True
        self._count = count
        self._answer = answer
        count(1)

    def answer(self, reply: Reply) -> None:
        """Give the answer, unless one was given."""
        if self.is_open:
            self.is_open = False
            self._count(-1)
            self._answer(reply)


class Intake:
    """Takes messages of all sessions of a worker. *refuses* is set by its owner from `refusal`, each second.

    *quota*, where there is one, counts recipients that options add; those named by RCPT were counted then.
    """

    def __init__(
        self,
        config: Config,
        entrance: Entrance,
        files: Files,
        clock: Clock,
        log: Log,
        rng: random.Random,
        counters: Counters | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.config = config
        self.refuses: Reply | None = None
        self.quota = quota
        self._pending = 0
        self._none_pending = asyncio.Event()
        self._none_pending.set()
        self._entrance = entrance
        self._files = files
        self._clock = clock
        self._log = log
        self._rng = rng
        self._counters = counters or Counters()
        self._tasks = Tasks(log, clock)

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that does not fit into the journal."""
        return self._files.large_body(message_id)

    def spill(
        self,
        message_id: MessageId,
        slow: Callable[[bool], None],
        options: InboundOptions,
        principal: Principal | None = None,
        is_known: bool = False,
    ) -> Spill:
        """Open a file for a body that does not fit into the journal, as it will be stored.

        The arguments must be those of the `submit` that follows: what is cut out of the header depends on them.
        """
        return Spill(
            self._files.large_body(message_id),
            slow,
            lambda header: draft_of(header, principal, is_trusted=is_known).spans,
            options.max_header_size,
        )

    async def settled(self) -> None:
        """Wait until every message that was handed in has been answered."""
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
        *,
        principal: Principal | None = None,
        is_known: bool = False,
    ) -> None:
        """Accept the message or refuse it; *answer* is called once, for a 250 only when the message is durable.
        Raises nothing: what nobody foresaw is logged, and answered with 451.

        *head* is as much of the message's beginning as surely holds the header block: of a body in memory the body
        itself, of one in a file what `spill` has kept of it. *principal* is who logged in. *is_known* says that the
        peer needs no login: its option fields count, and its mail is signed.
        """
        pending = Pending(self._count, answer)
        try:
            arrival = Arrival(message_id, self._clock.now(), envelope, origin, options, principal, is_known)
            self._read(arrival, body, head, pending)
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer, and the drain, would wait for ever
            self._fail(message_id, body, error, pending)

    def _fail(self, message_id: MessageId, body: Body, error: Exception, pending: Pending) -> None:
        """Refuse a message for a fault of ours. What was answered before it stays as it was answered."""
        self._log.fault(self._clock.now(), error, message=format_id(message_id))
        if pending.is_open:
            self._discard(message_id, body)
            pending.answer(FAULT)

    def _read(self, arrival: Arrival, body: Body, head: bytes, pending: Pending) -> None:
        header = HeaderBlock.scan(head)
        if header.lacks_blank_line and isinstance(body, bytes):
            body = mended(body)
            header = HeaderBlock.scan(body)
        problem = _beyond_bounds(header, arrival.options)
        if problem is not None:
            self._refuse(arrival, body, Verdict("refuse", *problem), pending)
            return
        draft = draft_of(header, arrival.principal, is_trusted=arrival.is_known)
        if isinstance(body, bytes) and (draft.spans or body is not head):
            body = cut(body, draft.spans)
            envelope = arrival.envelope._replace(eight_bit=not body.isascii())
            arrival = arrival._replace(envelope=envelope)
        self._decide(arrival, draft, header, body, pending)

    def _decide(
        self, arrival: Arrival, draft: Draft, header: HeaderBlock, body: Body, pending: Pending
    ) -> None:
        problems = draft.problems
        binding = binding_of(self.config, arrival, draft, header, self._rng)
        if not isinstance(binding, str):
            problems, binding = (*problems, binding), "default"
        size = len(body) if isinstance(body, bytes) else body.size
        copies = plan_copies(arrival.envelope.recipients, draft.said)
        if copies is not NO_COPIES:
            most_bytes = self.config.globals.spool_max_journal_size // _SHARE_OF_JOURNAL
            problems += (
                *_to_literals(arrival, copies),
                *_too_many(arrival, copies),
                *_too_large(size, copies, most_bytes),
            )
        verdict = judge(problems, arrival.principal) if problems else None
        if verdict is not None and verdict.action == "refuse":
            self._refuse(arrival, body, verdict, pending)
            return
        if verdict is not None:
            self._counters.add("problems_total", verdict.reason)
            copies = NO_COPIES
        message = message_of(
            arrival,
            draft,
            header,
            binding=binding,
            body_size=size,
            further=copies.further,
            refusal=verdict.reply if verdict is not None else None,
        )
        if copies is not NO_COPIES:
            added = added_lines(arrival, draft)
            self._tasks.start(self._enter_copies(arrival, message, added, body, copies, pending))
        else:
            reason = verdict.reason if verdict is not None else ""
            self._entrance.enter(message, body, partial(self._entered, [message], reason, pending))

    def _entered(
        self, messages: list[Message], reason: str, pending: Pending, error: SpoolError | None
    ) -> None:
        message_id = format_id(messages[0].id)
        reply = Reply(250, "2.0.0", f"queued as {message_id}") if error is None else storage_reply(error)
        try:
            if error is None:
                for message in messages:
                    self._log_reception(message, reason)
            else:
                self._log.error(
                    "refused", self._clock.now(), message=message_id, reason="storage", error=str(error)
                )
        finally:
            pending.answer(reply)

    async def _enter_copies(
        self, arrival: Arrival, message: Message, added: bytes, body: Body, copies: Copies, pending: Pending
    ) -> None:
        try:
            exceeded = await self._charge(arrival, copies)
            if exceeded is not None:
                self._refuse(arrival, body, Verdict("refuse", "quota", exceeded), pending)
                return
        except Exception as error:  # noqa: BLE001 - the sender waits for an answer
            self._fail(arrival.id, body, error, pending)
            return
        messages = [message]
        done = partial(self._copied, arrival, messages, copies, pending)
        try:
            for copy in copies.hidden:
                copy_id = self.new_id()
                trace = received(arrival, copy_id, copy.address) + added
                messages.append(hidden_copy(message, copy, copy_id, trace))
            bodies = await bodies_for(self._files, body, [message.id for message in messages[1:]])
        except Exception as error:  # noqa: BLE001 - nothing was entered yet
            self._discard(arrival.id, body)
            done(self._as_storage(arrival.id, error))
            return
        await enter_together(self._enter_one, messages, [body, *bodies], done)

    def _enter_one(self, message: Message, body: Body, then: Then) -> None:
        """Enter a message of several: what becomes of it is told by *then*, whatever happens."""
        try:
            self._entrance.enter(message, body, then)
        except Exception as error:  # noqa: BLE001 - those before it have entered, and are told with it
            self._discard(message.id, body)
            then(self._as_storage(message.id, error))

    def _as_storage(self, message_id: MessageId, error: Exception) -> SpoolError:
        if isinstance(error, SpoolError):
            return error
        self._log.fault(self._clock.now(), error, message=format_id(message_id))
        return SpoolError("a fault of ours; see the log")

    def _copied(
        self,
        arrival: Arrival,
        messages: list[Message],
        copies: Copies,
        pending: Pending,
        error: SpoolError | None,
    ) -> None:
        try:
            if error is not None and self.quota is not None and arrival.principal is not None:
                self.quota.give_back(arrival.principal, copies.number, arrival.at)
        finally:
            self._entered(messages, "", pending, error)

    async def _charge(self, arrival: Arrival, copies: Copies) -> Reply | None:
        """Count the recipients that options added. Returns the refusal of whoever has no room for them."""
        if self.quota is None or arrival.principal is None:
            return None
        try:
            taken = await self.quota.take(arrival.principal, copies.number, arrival.at)
        except AngariumError as error:
            self._log.error("quota", self._clock.now(), message=format_id(arrival.id), error=str(error))
            return UNCOUNTED
        return taken.reply if isinstance(taken, Exceeded) else None

    def _refuse(self, arrival: Arrival, body: Body, verdict: Verdict, pending: Pending) -> None:
        self._discard(arrival.id, body)
        self._counters.add("problems_total", verdict.reason)
        self._log.info(
            "refused",
            arrival.at,
            message=format_id(arrival.id),
            reason=verdict.reason,
            reply=str(verdict.reply),
            sender=arrival.envelope.reverse_path,
            recipients=len(arrival.envelope.recipients),
            peer=arrival.origin.peer,
            listener=arrival.origin.listener,
            session=arrival.origin.session,
            **_whose(arrival.principal),
        )
        pending.answer(verdict.reply)

    def _discard(self, message_id: MessageId, body: Body) -> None:
        if isinstance(body, LargeBody):
            self._files.large_body(message_id).discard()

    def _log_reception(self, message: Message, reason: str) -> None:
        fields: dict[str, Any] = {}
        if message.account:
            fields = {"account": message.account, "server": message.server, "stream": message.options.stream}
        if message.refusal is not None:
            fields |= {"reason": reason, "refusal": str(message.refusal)}
        if message.submission:
            fields["submission"] = format_id(message.submission)
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
            **fields,
        )


def _beyond_bounds(header: HeaderBlock, options: InboundOptions) -> tuple[Reason, Reply] | None:
    if is_too_large(header, options.max_header_size):
        return "header_size", HEADER_TOO_LARGE
    if options.max_received_headers and header.received_count > options.max_received_headers:
        return "loop", LOOP
    return None


def _too_many(arrival: Arrival, copies: Copies) -> tuple[Problem, ...]:
    """Hold a login's limit of recipients against those of the envelope and those that options add."""
    most = arrival.principal.max_recipients if arrival.principal is not None else None
    number = len(arrival.envelope.recipients) + copies.number
    if most is None or number <= most:
        return ()
    sentence = f"a message of this account may have {most} recipients, not {number}; split it"
    return (Problem("sparkpost", "too_many_recipients", Reply(550, "5.5.3", sentence)),)


def _to_literals(arrival: Arrival, copies: Copies) -> tuple[Problem, ...]:
    """Hold what forbids address literals to RCPT against the recipients that options add."""
    has_login = arrival.principal is not None
    domains = [*(path.domain for path in copies.further), *(copy.domain for copy in copies.hidden)]
    refusals = (refuses_literal(arrival.options, domain, has_login) for domain in domains)
    return tuple(Problem("sparkpost", "option_syntax", reply) for reply in refusals if reply is not None)[:1]


def _too_large(size: int, copies: Copies, most_bytes: int) -> tuple[Problem, ...]:
    """Refuse at once what the spool would refuse half-way, after some copies were taken."""
    if size * len(copies.hidden) <= most_bytes:
        return ()
    sentence = (
        f"{len(copies.hidden)} copies of {size} bytes in X-MSYS-API 'bcc' are more than the {most_bytes} bytes that "
        "one message may take; use 'archive', or send it in parts"
    )
    return (Problem("sparkpost", "option_limit", Reply(552, "5.3.4", sentence)),)


def _whose(principal: Principal | None) -> dict[str, Any]:
    return {} if principal is None else {"account": principal.account.id, "login": principal.name}
