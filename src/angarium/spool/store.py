"""What a partition asks of the store that keeps what has settled: recipients by flow and due time, and their mail.

All calls block and are made from one thread: the settler's, or the loop's while it does not serve yet. What
changes rows stands between `begin` and `commit`. Any call may raise OSError or one of the store's own `errors`;
then `rollback` must be called.

A row that is in memory is *leased*: paging, selecting, counting and expiry pass it by. Leases do not outlive the
process.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from angarium.core.ids import MessageId
from angarium.core.records import Event, Flow, FlowSummary, Message, Recipient
from angarium.spool.port import FlowLook, Selection

ExpiryPlace = tuple[float, bytes, int]
"""Where a row stands in the order of expiry: when it expires, its message and index."""
BEFORE_ALL: ExpiryPlace = (float("-inf"), b"", -1)
KEPT_EVENTS = 20
"""How many events a settled recipient remembers."""

Changes = list[tuple[Flow, FlowSummary]]


class Settling(NamedTuple):
    """A recipient to be settled. *leased*: a copy, while the scheduler still has it. *events*: encoded, by
    seq.
    """

    recipient: Recipient
    expires: float
    leased: bool = False
    events: tuple[tuple[int, bytes], ...] = ()


class NewMessage(NamedTuple):
    """A message whose recipients settle for the first time. *body* None: it is a separate file."""

    message: Message
    body: bytes | None


class Remains(NamedTuple):
    """What deleted messages have left: *large* are those whose body is a separate file, *contents* what they named,
    and others may name.
    """

    large: list[MessageId]
    contents: set[bytes]


class NewContent(NamedTuple):
    """A content that settles with the first message that names it. *body* None: it is a separate file."""

    id: bytes
    meta: bytes
    body: bytes | None


class SettledStore(Protocol):
    """The settled store of one partition, as its only writer sees it."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its database raises, with words that a person understands."""
        ...

    # -- transactions

    def begin(self, *, durable: bool = True) -> None:
        """Start a transaction. One that is not *durable* is synced with the next that is (leases may be lost)."""
        ...

    def commit(self) -> None:
        """End the transaction. What is *durable* outlives a power cut from now on."""
        ...

    def sync(self) -> None:
        """Make durable what was committed."""
        ...

    def rollback(self) -> None:
        """Undo the open transaction, if there is one, and what was noted in it."""
        ...

    # -- what changes rows

    def keep(self, contents: Iterable[NewContent]) -> None:
        """Insert contents; one that is here stays as it is."""
        ...

    def drop_contents(self, ids: Iterable[bytes]) -> list[bytes]:
        """Delete those of the contents that no message here names. Returns the deleted whose body is a file of its
        own.
        """
        ...

    def settle(self, messages: Iterable[NewMessage], recipients: Sequence[Settling]) -> None:
        """Insert or update rows. A row whose seq is higher than what is given stays."""
        ...

    def apply(self, events: Iterable[tuple[Event, bytes]]) -> None:
        """Apply events, given encoded as well, to rows that are here: each once, in the order of its recipient's
        seq. Messages without rows are deleted.
        """
        ...

    def page(self, flow: Flow, now: float, limit: int) -> list[Recipient]:
        """Lease the queued rows of *flow* due at *now*, earliest first, at most *limit*."""
        ...

    def take_changes(self) -> Changes:
        """Return the summaries of flows that have changed since the last call."""
        ...

    def take_gone(self) -> Remains:
        """Return what of messages was deleted since the last call, in transactions that were committed."""
        ...

    # -- what only reads

    def known(self, ids: Iterable[MessageId]) -> set[MessageId]:
        """Return which of the messages are here."""
        ...

    def known_keys(self, ids: Iterable[MessageId]) -> set[tuple[MessageId, int]]:
        """Return the rows that the messages have here."""
        ...

    def select(
        self, selection: Selection, after: tuple[MessageId, int] | None, limit: int
    ) -> list[Recipient]:
        """Return matching rows that are not leased, in key order behind *after*."""
        ...

    def count(self, selection: Selection) -> int:
        """Return how many rows match, without the leased ones."""
        ...

    def look(self, flows: Iterable[Flow], now: float, most: int) -> dict[Flow, FlowLook]:
        """Look at the flows that are here, at up to *most* rows of each kind in each. Leased rows are passed by."""
        ...

    def last_events(self, keys: Iterable[tuple[MessageId, int]]) -> dict[tuple[MessageId, int], Event]:
        """Return the last event of each row that is here, leased or not, as far as it is kept."""
        ...

    def due_to_expire(
        self, now: float, after: ExpiryPlace, limit: int
    ) -> tuple[list[Recipient], ExpiryPlace | None]:
        """Return rows whose expiry has passed, without the leased ones, longest passed first, behind *after*;
        and the place behind which there may be more, or None.
        """
        ...

    def messages(self, ids: Iterable[MessageId]) -> dict[MessageId, Message]:
        """Return the messages with these ids that are here."""
        ...

    def body(self, message_id: MessageId) -> tuple[bool, bytes | None]:
        """Return whether the message is here, and its body unless that is a separate file."""
        ...

    def known_contents(self, ids: Iterable[bytes]) -> set[bytes]:
        """Return which of the contents are here."""
        ...

    def unnamed_contents(self) -> list[bytes]:
        """Return the contents that no message here names."""
        ...

    def content(self, content_id: bytes) -> tuple[bool, bytes | None]:
        """Return whether the content is here, and its body unless that is a separate file."""
        ...

    def events(self, message_id: MessageId) -> list[Event]:
        """Return what the rows of a message remember, in the order of time."""
        ...

    def summaries(self) -> Changes:
        """Return the summary of every flow that is not empty."""
        ...
