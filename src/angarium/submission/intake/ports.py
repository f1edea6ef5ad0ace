"""What the intake asks of others."""

from collections.abc import Sequence
from typing import Protocol

from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.spool.port import Body, LargeBodyWriter, SharedBody, Then


class Entrance(Protocol):
    """The way into spool and scheduler; `engine.enter.Acceptance` is one."""

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make durable and deliver."""
        ...

    def enter_all(
        self, messages: Sequence[tuple[Message, Body]], then: Then, *, content: SharedBody | None = None
    ) -> None:
        """Make all of them durable, or none, and deliver. See `Spool.accept_all`."""
        ...


class Files(Protocol):
    """Where large bodies are kept; every `spool.port.Spool` is one."""

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that is larger than the journal takes."""
        ...
