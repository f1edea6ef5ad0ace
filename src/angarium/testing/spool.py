"""Driving a spool from a test: its callbacks as awaitables, and messages to put into it."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Literal

from angarium.core.ids import new_id
from angarium.core.records import (
    Content,
    Event,
    Fate,
    ForwardPath,
    KeyedAnswer,
    Lane,
    Message,
    Origin,
    Recipient,
    State,
)
from angarium.spool.port import Body, LargeBody, SharedBody, Spool, SpoolError
from angarium.spool.settings import SpoolSettings

NOW = 1_900_000_000.0
CLIENT = Origin(
    listener="listener", peer="192.0.2.1:1025", helo="client.example", protocol="ESMTP", session="session"
)

SMALL = SpoolSettings(
    segment_bytes=32 << 10,
    journal_segments=8,
    history_segments=1,
    min_free_bytes=0,
    write_delay_s=0.0,
    sync_delay_s=0.001,
    settle_delay_s=0.0,
    store_sync_delay_s=0.0,
    retry_delay_s=0.002,
)
"""Settings with which a test sees in a moment what takes hours: small segments, short waits."""

_seconds = count()


def make_message(
    *domains: str,
    size: int = 0,
    binding: str = "default",
    lane: Lane = 0,
    tenant: str = "tenant",
    origin: Origin = CLIENT,
    received_at: float | None = None,
    fate: Fate = "deliver",
    content: bytes = b"",
) -> Message:
    """Return a message with a recipient in each of *domains*, received a second after the one made before it."""
    at = NOW + next(_seconds) if received_at is None else received_at
    paths = tuple(
        ForwardPath(address=f"r{n}@{domain}", domain=domain)
        for n, domain in enumerate(domains or ("to.example",))
    )
    return Message(
        id=new_id(at),
        received_at=at,
        reverse_path="from@example.org",
        recipients=paths,
        binding=binding,
        lane=lane,
        tenant=tenant,
        trace=b"",
        body_size=size,
        origin=origin,
        fate=fate,
        content=content,
    )


def make_content(body: bytes = b"") -> SharedBody:
    """Return a content to be shared by messages that name its id."""
    at = NOW + next(_seconds)
    return SharedBody(Content(id=new_id(at), made_at=at, size=len(body)), body)


def recipients_of(message: Message) -> list[Recipient]:
    """Return the recipients of a message that has just been accepted."""
    return [
        Recipient(message, index, message.binding, path.domain)
        for index, path in enumerate(message.recipients)
    ]


class SpoolDriver:
    """A spool whose answers can be awaited. An answer is None, or the SpoolError that was given."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._loop = asyncio.get_running_loop()

    def _answer(self) -> "asyncio.Future[SpoolError | None]":
        return self._loop.create_future()

    async def accept(self, message: Message, body: Body = b"", *, settled: bool = False) -> SpoolError | None:
        """Offer a message and wait for the answer."""
        answer = self._answer()
        self.spool.accept(message, body, answer.set_result, settled=settled)
        return await answer

    async def accept_all(
        self,
        *messages: tuple[Message, Body],
        content: SharedBody | None = None,
        keyed: KeyedAnswer | None = None,
        settled: bool = False,
    ) -> SpoolError | None:
        """Offer messages together and wait for the answer."""
        answer = self._answer()
        self.spool.accept_all(
            messages, answer.set_result, contents=[content] if content else [], answer=keyed, settled=settled
        )
        return await answer

    async def take(self, message: Message, body: Body = b"") -> list[Recipient]:
        """Have a message accepted; return its recipients. Raises the SpoolError that it was refused with."""
        error = await self.accept(message, body)
        if error is not None:
            raise error
        return recipients_of(message)

    async def record(self, *events: Event) -> SpoolError | None:
        """Record events and wait until they are durable."""
        answer = self._answer()
        self.spool.record(events, answer.set_result)
        return await answer

    async def tell(self, recipient: Recipient, state: State, **changes: float) -> Event:
        """Record what became of *recipient*, durably, and apply it."""
        kind: Literal["delayed", "held", "delivered"]
        kind = "delayed" if state == "queued" else "held" if state == "held" else "delivered"
        due_at = changes.get("due_at")
        event = recipient.event(kind, NOW, state, due_at=due_at, attempts=recipient.attempts + 1)
        recipient.apply(event)
        error = await self.record(event)
        if error is not None:
            raise error
        return event

    async def settle(self, *recipients: Recipient) -> SpoolError | None:
        """Settle recipients and wait until the store has them."""
        answer = self._answer()
        self.spool.settle(recipients, answer.set_result)
        return await answer

    async def body(self, message: Message) -> bytes:
        """Return a body, wherever it is."""
        body = await self.spool.load_body(message)
        return await asyncio.to_thread(body.path.read_bytes) if isinstance(body, LargeBody) else body

    async def large(self, message: Message | Content, pieces: Sequence[bytes]) -> LargeBody:
        """Write a large body in pieces."""
        writer = self.spool.large_body(message.id)
        for piece in pieces:
            await writer.write(piece)
        return await writer.finish()
