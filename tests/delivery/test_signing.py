"""What leaves is signed: once for all recipients, off the event loop, and never not at all where it has to be."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import CoroutineType
from typing import Any

import dkim
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from angarium.config.records import OutboundOptions
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.options import Options
from angarium.core.records import ForwardPath, Message, QueueKey, Recipient
from angarium.delivery.attempt import (
    Course,
    Need,
    NeedBody,
    NeedKeys,
    NeedRender,
    NeedSignature,
    Payload,
    attempt,
    conversion,
)
from angarium.delivery.signing import CannotSign, Signer
from angarium.queue.commands import Deliver
from angarium.render.dkim import Keys, SigningKey
from angarium.spool.port import Body, LargeBody
from angarium.testing.clock import ManualClock
from angarium.testing.programs import PATIENCE_S
from angarium.testing.signing import KeyStore, mail_to_sign, make_key

OPTIONS = OutboundOptions(ehlo_hostname="mail.test")
BODY = b"From: a@example.com\r\nSubject: hello\r\n\r\ntext \r\n"
ONE = mail_to_sign(BODY)
TWO = msgspec.structs.replace(
    ONE, recipients=(*ONE.recipients, ForwardPath(address="two@far.test", domain="far.test"))
)


class SlowKey:
    """A private key that signs when it is told to."""

    def __init__(self) -> None:
        self.may_go = threading.Event()

    def sign(self, data: bytes) -> bytes:
        assert self.may_go.wait(20), "the loop was held up"
        return data


KEY = SigningKey("example.com", "r1", "rsa", generate_private_key(65537, 2048))


def play(act: Callable[[Signer, KeyStore, ManualClock], Awaitable[None]], keys: Keys = (KEY,)) -> None:
    async def scene() -> None:
        store, clock = KeyStore(keys), ManualClock(1000.0)
        async with asyncio.timeout(PATIENCE_S):
            await act(Signer(store, clock), store, clock)

    asyncio.run(scene())


def answer_to(need: Need, signer: Signer, body: Body) -> Any:
    match need:
        case NeedBody() | NeedRender():
            return body
        case NeedKeys():
            return signer.keys(need)
        case NeedSignature():
            return signer.sign(need)
        case _:
            raise AssertionError(need)


def course_of(message: Message, options: OutboundOptions) -> Course:
    recipient = Recipient(message, 0, "default", "far.test")
    return attempt(Deliver(1, QueueKey("default", "far.test"), [recipient]), options)


async def head_of(course: Course, signer: Signer, body: Body) -> bytes:
    answer: Any = None
    try:
        while True:
            answer = answer_to(course.send(answer), signer, body)
            if isinstance(answer, CoroutineType):
                answer = await answer
    except StopIteration as end:
        payload: Payload = end.value
        return payload.head


async def head_for(signer: Signer, message: Message, body: Body, options: OutboundOptions) -> bytes:
    """What leaves before *body*."""
    return await head_of(course_of(message, options), signer, body)


async def head_of_other(signer: Signer, message: Message, body: bytes, options: OutboundOptions) -> bytes:
    """The same for *body* as what the message was converted to for a peer."""
    return await head_of(conversion(message, b"", options), signer, body)


def head_now(signer: Signer, message: Message, body: Body, options: OutboundOptions) -> bytes | None:
    """The same as `head_for` where nothing has to be waited for, else None."""
    head = head_for(signer, message, body, options)
    try:
        head.send(None)
    except StopIteration as end:
        found: bytes = end.value
        return found
    head.close()
    return None


def is_good(head: bytes, body: bytes, key: SigningKey = KEY) -> bool:
    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        raw = key.algorithm == "ed25519"
        form = PublicFormat.Raw if raw else PublicFormat.SubjectPublicKeyInfo
        public = key.private.public_key().public_bytes(Encoding.Raw if raw else Encoding.DER, form)
        text = b"k=%b; p=%b" % (key.algorithm.encode(), b64encode(public))
        return text if name.startswith(key.selector.encode()) else None

    return bool(dkim.DKIM(head + body).verify(dnsfunc=ask))


# -- what is signed


def test_signatures_stand_on_top_and_cover_what_this_node_adds() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        assert head_now(signer, ONE, BODY, OPTIONS) is None
        head = await head_for(signer, ONE, BODY, OPTIONS)
        assert head.startswith(b"DKIM-Signature: ")
        assert head.endswith(ONE.trace)
        assert is_good(head, BODY)
        with pytest.raises(dkim.ValidationError):
            is_good(head, BODY.replace(b"text", b"test"))
        assert not is_good(head.replace(b"Date: Thu", b"Date: Fri"), BODY)

    play(act)


UNSIGNED = {
    "no author": (msgspec.structs.replace(ONE, author_domain=""), OPTIONS),
    "another domain": (msgspec.structs.replace(ONE, author_domain="other.test"), OPTIONS),
    "another account": (msgspec.structs.replace(ONE, account=8), OPTIONS),
    "not wished by its sender": (msgspec.structs.replace(ONE, options=Options(sign=False)), OPTIONS),
    "switched off": (ONE, replace(OPTIONS, opendkim_sign=False)),
}


@pytest.mark.parametrize(("message", "options"), UNSIGNED.values(), ids=UNSIGNED)
def test_other_mail_leaves_as_it_is_without_waiting(message: Message, options: OutboundOptions) -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        assert head_now(signer, message, BODY, options) is message.trace
        assert await head_for(signer, message, BODY, options) is message.trace
        assert await head_of_other(signer, message, BODY, options) is message.trace

    play(act)


def test_without_identities_nothing_is_signed() -> None:
    async def scene() -> None:
        signer = Signer(None, ManualClock(1000.0))
        assert head_now(signer, ONE, BODY, OPTIONS) is ONE.trace
        assert await head_for(signer, ONE, BODY, OPTIONS) is ONE.trace

    asyncio.run(scene())


def test_the_store_is_not_asked_about_mail_that_is_not_to_be_signed() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        for name in ("no author", "not wished by its sender", "switched off"):
            message, options = UNSIGNED[name]
            head_now(signer, message, BODY, options)
        assert store.questions == []

    play(act)


def test_the_key_that_the_sender_names_signs_alone_and_an_unknown_name_takes_none_away() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        for named, count in (("e2", 1), ("gone", 2), (None, 2)):
            message = msgspec.structs.replace(ONE, options=Options(dkim_key=named))
            head = await head_for(signer, message, BODY, OPTIONS)
            assert head.count(b"DKIM-Signature:") == count
            assert b"s=e2;" in head
            assert (b"s=e1;" in head) == (count == 2)

    play(act, (make_key("e1"), make_key("e2")))


def test_the_options_say_which_fields_are_covered() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        options = replace(OPTIONS, dkim_headers=("From", "Subject"), dkim_oversign_headers=("From",))
        assert b"h=From:From:Subject;" in await head_for(signer, ONE, BODY, options)

    play(act)


def test_a_converted_body_has_a_signature_of_its_own() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        await head_for(signer, TWO, BODY, OPTIONS)
        other = BODY.replace(b"text", b"t=65xt")
        assert is_good(await head_of_other(signer, TWO, other, OPTIONS), other)

    play(act)


# -- bodies that are not in memory


@pytest.mark.parametrize("size", [0, 10, 70_000, 3_000_000])
def test_a_body_in_a_file_is_signed_like_one_in_memory(tmp_path: Path, size: int) -> None:
    body = BODY + b"line of text \r\n" * (size // 15)
    file = tmp_path / "body"
    file.write_bytes(body)

    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        head = await head_for(signer, ONE, LargeBody(file, len(body)), OPTIONS)
        assert head == await head_for(signer, ONE, body, OPTIONS)
        assert is_good(head, body)

    play(act)


@pytest.mark.slow
def test_a_header_longer_than_a_piece_is_read_whole(tmp_path: Path) -> None:
    body = b"X-Long: " + b"word\r\n " * 150_000 + b"end\r\n" + BODY
    file = tmp_path / "body"
    file.write_bytes(body)

    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        assert is_good(await head_for(signer, ONE, LargeBody(file, len(body)), OPTIONS), body)

    play(act)


def test_a_file_that_cannot_be_read_puts_the_mail_off(tmp_path: Path) -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        with pytest.raises(CannotSign) as raised:
            await head_for(signer, ONE, LargeBody(tmp_path / "gone", 10), OPTIONS)
        assert (raised.value.reply.code, raised.value.reply.enhanced) == (451, "4.3.0")

    play(act)


# -- keys that are not known


def test_keys_are_waited_for() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        store.is_known = False
        assert head_now(signer, ONE, BODY, OPTIONS) is None
        assert is_good(await head_for(signer, ONE, BODY, OPTIONS), BODY)

    play(act)


def test_a_store_that_cannot_be_asked_puts_the_mail_off_and_it_is_asked_again() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        store.is_known, store.error = False, AngariumError("the disk is gone")
        for head_of in (head_for, head_of_other):
            with pytest.raises(CannotSign, match=r"the keys of example\.com: the disk is gone") as raised:
                await head_of(signer, TWO, BODY, OPTIONS)
            assert (
                str(raised.value.reply) == "451 4.7.0 [internal] the signing key cannot be read at the moment"
            )
        store.error = None
        assert is_good(await head_for(signer, TWO, BODY, OPTIONS), BODY)

    play(act)


@pytest.mark.parametrize("key", [make_key("e1"), KEY], ids=["quick", "slow"])
def test_a_fault_of_ours_is_raised_where_somebody_hears_it(key: SigningKey) -> None:
    broken: Any = replace(OPTIONS, dkim_headers=(None,))

    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        await head_for(signer, TWO, BODY, OPTIONS)  # kept, and not fitting
        with pytest.raises(AttributeError):
            await head_for(signer, TWO, BODY, broken)

    play(act, (key,))


# -- one signature for all recipients


def test_transactions_of_one_message_share_a_signature() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        first = asyncio.ensure_future(head_for(signer, TWO, BODY, OPTIONS))
        await asyncio.sleep(0)
        clock.at += 10  # one made now would bear another time
        second = await head_for(signer, TWO, BODY, OPTIONS)
        assert await first == second
        assert head_now(signer, TWO, BODY, OPTIONS) == second
        assert b"t=1000;" in second

    play(act)


@pytest.mark.parametrize("change", ["keys", "options", "age"])
def test_a_shared_signature_goes_when_it_does_not_fit_any_more(change: str) -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        await head_for(signer, TWO, BODY, OPTIONS)
        options = OPTIONS
        clock.at += 10
        if change == "keys":
            store.keys = (make_key("e2"),)
        elif change == "options":
            options = replace(OPTIONS, dkim_headers=("From",))
        else:
            clock.at += 1000
        for head in (head_now(signer, TWO, BODY, options), await head_for(signer, TWO, BODY, options)):
            assert b"t=1000;" not in (head or b"")

    play(act)


def test_a_domain_that_lost_its_keys_is_not_signed_from_memory() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        await head_for(signer, TWO, BODY, OPTIONS)
        store.keys = ()
        assert head_now(signer, TWO, BODY, OPTIONS) is TWO.trace

    play(act)


def test_what_is_kept_is_bounded() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        def numbered(number: int) -> Message:
            return msgspec.structs.replace(TWO, id=MessageId(number.to_bytes(16, "big")))

        for number in range(300):
            await head_for(signer, numbered(number), BODY, OPTIONS)
        newest_first = [numbered(number) for number in reversed(range(300))]
        kept = [head_now(signer, message, BODY, OPTIONS) is not None for message in newest_first]
        assert kept == [True] * 256 + [False] * 44

    play(act)


def test_a_recipient_that_gives_up_waiting_leaves_the_signature_to_the_others() -> None:
    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        first = asyncio.ensure_future(head_for(signer, TWO, BODY, OPTIONS))
        second = asyncio.ensure_future(head_for(signer, TWO, BODY, OPTIONS))
        await asyncio.sleep(0)
        first.cancel()
        assert is_good(await second, BODY)

    play(act)


# -- the loop goes on


@pytest.mark.parametrize("message", [ONE, TWO], ids=["one recipient", "two"])
def test_what_takes_no_time_is_signed_at_once(message: Message) -> None:
    quick = make_key("e1")

    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        head = head_now(signer, message, BODY, OPTIONS)
        assert head is not None
        assert is_good(head, BODY, quick)
        assert head_now(signer, message, BODY + b"line\r\n" * 20_000, OPTIONS) == (
            None if message is ONE else head
        )

    play(act, (quick,))


def test_the_loop_goes_on_while_a_key_signs() -> None:
    slow = SlowKey()

    async def act(signer: Signer, store: KeyStore, clock: ManualClock) -> None:
        waiting = asyncio.ensure_future(head_for(signer, ONE, BODY, OPTIONS))
        asyncio.get_running_loop().call_soon(slow.may_go.set)
        assert (await waiting).startswith(b"DKIM-Signature: ")

    play(act, (SigningKey("example.com", "slow", "rsa", slow),))  # type: ignore[arg-type]
