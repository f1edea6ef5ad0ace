"""What the intake asks of others."""

from collections.abc import Sequence
from typing import Any, Protocol

from angarium.core.fields import Personal
from angarium.core.ids import MessageId
from angarium.core.records import FactKind, KeyedAnswer, Message
from angarium.spool.port import Body, LargeBodyWriter, SharedBody, Then
from angarium.submission.keys.claim import Found, KeyClaim


class Entrance(Protocol):
    """The way into spool and scheduler; `engine.enter.Acceptance` is one."""

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make durable and deliver."""
        ...

    def enter_all(
        self,
        messages: Sequence[tuple[Message, Body]],
        then: Then,
        *,
        contents: Sequence[SharedBody] = (),
        answer: KeyedAnswer | None = None,
    ) -> None:
        """Make all of them durable, or none, and deliver. See `Spool.accept_all`."""
        ...


class Orders(Protocol):
    """Where mailings are kept that are made into messages in the background; `engine.orders.desk.OrderDesk` is one."""

    async def place(
        self, message: Message, form: bytes, personal: Sequence[Personal] = (), *, source: str = ""
    ) -> None:
        """Make *message* durable as an order, with its recipients or those of the list *source*. Raises SpoolError."""
        ...


class Facts(Protocol):
    """Where is written down what ends in no message; `engine.facts.FactWriter` is one."""

    def note(self, kind: FactKind, *, account: int = 0, server: int = 0, **fields: Any) -> None:
        """Note what has just happened. Bounded, however often it happens."""
        ...


class NoFacts:
    """Implements `Facts` where none are kept."""

    def note(self, kind: FactKind, *, account: int = 0, server: int = 0, **fields: Any) -> None:
        """See `Facts.note`."""


class Keys(Protocol):
    """Knows which requests were carried out; `submission.keys.keys.RequestKeys` does."""

    async def claim(self, claim: KeyClaim) -> Found:
        """Claim a key: None says that it is the caller's, who then commits an answer or frees it."""
        ...

    async def free(self, key: bytes) -> None:
        """Give back a claim: nothing was taken for it."""
        ...


class Files(Protocol):
    """Where large bodies are kept; every `spool.port.Spool` is one."""

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that is larger than the journal takes."""
        ...
