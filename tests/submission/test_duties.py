"""What is done for mail of those who logged in, and left alone in all other mail (RFC 6409)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from angarium.core.records import ForwardPath
from angarium.identity.limits import Limits
from angarium.mime.header import HeaderBlock
from angarium.submission.intake.duties import authors_of
from angarium.testing.intake import STRANGER, IntakeDesk, Taken, a_principal

FROM = b"From: App <app@example.org>\r\n"
BODY = b"Subject: hi\r\n\r\nhello\r\n"
WHOLE = b"Date: d\r\nMessage-ID: <i@example.org>\r\n"
LOGIN = a_principal()


def take(folder: Path, text: bytes, **how: Any) -> Taken:
    async def story() -> Taken:
        return await IntakeDesk(folder).submit(text, **{"received_hostname": "mx.example.org", **how})

    return asyncio.run(story())


def test_a_missing_date_and_message_id_are_added(tmp_path: Path) -> None:
    taken = take(tmp_path, FROM + BODY, principal=LOGIN)
    id = taken.message.id.hex().encode()
    added = b"Date: Sun, 17 Mar 2030 17:46:40 +0000\r\nMessage-ID: <" + id + b"@mx.example.org>\r\n"
    assert taken.sent == added + FROM + BODY


@pytest.mark.parametrize(
    "empty", [b"Date:\r\nMessage-ID: \r\n", b"date :\r\nMESSAGE-ID:\r\n \t\r\nDate:\r\n"]
)
@pytest.mark.parametrize("who", [{"principal": LOGIN}, {}, {"peer": STRANGER}, {"pieces": 9}])
def test_an_empty_one_is_replaced(tmp_path: Path, empty: bytes, who: dict[str, Any]) -> None:
    taken = take(tmp_path, FROM + empty + BODY, **who)
    id = taken.message.id.hex().encode()
    added = b"Date: Sun, 17 Mar 2030 17:46:40 +0000\r\nMessage-ID: <" + id + b"@mx.example.org>\r\n"
    assert taken.sent == added + FROM + BODY
    assert taken.message.body_size == len(FROM + BODY)


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    odd = "X-Odd: grün \x01\r\nSUBJECT :  hi  \r\n\r\n".encode() + b"\xe4\xfc latin\r\n.\r\n"
    taken = take(tmp_path, FROM + WHOLE + odd, principal=LOGIN)
    assert taken.sent == FROM + WHOLE + odd
    assert taken.message.eight_bit


def test_what_nobody_may_see_is_taken_out_of_all_mail_but_that_from_elsewhere(tmp_path: Path) -> None:
    hidden = (
        b"Bcc: a@example.com,\r\n b@example.com\r\nResent-BCC: c@example.com\r\nBCC:\r\nbcc : d@example.com\r\n"
        b"Return-Path: <bounce@example.com>\r\n"
    )
    text = FROM + WHOLE + hidden + BODY
    assert take(tmp_path, text, principal=LOGIN).sent == FROM + WHOLE + BODY
    assert take(tmp_path, text).sent == FROM + WHOLE + BODY  # a relay host may be a program on this machine
    assert take(tmp_path, text, peer=STRANGER).sent == text


@pytest.mark.parametrize(
    ("from_", "sender", "added"),
    [
        (b"From: a@example.org\r\n", b"", b""),
        (b"From: A <a@example.org>, b@example.org\r\n", b"", b"Sender: a@example.org\r\n"),
        (b"From: A <a@example.org>, b@example.org\r\n", b"Sender: c@example.org\r\n", b""),
        (b"From: team: a@example.org, b@example.org;\r\n", b"", b"Sender: a@example.org\r\n"),
    ],
)
def test_several_authors_get_the_sender_they_must_have(
    tmp_path: Path, from_: bytes, sender: bytes, added: bytes
) -> None:
    taken = take(tmp_path, from_ + sender + WHOLE + BODY, principal=LOGIN)
    assert taken.sent == added + from_ + sender + WHOLE + BODY


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"", "550 5.6.0 the message has no From field: write From: with the author's address"),
        (FROM + FROM, "550 5.6.0 the message has several From fields: write one, with all authors in it"),
        (
            b"From: nobody\r\n",
            "550 5.6.0 the From field has no usable address: write it as From: Name <name@example.com>",
        ),
    ],
)
def test_mail_without_an_author_is_refused(tmp_path: Path, header: bytes, sentence: str) -> None:
    assert str(take(tmp_path, header + WHOLE + BODY, principal=LOGIN).reply) == sentence
    # Postmark takes it and reports it as failed
    token = take(tmp_path, header + WHOLE + BODY, principal=a_principal("server_token"))
    assert token.reply.code == 250
    assert str(token.message.refusal) == f"{sentence} (Postmark error 300)"
    # of mail that is only passed on nothing is asked
    relayed = take(tmp_path, header + WHOLE + BODY)
    assert (relayed.reply.code, relayed.message.author_domain) == (250, "")


VERIFIED_ONLY = Limits(sender_domains="verified")


@pytest.mark.parametrize(
    "author", [b"x@example.com", b"a@example.org, x@example.com", b"<a@example.org> <x@example.com>"]
)
def test_mail_of_a_domain_that_is_not_ours_is_refused(tmp_path: Path, author: bytes) -> None:
    text = b"From: " + author + b"\r\n" + WHOLE + BODY
    reply = take(tmp_path, text, principal=a_principal(limits=VERIFIED_ONLY)).reply
    assert str(reply).startswith("550 5.7.1 account acme may not send from example.com: ")
    assert "angarium domains" in reply.text
    token = take(tmp_path, text, principal=a_principal("server_token", limits=VERIFIED_ONLY))
    assert token.reply.code == 250
    assert str(token.message.refusal).startswith("550 5.7.1 account acme may not send from example.com")
    assert str(token.message.refusal).endswith(" (Postmark error 400)")


@pytest.mark.parametrize(
    "hidden",
    [
        b"The Boss b@example.com, ",
        b'"The Boss" b@example.com, ',
        b"<<b@example.com>>, ",
        b"b@example.com: ",
        b"b@example..com, ",
        b"b@exa(x)mple.com, ",
        b"b@example.com/, ",
        b"b@example.com <a@example.org>, ",
        b"<b@example.com:a@example.org>, ",
        b"=?utf-8?q?b=40example.com?= <a@example.org>, ",
        b"=?utf-8?q?b=40example.com?=@example.org, ",
        "b@example.com\u2028, ".encode(),
        b"b@example.com \r\n\t<a@example.org>, ",
        b"x\0b@example.com <a@example.org>, ",
    ],
)
def test_no_author_hides_beside_one_that_is_ours(tmp_path: Path, hidden: bytes) -> None:
    """What cannot be read here may be read by a mail program, and shown as who wrote it."""
    text = b"From: " + hidden + b"a@example.org\r\n" + WHOLE + BODY
    reply = take(tmp_path, text, principal=a_principal(limits=VERIFIED_ONLY)).reply
    assert str(reply).startswith("550 5.7.1 the From field has more in it than can be read: write it as ")
    assert take(tmp_path, text, principal=a_principal()).reply.code == 250  # where any domain will do


@pytest.mark.parametrize("field", [b"Sender", b"Resent-From", b"Resent-Sender"])
def test_nobody_else_stands_beside_the_author(tmp_path: Path, field: bytes) -> None:
    who = a_principal(limits=VERIFIED_ONLY)

    def reply_to(value: bytes) -> str:
        text = FROM + field + b": " + value + b"\r\n" + WHOLE + BODY
        return str(take(tmp_path, text, principal=who).reply)[:70]

    assert reply_to(b"Ann <b@example.org>").startswith("250 ")
    assert reply_to(b"b@example.com").startswith("550 5.7.1 account acme may not send from example.com: ")
    assert reply_to(b"b@example.com <a@example.org>").startswith(
        f"550 5.7.1 the {field.decode()} field has more in"
    )
    assert reply_to(b"b@example.org\r\n%b: b@example.com" % field).startswith(
        "550 5.7.1 account acme may not"
    )


def test_a_field_that_some_take_for_the_end_of_the_header_proves_nothing(tmp_path: Path) -> None:
    text = b"From : a@example.org\r\n" + WHOLE + BODY
    assert (
        "has more in it than can be read"
        in take(tmp_path, text, principal=a_principal(limits=VERIFIED_ONLY)).reply.text
    )
    assert take(tmp_path, text, principal=LOGIN).reply.code == 250


def test_who_names_too_many_authors_is_told_so(tmp_path: Path) -> None:
    text = b"From: " + b"a@example.org, " * 40_000 + b"\r\n" + WHOLE + BODY
    sentence = "550 5.6.0 the From field is too long: name fewer authors, or shorter"
    assert str(take(tmp_path, text, principal=LOGIN, max_header_size=1 << 20).reply) == sentence
    assert take(tmp_path, text, max_header_size=1 << 20).message.author_domain == ""


@pytest.mark.parametrize(
    "name", [b"Doe, John <a@example.org>", b'"b@example.com" <a@example.org>', b"Team: a@example.org;"]
)
def test_names_without_an_address_hide_nobody(tmp_path: Path, name: bytes) -> None:
    text = b"From: " + name + b"\r\n" + WHOLE + BODY
    assert take(tmp_path, text, principal=a_principal(limits=VERIFIED_ONLY)).reply.code == 250


def test_mail_of_a_verified_domain_is_taken_and_the_envelope_does_not_matter(tmp_path: Path) -> None:
    assert take(tmp_path, FROM + BODY, principal=a_principal(limits=VERIFIED_ONLY)).reply.code == 250


@pytest.mark.parametrize(
    ("from_", "domain"),
    [
        (b"From: a@Example.ORG\r\n", "example.org"),
        ("From: a@bücher.example\r\n".encode(), "xn--bcher-kva.example"),
        (b'From: "x@fake.example" <a@example.org>\r\n', "example.org"),
        (b"From: a@example.org, b@example.com\r\n", "example.org"),
        (b"From: a@example.org\r\nFrom: b@example.com\r\n", ""),
        (b"From: undisclosed:;\r\n", ""),
        (b"", ""),
    ],
)
def test_the_authors_domain_is_known_of_all_mail(tmp_path: Path, from_: bytes, domain: str) -> None:
    assert take(tmp_path, from_ + BODY, peer=STRANGER).message.author_domain == domain


def test_authors_are_read_from_very_long_fields_too() -> None:
    value = b", ".join(b"a%d@example.org" % n for n in range(200))
    assert len(authors_of(HeaderBlock.scan(b"From: " + value + b"\r\n\r\n"))) == 200


def test_received_names_the_only_recipient_and_never_one_of_several(tmp_path: Path) -> None:
    one = take(tmp_path, FROM + BODY, principal=LOGIN, recipients=("a@example.net",))
    two = take(tmp_path, FROM + BODY, principal=LOGIN, recipients=("a@example.net", "b@example.net"))
    assert b"for <a@example.net>" in one.message.trace
    assert b"example.net" not in two.message.trace
    assert two.message.recipients == (
        ForwardPath(address="a@example.net", domain="example.net"),
        ForwardPath(address="b@example.net", domain="example.net"),
    )


def test_received_names_an_internationalised_domain_in_ascii(tmp_path: Path) -> None:
    """Or a line of ours would be what needs SMTPUTF8."""
    taken = take(tmp_path, FROM + BODY, principal=LOGIN, recipients=("a@bücher.example",))
    assert b"for <a@xn--bcher-kva.example>" in taken.message.trace
