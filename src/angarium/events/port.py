"""What the recorder and whoever asks see of an event store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.records import Event, Fact, Message
from angarium.events.summary import MailSummary
from angarium.query.nodes import Node


class EventStoreError(AngariumError):
    """The event store cannot be read or written."""


class NoSuchPlace(EventStoreError):
    """A listing cannot go on at a place that none has ended at."""


PLACE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9]{1,18}"
"""What the places look like that pages of mail end at."""


class ReceivedMail(NamedTuple):
    """A message that was accepted, and what its header says."""

    message: Message
    summary: MailSummary


Told = ReceivedMail | Event | Fact
"""What the journals say, in the order of each journal. Said twice, it counts once."""

Judge = Callable[[Event], str]
"""Says in a word why an attempt that had an answer has failed."""


class FoundMail(msgspec.Struct, frozen=True):
    """One recipient of one message, as a search finds it. Times are epoch seconds, *size* bytes.

    *state* is that of the recipient, *changed_at* when it became so, *due_at* when it is tried next (None: never),
    *reply* the last one, in one line, and *reason* what it means in a word (empty: nothing has failed). A message of
    which only events are known has an empty *address* and *sender*; so has one whose day names nobody any more, which
    *note* says.
    """

    message: str
    index: int
    at: float
    address: str
    sender: str
    author: str
    subject: str
    message_id: str
    size: int
    account: int
    server: int
    stream: str
    campaign: str
    tags: list[str]
    metadata: dict[str, Any]
    domain: str
    binding: str
    listener: str
    state: str
    changed_at: float
    due_at: float | None
    attempts: int
    reply: str
    reason: str
    note: str = ""


class Happening(msgspec.Struct, frozen=True):
    """One thing that has happened. *number* grows with each that is stored; *sequence* tells it from all else that has
    happened to its recipient, message or account, and stays when the store is made anew.

    *index* and *address* are the recipient's; None and empty where it is about all of the message, or none. *reason* is
    what the *reply* of a failure means, in a word. *account*, *server* and *stream* are whose mail it is, 0 and empty
    for nobody's, *domain* and *binding* the queue, *provider* whose host was tried (empty: none). *details* are the
    attempt (stage, host, peer, timings …), a note, or what a fact says.
    """

    number: int
    type: str
    at: float
    message: str | None
    index: int | None
    address: str
    reply: str
    reason: str
    details: dict[str, Any]
    account: int = 0
    server: int = 0
    stream: str = ""
    domain: str = ""
    binding: str = ""
    provider: str = ""
    sequence: int = 0


class FoundMailPage(msgspec.Struct, frozen=True):
    """Newest first. *next* asks for what follows, None at the end."""

    found: list[FoundMail]
    next: str | None


class Timeline(msgspec.Struct, frozen=True):
    """All that is known of one message: its recipients, and everything that happened, in order."""

    recipients: list[FoundMail]
    happenings: list[Happening]


class Extent(NamedTuple):
    """The numbers of what was stored first and last in a day; both 0: nothing was."""

    first: int
    last: int


class Whose(NamedTuple):
    """Whose mail is looked at: that of an account, of some servers; None: of all."""

    account: int | None = None
    servers: Sequence[int] | None = None


class EventStore(Protocol):
    """Keeps what has happened. Blocking; one thread writes, any number may ask."""

    def take(self, told: Sequence[Told]) -> None:
        """Store what was told. Raises EventStoreError; nothing of it is sure to be stored then: tell it again."""
        ...

    def sync(self) -> None:
        """Have all that was taken survive a power cut. Raises EventStoreError."""
        ...

    def search(self, node: Node, scope: Whose, *, limit: int, after: str | None = None) -> FoundMailPage:
        """Return what *node* asks for. Raises EventStoreError; NoSuchPlace for an *after* that no page has
        given.
        """
        ...

    def count(self, node: Node, scope: Whose, *, most: int) -> int:
        """Return how many there are, counting up to *most*."""
        ...

    def log(
        self, node: Node, scope: Whose, *, after: int, limit: int, types: Sequence[str] = ()
    ) -> list[Happening]:
        """Return what was stored after the happening numbered *after*, of mail that *node* asks for, oldest first. Only
        those of *types* (`catalogue.KINDS`); empty: of all.

        Whoever asks again after the last number that he has got misses nothing and gets nothing twice.
        """
        ...

    def latest(
        self,
        node: Node,
        scope: Whose,
        *,
        limit: int,
        types: Sequence[str] = (),
        before: int | None = None,
    ) -> list[Happening]:
        """Return the last things that have happened to such mail, oldest first; the last that are numbered below
        *before*, None: of all.
        """
        ...

    def last(self) -> int:
        """Return the number of what was stored last, 0 for none: all that has lower ones can be asked from now on."""
        ...

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """Return all that is known of a message, None when there is nothing."""
        ...

    def erase(self, day: str, address: str, account: int | None = None) -> int:
        """Take *address* and all that names it out of a day, and return how many recipients had it; what is counted
        stays. Of the mail of *account*, None: of all. By whoever takes. Killed in the middle, it has not happened; done
        again, it finds nothing. Raises EventStoreError.
        """
        ...

    def alone(self, day: str, address: str, account: int | None = None) -> list[MessageId]:
        """Return the messages of a day that went to *address* and to nobody else who is still known, of the mail of
        *account*, None: of all. By whoever takes. Raises EventStoreError.
        """
        ...

    def forget(self, day: str) -> bool:
        """Take out of a day whom its mail was about: addresses, senders, subjects, Message-IDs, metadata, the texts of
        replies, the details of what happened, and the words of them. What is counted stays, and what is taken later is
        taken without them. Return whether nothing of it is left on the disk; where something is, since somebody reads,
        call it again. By whoever takes. Killed in the middle, it has not happened, or is to be called again. Raises
        EventStoreError.
        """
        ...

    def drop(self, day: str) -> None:
        """Forget all mail of a day, and what ever happened to it; a day that is not there is none. By whoever takes.
        Killed in the middle, it is there or it is not. Raises EventStoreError.
        """
        ...

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each day, by its name (`2026-11-30`), oldest first."""
        ...

    def close(self) -> None:
        """Close what the writing thread and the calling one have open."""
        ...
