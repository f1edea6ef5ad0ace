"""The spool as its worker sees it: one partition, one writer.

Everything is called on the event loop's thread. What is a plain method returns at once; what it started is
reported through its callback, on the same thread. What is `async` may wait for a disk.

Order is a promise: records reach the journal in the order of the calls, and a crash leaves a prefix of them.
So a bounce message accepted *before* the `bounced` event of its cause can never be missing when that event is
there.
"""

import errno
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from angarium.core.body import Body as Body
from angarium.core.body import LargeBody as LargeBody
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import (
    Content,
    Event,
    Fact,
    Flow,
    FlowSummary,
    KeyedAnswer,
    Message,
    Recipient,
)


class SpoolError(AngariumError):
    """The spool could not keep what it was asked to keep. Nothing of it will be delivered; answer 4xx."""


class NewerFormat(SpoolError):
    """*what* is of a format that this program does not know yet. Nothing of it was touched."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has format {found}, which a newer Angarium has written, and this one reads no newer one than "
            f"{known}: start that version, or restore the data folder from before the upgrade"
        )


class ContentGone(SpoolError):
    """A message names a content that no message in memory names any more, or none did: give it anew."""


class SpoolFull(SpoolError):
    """The disk or the spool's own limit is reached: answer 452. It recovers by itself."""


class SharedBody(NamedTuple):
    """A body that the messages accepted with it share. A large one is that of `large_body(content.id)`."""

    content: Content
    body: Body


Then = Callable[[SpoolError | None], None]
"""Called once: with None when the record is durable, else with what went wrong."""


OnAnswer = Callable[[KeyedAnswer, Callable[[], None]], None]
"""Hears of an answer that is durable, and calls what it is given with it when that is kept elsewhere."""


def spool_error(what: str, exc: Exception) -> SpoolError:
    """Return what a failed call means to whoever waits: SpoolFull when there is no room, else SpoolError."""
    if not isinstance(exc, OSError):
        return SpoolError(f"{what}: {exc!r}")
    reason = f"{what}: {exc.strerror or exc}"
    return SpoolFull(reason) if exc.errno in (errno.ENOSPC, errno.EDQUOT) else SpoolError(reason)


class LargeBodyWriter(Protocol):
    """Takes a body in pieces while it is received. `finish` or `discard` must be called."""

    async def write(self, piece: bytes) -> None:
        """Append. Raises SpoolFull or SpoolError; the caller then discards."""
        ...

    async def finish(self) -> LargeBody:
        """Make the file durable and return it."""
        ...

    async def hold(self) -> None:
        """After `finish`, and before its message is accepted: have the body stay for the reader of the journal until
        that lets go of it (`JournalReader.let_go`), also when the message has ended. Raises SpoolFull or SpoolError.
        """
        ...

    def discard(self) -> None:
        """Remove the file. Safe to call at any time before `finish` returned, and after an error."""
        ...


class Selection(NamedTuple):
    """What an operator's command is about. None leaves a field open; all that are given must match."""

    domain: str | None = None
    binding: str | None = None
    message: MessageId | None = None
    state: Literal["queued", "held"] | None = None

    def covers(self, binding: str, domain: str) -> bool:
        """Whether recipients of a queue may match."""
        return self.binding in (None, binding) and self.domain in (None, domain)


class StoredRow(NamedTuple):
    """A settled recipient as operators are told of it: when it is due, and its last event, None if that is not kept."""

    due_at: float
    event: Event | None


class FlowLook(NamedTuple):
    """A closer look at what the settled store holds of one flow, without what is in memory.

    *due* queued rows could be tried now. *last_due* is when the last of all queued ones is due, None without any.
    *later* are those not yet due, the earliest first, and *held* those set aside: some of them, up to a limit.
    """

    due: int
    last_due: float | None
    later: list[StoredRow]
    held: list[StoredRow]


class RecoveryReport(NamedTuple):
    """What a start found. *torn_bytes* were an unfinished last write; *damaged* records were set aside in a
    file. *unknown* are records of kinds that a newer program has written, which were passed over.
    """

    messages: int
    recipients: int
    settled_recipients: int
    torn_bytes: int
    damaged: int
    seconds: float
    unknown: int = 0


class SpoolStatus(NamedTuple):
    """*accepting* None means yes; else the SpoolError that an acceptance would meet now. *unwell* says why,
    or "". *backlog* counts what waits in memory to be written: records for the journal, rows for the settled
    store. It grows with every outcome while the disk fails. *settled_recipients* are
    those in the settled store that are not in memory, and those on the way there.
    """

    accepting: SpoolError | None
    unwell: str
    journal_bytes: int
    segments: int
    settled_recipients: int
    resident_bodies_bytes: int
    backlog: int = 0


class Spool(Protocol):
    """One partition."""

    def recover(self, most: int | None = None) -> tuple[RecoveryReport, list[Recipient]]:
        """Read what the last run left; called once, first. Blocks (the loop is not serving yet).

        Returns the live recipients that are only in the journal, up to *most*, None for what the settings allow; the
        others have been settled. What the settled store holds is told by `flows`.
        """
        ...

    def accept(self, message: Message, body: Body, then: Then, *, settled: bool = False) -> None:
        """Append *message* and make it durable; *then* is called with None when a 250 may be sent.

        With *settled*, the message goes on to the settled store straight away (memory has no room for it):
        its recipients are told through `on_flow`, never through memory. Otherwise the caller makes its
        Recipients itself when *then* was called with None.
        """
        ...

    def accept_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
        settled: bool = False,
    ) -> None:
        """Append any number of messages, all or none: *then* is called once, with None when all of them are durable.

        The bytes given with a message that names a content are its own data. Its content is one of those given, stored
        once and new, or one that an unfinished message in memory still names. *answer* is written with them.
        All of it has to fit in one segment.
        """
        ...

    def on_answer(self, tell: OnAnswer) -> None:
        """Have *tell* called with each answer that is durable, those that a start has found first. Until it says that
        one is kept elsewhere, the journal keeps it.
        """
        ...

    def note(self, facts: Sequence[Fact], then: Then | None = None) -> None:
        """Append facts; while nothing can be written they are dropped. Without *then* they ride on the next sync; with
        *then* they ask for a sync of their own, and it is called with None when all of them are durable, or with why
        they are not.
        """
        ...

    def record(
        self, events: Sequence[Event], then: Then | None = None, *, facts: Sequence[Fact] = ()
    ) -> None:
        """Append *facts*, and then events; both are kept until they can be written. *facts* need events of one message:
        what ends that is never there without them. Without *then* they ride on the next sync, which comes within a
        second; with *then* they ask for a sync of their own. Terminal events free the message's body once no recipient
        is left.
        """
        ...

    def expect(self, events: Sequence[Event]) -> None:
        """Take *events* as recorded in whatever is returned from now on; the caller will record them.

        For a recipient's last event that has to wait for something: the recipient is not handed out meanwhile.
        """
        ...

    def settle(self, recipients: Sequence[Recipient], then: Then | None = None) -> None:
        """Move recipients out of memory into the settled store, in the state they are in now.

        The caller forgets them; they are told through `on_flow` and come back through `page`.
        Recipients that came from `page` are given back by the same call.
        """
        ...

    async def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """Take up to *limit* queued recipients of *flow* that are due at *now* into memory, earliest due
        first.

        They stay rows of the settled store, but are not counted by `flows` nor paged again until given back
        by `settle` or ended by a terminal event.
        """
        ...

    def body_now(self, message: Message) -> bytes | None:
        """Return the body, its own or its content's, if it is in memory."""
        ...

    async def load_body(self, message: Message) -> Body:
        """Return the body, its own or its content's, from memory, journal, settled store or its own file. Raises
        SpoolError when unreadable.
        """
        ...

    def data_now(self, message: Message) -> bytes | None:
        """Return what a message that names a content has besides it, if that is in memory."""
        ...

    async def load_data(self, message: Message) -> bytes:
        """Return what a message that names a content has besides it. Raises SpoolError when unreadable."""
        ...

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that is larger than the journal takes."""
        ...

    def flows(self) -> Mapping[Flow, FlowSummary]:
        """What the settled store holds, by flow, without what is in memory."""
        ...

    def on_flow(self, tell: Callable[[Flow, FlowSummary], None]) -> None:
        """Have *tell* called whenever a flow's summary has changed (batched)."""
        ...

    async def count(self, selection: Selection) -> int:
        """How many recipients in the settled store match."""
        ...

    async def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """Return matching recipients of the settled store in key order after *after*, none of them in memory.

        They are for building events from and showing; they are not taken into memory as `page` does.
        """
        ...

    async def look(self, flows: Sequence[Flow], now: float, most: int) -> Mapping[Flow, FlowLook]:
        """Look at flows of the settled store, at up to *most* rows of each kind in each."""
        ...

    async def last_events(
        self, keys: Sequence[tuple[MessageId, int]]
    ) -> Mapping[tuple[MessageId, int], Event]:
        """Return the last event of each of these that has settled, in memory or not, as far as it is kept."""
        ...

    def due_to_expire(self, now: float, limit: int) -> AsyncIterator[list[Recipient]]:
        """Yield all settled recipients (queued or held, none in memory) whose expiry, noted when they settled,
        has passed, longest passed first, at most *limit* at a time and never none.
        """
        ...

    async def history(self, message_id: MessageId) -> tuple[Message | None, list[Event]]:
        """Return what is still known of a message, in order, from journal segments and the settled store."""
        ...

    def status(self) -> SpoolStatus:
        """How the spool is, for health, metrics and admission."""
        ...

    async def close(self) -> None:
        """Sync what was recorded, stop the threads and give the partition up."""
        ...


HEAD_BYTES = 16_384
"""As much of a body as a reader of the journal gets: most header blocks are whole in it."""
TO_US_BYTES = 1 << 20
"""The same for mail to this node, which is read."""


class JournalEntry(NamedTuple):
    """One record as a reader gets it. *position* orders records within a partition.

    Of *message*, *event*, *fact* and *content* there is what *kind* says. *head* is the beginning of the body that a
    message or a content has, up to `HEAD_BYTES`, or `TO_US_BYTES`; empty when the body was in a file of its own that is
    gone. *body* is the whole of it, or a file that has it and is not gone: good until the next entry is asked for.
    """

    position: int
    kind: Literal["accept", "event", "fact", "content"]
    message: Message | None
    event: Event | None
    body_offset: int
    fact: Fact | None = None
    content: Content | None = None
    head: bytes = b""
    body: memoryview | Path | None = None


class JournalReader(Protocol):
    """Reads a partition's records in order, without its writer's help: for the recorder, `check` and
    `export`.
    """

    def entries(self, after: int = -1) -> Iterator[JournalEntry]:
        """Yield what is durable after position *after*."""
        ...

    def facts(self, after: int = -1) -> Iterator[tuple[int, Fact]]:
        """Yield the facts among them with their positions: those that were written, and of each message its
        reception, which its record tells.
        """
        ...

    def let_go(self, body: MessageId) -> None:
        """Give up a large body that was held for the reader (`LargeBodyWriter.hold`). Raises OSError."""
        ...

    def sweep(self, before: float) -> None:
        """Give up all bodies that were held before an instant, in epoch seconds. Raises OSError."""
        ...

    def commit(self, name: str, place: int) -> None:
        """Note, durably, that the consumer *name* has taken all up to *place*; -1: nothing yet. Raises OSError."""
        ...
