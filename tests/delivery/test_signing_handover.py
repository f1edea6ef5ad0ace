"""Between the scheduler's command and the peer: nothing leaves unsigned that has to be signed, and nothing is lost."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dkim
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from angarium.config.records import OutboundOptions
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.options import Options
from angarium.core.records import ForwardPath, Message, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.delivery.handover import Handover
from angarium.mime.lines import has_long_line
from angarium.queue.commands import Deliver, Result
from angarium.render.failure import GenerationFailure
from angarium.render.pipeline import RENDERING, Rendering
from angarium.spool.port import Body, LargeBody
from angarium.testing.log import kept_log
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

    def deliver(self, command: Deliver, body: bytes, head: bytes, return_path: str) -> None:
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

    def deliver(self, message: Message = MESSAGE, index: int = 0) -> None:
        recipient = Recipient(message, index, "default", "far.test")
        peer: Any = self.peer
        self.handover.deliver(Deliver(1, QueueKey("default", "far.test"), [recipient]), peer)


def play(
    act: Callable[[Room], Awaitable[None]], body: Body | None = BODY, rendering: Rendering = RENDERING
) -> None:
    async def load_body(message: Message) -> Body | None:
        return body

    async def scene() -> None:
        store = KeyStore((make_key(),), is_known=False)
        in_memory = body if isinstance(body, bytes) else None
        spool: Any = SimpleNamespace(body_now=lambda message: in_memory, load_body=load_body)
        recorder: Any = None
        ended: asyncio.Queue[tuple[list[Result], bool]] = asyncio.Queue()

        def finished(conn: int, results: list[Result], usable: bool) -> None:
            ended.put_nowait((results, usable))

        log = kept_log()
        handover = Handover(spool, recorder, SystemClock(), log, finished, lambda: None, store, rendering)
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


LONG = (
    b"From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + b"<p>x" * 1000 + b"\r\n"
)
SEALED = LONG.replace(b"text/html\r\n", b"multipart/signed; boundary=b\r\n\r\n--b\r\n")


@pytest.mark.parametrize("is_large", [False, True])
def test_lines_that_hosts_may_break_are_encoded_anew_before_the_signature(
    tmp_path: Path, is_large: bool
) -> None:
    path = tmp_path / "body"
    path.write_bytes(LONG)

    async def act(room: Room) -> None:
        room.store.may_come.set()
        room.deliver(mail_to_sign(LONG, mends_lines=True))
        heard = await room.peer.heard.get()
        assert isinstance(heard, tuple)
        head, body = heard
        assert head.startswith(b"DKIM-Signature: ")
        assert b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in body
        assert not has_long_line(body)
        assert message_from_bytes(body).get_payload(decode=True) == b"<p>x" * 1000 + b"\r\n"
        (key,) = room.store.keys
        public = key.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        record = b"k=ed25519; p=" + b64encode(public)
        assert dkim.DKIM(head + body).verify(dnsfunc=lambda name, timeout=5: record)

    play(act, LargeBody(path, len(LONG)) if is_large else LONG)


@pytest.mark.parametrize(
    ("body", "changes", "is_signed"),
    [
        (LONG, {"mends_lines": True, "author_domain": "other.test"}, False),
        (LONG, {"mends_lines": True, "options": Options(sign=False)}, False),
        (LONG, {}, True),
        (SEALED, {"mends_lines": True}, True),
    ],
)
def test_other_mail_keeps_its_lines(body: bytes, changes: dict[str, Any], is_signed: bool) -> None:
    async def act(room: Room) -> None:
        room.store.may_come.set()
        room.deliver(mail_to_sign(body, **changes))
        heard = await room.peer.heard.get()
        assert isinstance(heard, tuple)
        assert heard[1] == body
        assert heard[0].startswith(b"DKIM-Signature: ") == is_signed

    play(act, body)


def test_lines_wait_for_the_keys_too() -> None:
    async def act(room: Room) -> None:
        room.store.error = AngariumError("the store is gone")
        room.store.may_come.set()
        room.deliver(mail_to_sign(LONG, mends_lines=True))
        [result], usable = await room.ended.get()
        assert (result.verdict, result.reply.code, result.reply.enhanced) == ("transient", 451, "4.7.0")
        assert usable

    play(act, LONG)


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


def test_a_connection_lost_while_its_message_is_converted_is_left_alone() -> None:
    async def act(room: Room) -> None:
        peer: Any = room.peer
        room.handover.convert(peer)
        room.peer.message = None
        room.store.may_come.set()
        await asyncio.wait([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])
        assert room.peer.heard.empty()

    play(act)


def test_a_text_that_cannot_be_made_is_the_end_of_its_recipient_and_of_no_other() -> None:
    def for_each(recipient: Recipient, body: bytes, own: bytes = b"") -> bytes:
        if recipient.index == 0:
            raise GenerationFailure("there is no name")
        return body + recipient.path.address.encode()

    two = tuple(ForwardPath(address=f"{name}@far.test", domain="far.test") for name in "ab")
    message = msgspec.structs.replace(UNSIGNED, recipients=two)

    async def act(room: Room) -> None:
        room.deliver(message, 0)
        [result], usable = await room.ended.get()
        assert (result.recipient.index, result.verdict, usable) == (0, "generation_failure", True)
        assert str(result.reply) == "554 5.6.0 [internal] generation failure: there is no name"
        room.deliver(message, 1)
        assert await room.peer.heard.get() == (message.trace, BODY + b"b@far.test")

    play(act, rendering=Rendering(lambda message: True, for_each))
