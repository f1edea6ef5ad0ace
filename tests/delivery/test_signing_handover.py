"""Between the scheduler's command and the peer: nothing leaves unsigned that has to be signed, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from angarium.config.records import OutboundOptions
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.records import Message, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.delivery.handover import Handover
from angarium.queue.commands import Deliver, Result
from angarium.testing.log import KeptLog
from angarium.testing.programs import PATIENCE_S
from angarium.testing.signing import KeyStore, mail_to_sign, make_key

BODY = b"From: a@example.com\r\n\r\nn\xc3\xa4chster\r\n"
MESSAGE = mail_to_sign(BODY, eight_bit=True)
UNSIGNED = msgspec.structs.replace(MESSAGE, author_domain="other.test")


class Peer:
    """A connection as far as the handover knows it; `heard` is what was to leave."""

    def __init__(self) -> None:
        self.id = 1
        self.is_over = False
        self.command = SimpleNamespace(options=OutboundOptions(ehlo_hostname="mail.test"))
        self.message: Message | None = MESSAGE
        self.body = BODY
        self.heard: asyncio.Queue[tuple[bytes, bytes] | Reply] = asyncio.Queue()

    def deliver(self, command: Deliver, body: bytes, head: bytes) -> None:
        self.heard.put_nowait((head, body))

    def retry_with(self, body: bytes, head: bytes) -> None:
        self.heard.put_nowait((head, body))

    def refuse_held(self, reply: Reply) -> None:
        self.heard.put_nowait(reply)


@dataclass
class Room:
    store: KeyStore
    peer: Peer
    handover: Handover
    ended: "asyncio.Queue[tuple[list[Result], bool]]" = field(default_factory=asyncio.Queue)

    def deliver(self, message: Message = MESSAGE) -> None:
        recipient = Recipient(message, 0, "default", "far.test")
        peer: Any = self.peer
        self.handover.deliver(Deliver(1, QueueKey("default", "far.test"), [recipient]), peer)


def play(act: Callable[[Room], Awaitable[None]]) -> None:
    async def scene() -> None:
        store = KeyStore((make_key(),), is_known=False)
        spool: Any = SimpleNamespace(body_now=lambda message: BODY)
        recorder: Any = None
        ended: asyncio.Queue[tuple[list[Result], bool]] = asyncio.Queue()

        def finished(conn: int, results: list[Result], usable: bool) -> None:
            ended.put_nowait((results, usable))

        log = KeptLog()
        handover = Handover(spool, recorder, SystemClock(), log, finished, lambda: None, store)
        async with asyncio.timeout(PATIENCE_S):
            await act(Room(store, Peer(), handover, ended))

    asyncio.run(scene())


def test_mail_that_is_not_signed_leaves_in_the_same_turn_of_the_loop() -> None:
    async def act(room: Room) -> None:
        room.deliver(UNSIGNED)
        assert room.peer.heard.get_nowait() == (UNSIGNED.trace, BODY)

    play(act)


def test_mail_waits_for_its_signature() -> None:
    async def act(room: Room) -> None:
        room.deliver()
        await asyncio.sleep(0)
        assert room.peer.heard.empty()
        room.store.may_come.set()
        head, body = await room.peer.heard.get()
        assert head.startswith(b"DKIM-Signature: ")
        assert head.endswith(MESSAGE.trace)
        assert body == BODY

    play(act)


@pytest.mark.parametrize("error", [AngariumError("the store is gone"), ZeroDivisionError()])
def test_mail_that_cannot_be_signed_is_put_off_and_the_connection_serves_on(error: Exception) -> None:
    async def act(room: Room) -> None:
        room.store.error = error
        room.store.may_come.set()
        room.deliver()
        [result], usable = await room.ended.get()
        assert (result.verdict, result.reply.code, result.reply.enhanced) == ("transient", 451, "4.7.0")
        assert usable
        assert room.peer.heard.empty()

    play(act)


def test_a_connection_lost_meanwhile_leaves_the_mail_untried() -> None:
    async def act(room: Room) -> None:
        room.deliver()
        await asyncio.sleep(0)
        room.peer.is_over = True
        room.store.may_come.set()
        [result], usable = await room.ended.get()
        assert (result.verdict, usable) == ("untried", False)
        assert room.peer.heard.empty()

    play(act)


def test_a_node_that_drains_begins_nothing_new() -> None:
    async def act(room: Room) -> None:
        room.deliver()
        await asyncio.sleep(0)
        room.handover.is_draining = True
        room.store.may_come.set()
        [result], _ = await room.ended.get()
        assert result.verdict == "untried"
        assert room.peer.heard.empty()

    play(act)


def test_what_is_converted_for_a_peer_is_signed_as_it_leaves() -> None:
    async def act(room: Room) -> None:
        room.store.may_come.set()
        peer: Any = room.peer
        room.handover.convert(peer)
        head, body = await room.peer.heard.get()
        assert body.isascii()
        assert head.startswith(b"DKIM-Signature: ")
        room.deliver()
        assert (await room.peer.heard.get())[0] != head

    play(act)


def test_a_converted_message_that_cannot_be_signed_is_put_off() -> None:
    async def act(room: Room) -> None:
        room.store.error = AngariumError("the store is gone")
        room.store.may_come.set()
        peer: Any = room.peer
        room.handover.convert(peer)
        reply = await room.peer.heard.get()
        assert (reply.code, reply.enhanced) == (451, "4.7.0")

    play(act)
