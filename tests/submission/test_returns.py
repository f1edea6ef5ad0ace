"""Whose mail comes back to this node, and under which domain: what a sender may expect, and SPF needs."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from angarium.core.options import NO_OPTIONS, Options
from angarium.core.records import ForwardPath, Origin
from angarium.core.submission import EntrancePolicy, Envelope, Raw, Submission
from angarium.identity.principal import Principal
from angarium.mime.header import HeaderBlock
from angarium.render.pipeline import goes_alone
from angarium.submission.intake.draft import draft_of
from angarium.submission.intake.returns import return_domain_of
from angarium.submission.intake.tracking import tracking_url_of
from angarium.testing.intake import a_principal
from angarium.testing.spool import make_message

SHARED = "returns.node.test"
OWN = {"shop.example": "bounces.shop.example"}
POLICY = EntrancePolicy(
    hostname="mx.test",
    max_header_size=0,
    max_received_headers=0,
    adds_received=True,
    adds_date=True,
    adds_message_id=True,
    mends_lines=True,
    takes_literals=None,
    lane=0,
    heeds_priority=True,
)


def chosen(
    sender: str,
    author: str,
    principal: Principal | None = None,
    shared: str | None = SHARED,
    asked: bytes = b"",
    is_known: bool = True,
) -> str:
    text = b"From: A <" + author.encode() + b">\r\n" + asked + b"\r\nhello\r\n"
    envelope = Envelope(
        sender, sender.rpartition("@")[2], [ForwardPath(address="to@x.test", domain="x.test")]
    )
    submission = Submission(b"i" * 16, envelope, Raw(text, text), Origin(), POLICY, principal, is_known)  # type: ignore[arg-type]
    draft = draft_of(HeaderBlock.scan(text), principal, is_trusted=is_known)
    return return_domain_of(submission, draft, shared)


TRACKED = Options(track_opens=True)


@pytest.mark.parametrize(
    ("author", "shared", "options", "url"),
    [
        ("me@shop.example", "https://all.test", TRACKED, "https://clicks.shop.example"),
        ("me@shop.example", None, TRACKED, "https://clicks.shop.example"),
        ("me@other.test", "https://all.test", TRACKED, "https://all.test"),
        ("me@other.test", None, TRACKED, ""),
        ("me@shop.example", "https://all.test", NO_OPTIONS, ""),
        ("me@shop.example", "https://all.test", Options(host_images=True), "https://clicks.shop.example"),
    ],
)
def test_readers_come_by_the_name_of_the_author_s_domain(
    author: str, shared: str | None, options: Options, url: str
) -> None:
    principal = replace(login(options), tracking_urls={"shop.example": "https://clicks.shop.example"})
    text = f"From: A <{author}>\r\n\r\nhello\r\n".encode()
    envelope = Envelope("a@x.test", "x.test", [ForwardPath(address="to@x.test", domain="x.test")])
    submission = Submission(b"i" * 16, envelope, Raw(text, text), Origin(), POLICY, principal, True)  # type: ignore[arg-type]
    draft = draft_of(HeaderBlock.scan(text), principal, is_trusted=True)
    assert tracking_url_of(submission, draft, shared, way_out=False) == url


def login(
    options: Options = NO_OPTIONS, verified: tuple[str, ...] = ("shop.example",), **paths: Any
) -> Principal:
    return replace(a_principal(options=options, verified=verified), return_paths=paths.get("own", OWN))


@pytest.mark.parametrize(
    ("sender", "author", "expected"),
    [
        ("me@elsewhere.test", "me@shop.example", "bounces.shop.example"),  # SPF then speaks for the author
        ("me@shop.example", "me@shop.example", "bounces.shop.example"),
        ("x+7@bounces.shop.example", "me@other.test", "bounces.shop.example"),  # the sender's own choice
        ("me@elsewhere.test", "me@other.test", SHARED),  # there is nothing to lose
        (
            "me@other.test",
            "me@other.test",
            "",
        ),  # unsigned: SPF of the sender is all that speaks for the author
        ("me@mail.other.test", "me@other.test", ""),
        ("me@other.test", "me@mail.other.test", ""),
        ("me@another.test", "me@other.test", SHARED),
        ("", "me@shop.example", ""),  # nothing comes back of what came back
    ],
)
def test_of_who_logs_in(sender: str, author: str, expected: str) -> None:
    assert chosen(sender, author, login()) == expected


def test_signed_mail_may_come_back_to_the_domain_for_all() -> None:
    unpublished = login(own={})
    assert chosen("me@shop.example", "me@shop.example", unpublished) == SHARED
    assert chosen("me@shop.example", "me@shop.example", unpublished, shared=None) == ""
    unsigned = login(Options(sign=False), own={})
    assert chosen("me@shop.example", "me@shop.example", unsigned) == ""


def test_options_decide_otherwise() -> None:
    off, on = Options(track_bounces=False), Options(track_bounces=True)
    assert chosen("me@shop.example", "me@shop.example", login(off)) == ""
    assert chosen("me@other.test", "me@other.test", login(on)) == SHARED
    asked = b"x-smtpeter-trackbounces: no\r\n"
    assert chosen("me@shop.example", "me@shop.example", login(), asked=asked) == ""


def test_of_relay_hosts_where_they_ask_for_it_and_of_nobody_never() -> None:
    asked = b"x-smtpeter-trackbounces: yes\r\n"
    assert chosen("me@shop.example", "me@shop.example") == ""
    assert chosen("me@shop.example", "me@shop.example", asked=asked) == SHARED
    assert chosen("me@shop.example", "me@shop.example", asked=asked, is_known=False) == ""


def test_recipients_with_return_paths_of_their_own_share_no_transaction() -> None:
    message = make_message("a.example", "a.example")
    assert not goes_alone(message)
    assert goes_alone(msgspec.structs.replace(message, return_domain=SHARED))
