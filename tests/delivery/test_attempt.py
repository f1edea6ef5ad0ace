"""What an attempt needs, in which order, and what leaves then. The course is driven by hand: nothing here waits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.config.records import OutboundOptions
from angarium.core.options import Options
from angarium.core.records import ForwardPath, Message, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.delivery.attempt import (
    Course,
    Need,
    NeedBody,
    NeedData,
    NeedIntent,
    NeedKeys,
    NeedRender,
    NeedReturnPath,
    NeedSignature,
    Payload,
    Unmet,
    attempt,
    conversion,
)
from angarium.queue.commands import Deliver
from angarium.queue.ready import ReadyQueue
from angarium.render.pipeline import Rendering, is_personal
from angarium.spool.port import Body, LargeBody
from angarium.testing.signing import mail_to_sign, make_key

OPTIONS = OutboundOptions(ehlo_hostname="mail.test")
HOLD = replace(OPTIONS, ambiguous_delivery="hold")
BODY = b"From: a@example.com\r\n\r\ntext\r\n"
LONG = b"From: a@example.com\r\nMIME-Version: 1.0\r\n\r\n" + b"word " * 500 + b"\r\n"
LARGE = LargeBody(Path("somewhere"), 10_000_000)
SIGNED = mail_to_sign(BODY)
PLAIN = msgspec.structs.replace(SIGNED, author_domain="")
KEYS = (make_key(),)
SIGNATURE = b"DKIM-Signature: x\r\n"


def deliver(message: Message) -> Deliver:
    recipients = [
        Recipient(message, index, "default", "far.test") for index in range(len(message.recipients))
    ]
    return Deliver(1, QueueKey("default", "far.test"), recipients)


def drive(
    course: Course, answers: dict[type, Any], failing: dict[type, Exception] | None = None
) -> tuple[list[Need], Payload]:
    """Return what *course* needed and what leaves. It is answered by *answers*, or fails by *failing*."""
    needs: list[Need] = []
    failing = failing or {}
    try:
        needs.append(course.send(None))
        while True:
            kind = type(needs[-1])
            error = failing.get(kind)
            needs.append(course.throw(error) if error is not None else course.send(answers[kind]))
    except StopIteration as end:
        return needs, end.value


def answers(body: Body = BODY, changes: dict[type, Any] | None = None) -> dict[type, Any]:
    made = {NeedBody: body, NeedKeys: KEYS, NeedSignature: SIGNATURE, NeedIntent: None, NeedRender: None}
    return made | (changes or {})


def kinds(needs: list[Need]) -> list[type]:
    return [type(need) for need in needs]


def test_plain_mail_needs_its_text() -> None:
    needs, payload = drive(attempt(deliver(PLAIN), OPTIONS), answers())
    assert kinds(needs) == [NeedBody]
    assert payload == Payload(PLAIN.trace, BODY)


COURSES = {
    "no keys": (SIGNED, OPTIONS, {NeedKeys: ()}, [NeedBody, NeedKeys], PLAIN.trace),
    "keys": (SIGNED, OPTIONS, {}, [NeedBody, NeedKeys, NeedSignature], SIGNATURE + PLAIN.trace),
    "not to be signed": (
        msgspec.structs.replace(SIGNED, options=Options(sign=False)),
        OPTIONS,
        {},
        [NeedBody],
        PLAIN.trace,
    ),
    "signing switched off": (SIGNED, replace(OPTIONS, opendkim_sign=False), {}, [NeedBody], PLAIN.trace),
    "held": (PLAIN, HOLD, {}, [NeedBody, NeedIntent], PLAIN.trace),
    "signed and held": (
        SIGNED,
        HOLD,
        {},
        [NeedBody, NeedKeys, NeedSignature, NeedIntent],
        SIGNATURE + PLAIN.trace,
    ),
}


@pytest.mark.parametrize(("message", "options", "changes", "expected", "head"), COURSES.values(), ids=COURSES)
def test_what_is_needed_beside_the_text(
    message: Message, options: OutboundOptions, changes: dict[type, Any], expected: list[type], head: bytes
) -> None:
    needs, payload = drive(attempt(deliver(message), options), answers(BODY, changes))
    assert kinds(needs) == expected
    assert payload == Payload(head, BODY)


@pytest.mark.parametrize("body", [LONG, LARGE])
@pytest.mark.parametrize("short", [b"short", None])
def test_lines_are_made_short_before_the_signature_where_that_can_be(body: Body, short: bytes | None) -> None:
    message = mail_to_sign(LONG, mends_lines=True)
    needs, payload = drive(attempt(deliver(message), OPTIONS), answers(body, {NeedRender: short}))
    assert kinds(needs) == [NeedBody, NeedKeys, NeedRender, NeedSignature]
    signature = needs[-1]
    assert isinstance(signature, NeedSignature)
    assert (signature.body, signature.is_own) == ((body, True) if short is None else (short, False))
    assert payload.body == signature.body


@pytest.mark.parametrize("changes", [{"author_domain": ""}, {"mends_lines": False}])
def test_other_lines_are_left_alone(changes: dict[str, Any]) -> None:
    message = msgspec.structs.replace(mail_to_sign(LONG, mends_lines=True), **changes)
    needs, _ = drive(attempt(deliver(message), OPTIONS), answers(LONG))
    assert NeedRender not in kinds(needs)


def test_a_converted_body_is_signed_as_it_leaves() -> None:
    needs, payload = drive(conversion(SIGNED, BODY, HOLD), answers(BODY, {NeedRender: b"seven"}))
    assert kinds(needs) == [NeedRender, NeedKeys, NeedSignature]  # the intent was written when it began
    signature = needs[-1]
    assert isinstance(signature, NeedSignature)
    assert (signature.body, signature.is_own) == (b"seven", False)
    assert payload == Payload(SIGNATURE + SIGNED.trace, b"seven")


SEALED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; protocol=application/pgp-signature\r\n\r\n"
    b"--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nn\xc3\xa4chster\r\n"
    b"--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
)


def test_what_others_have_signed_is_not_encoded_anew_and_its_sender_is_told_what_to_do() -> None:
    course = conversion(SIGNED, SEALED, OPTIONS)
    need = course.send(None)
    assert isinstance(need, NeedRender)
    with pytest.raises(Unmet) as raised:
        course.send(need.render(SEALED))
    reply = raised.value.reply
    assert (raised.value.verdict, reply.code, reply.enhanced) == ("permanent", 554, "5.6.3")
    assert "send it in quoted-printable or base64, encoded before it is signed" in reply.text


TROUBLE = Unmet("transient", Reply(451, "4.3.0", "trouble"))


@pytest.mark.parametrize("kind", [NeedBody, NeedKeys, NeedRender, NeedSignature, NeedIntent])
def test_nothing_leaves_when_a_need_is_not_met(kind: type) -> None:
    message = mail_to_sign(LONG, mends_lines=True)
    with pytest.raises(Unmet) as raised:
        drive(attempt(deliver(message), HOLD), answers(LONG, {NeedRender: b"short"}), {kind: TROUBLE})
    assert raised.value is TROUBLE


# -- a text for each


TWO = msgspec.structs.replace(
    PLAIN, recipients=tuple(ForwardPath(address=f"{name}@far.test", domain="far.test") for name in "ab")
)


def greeted(recipient: Recipient, body: bytes, own: bytes = b"") -> bytes:
    return body + recipient.path.address.encode() + own


PERSONAL = Rendering(lambda message: True, greeted)


@pytest.mark.parametrize(
    ("alone", "batches"), [(is_personal, [2]), (lambda message: True, [1, 1])], ids=["shared", "personal"]
)
def test_who_gets_a_text_of_ones_own_shares_no_transaction(
    alone: Callable[[Message], bool], batches: list[int]
) -> None:
    ready = ReadyQueue()
    for recipient in deliver(TWO).recipients:
        ready.add(recipient)
    taken: list[int] = []
    while ready:
        taken.append(len(ready.take(10, alone)))
    assert taken == batches


def test_a_return_path_of_its_own_is_put_on_last() -> None:
    message = msgspec.structs.replace(SIGNED, return_domain="bounces.example.com")
    command = deliver(message)
    needs, payload = drive(attempt(command, HOLD), answers(BODY, {NeedReturnPath: "b-1@bounces.example.com"}))
    assert kinds(needs) == [NeedBody, NeedKeys, NeedSignature, NeedReturnPath, NeedIntent]
    assert needs[3] == NeedReturnPath(command.recipients[0])
    assert payload == Payload(SIGNATURE + SIGNED.trace, BODY, "b-1@bounces.example.com")


def test_a_personal_text_is_made_before_it_is_signed() -> None:
    message = msgspec.structs.replace(TWO, author_domain=SIGNED.author_domain)
    command = Deliver(1, QueueKey("default", "far.test"), deliver(message).recipients[1:])
    needs, payload = drive(attempt(command, OPTIONS, PERSONAL), answers(BODY, {NeedRender: b"Dear b"}))
    assert kinds(needs) == [NeedBody, NeedRender, NeedKeys, NeedSignature]
    render, signature = needs[1], needs[-1]
    assert isinstance(render, NeedRender)
    assert isinstance(signature, NeedSignature)
    assert render.render(b"Dear ") == b"Dear b@far.test"
    assert (signature.body, signature.is_own) == (b"Dear b", False)
    assert payload.body == b"Dear b"


def test_a_form_is_filled_in_with_what_its_message_has_of_its_own() -> None:
    message = msgspec.structs.replace(TWO, is_form=True, content=bytes(16))
    needs, payload = drive(
        attempt(deliver(message), OPTIONS, PERSONAL),
        answers(BODY, {NeedData: b" data", NeedRender: b"Dear b"}),
    )
    assert kinds(needs) == [NeedBody, NeedData, NeedRender]
    render = needs[-1]
    assert isinstance(render, NeedRender)
    assert render.render(b"Dear ") == b"Dear a@far.test data"
    assert payload.body == b"Dear b"
