"""Mail for the node itself: what is taken from anybody, what is refused and counted, and that nobody relays by it."""

import asyncio
import base64
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

import pytest

from angarium.core.ids import MessageId, new_id
from angarium.core.records import NOTIFY_NEVER
from angarium.core.submission import Problem, Reason, Receipt
from angarium.render.return_path import SignedReturnPaths
from angarium.testing.intake import IntakeDesk

NOW = 1_900_000_000.0
RETURNS = SignedReturnPaths(lambda: (b"the node's own key",))
DAY_S = 86_400
NODE = (
    "Bounce_Domain = back.test\nBounce_Domains = ( verp.test )\nFeedback_Addresses = ( reports@shop.test )\n"
)
RELAY = "Relay_Hosts = ( 198.51.100.7 )\n"
OPEN = "Auth_Without_TLS = true\n"
LOGIN = "AUTH PLAIN " + base64.b64encode(b"\0ann\0secret").decode()
BOUNCE = b"From: MAILER-DAEMON@far.test\r\nSubject: failed\r\n\r\nunknown user\r\n."
REPORT = b"Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=b\r\n\r\n--b--\r\n."


def in_loop(test: Callable) -> Callable:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


def signed(domain: str = "back.test", age_s: float = 0.0, kind: Any = "bounce") -> str:
    return RETURNS.address(kind, MessageId(new_id(NOW - age_s)), 0, domain)


ALTERED = f"b-{'a' * 48}"


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        (signed(), "250 2.1.5"),
        (signed().upper(), "250 2.1.5"),
        (signed("bounces.shop.test"), "250 2.1.5"),  # the sending domain's own, whoever it is of
        (signed(age_s=29 * DAY_S), "250 2.1.5"),
        (signed(age_s=31 * DAY_S), "550 5.1.6"),
        (signed(age_s=400 * DAY_S, kind="unsubscribe"), "250 2.1.5"),  # who wants no more is heard whenever
        (f"{ALTERED}@back.test", "550 5.1.1"),
        (f"{ALTERED}@mx.test", "550 5.1.1"),
        (f"{ALTERED}@bounces.shop.test", "550 5.1.1"),
        ("anything@back.test", "550 5.1.1"),
        ("x+to=y.test@verp.test", "250 2.1.5"),
        ("reports@shop.test", "250 2.1.5"),
        ("other@shop.test", "550 5.7.1"),
        ("postmaster", "250 2.1.5"),
        ("Postmaster@mx.test", "250 2.1.5"),
        ("abuse@back.test", "250 2.1.5"),
        ("fbl@back.test", "250 2.1.5"),
        ("fbl@elsewhere.test", "550 5.7.1"),
        ("postmaster@elsewhere.test", "550 5.7.1"),
        ("ann@mx.test", "550 5.7.1"),
    ],
    ids=count(),  # of addresses that are others each time, so that each process of a run has the same names
)
@in_loop
async def test_what_is_taken_from_strangers(door, address, answer):
    talk = await door(node=NODE).session().helo()
    assert await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{address}>") == ["250 2.1.0", answer]


@in_loop
async def test_a_bounce_is_mail_to_this_node_with_nothing_of_its_senders(door):
    house = door(node=NODE)
    talk = await house.session().helo()
    address = signed()
    await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{address}>", "DATA")
    assert (await talk.say(BOUNCE)).startswith("250 ")
    (taken,) = house.intake.taken
    assert (taken.fate, taken.principal, taken.is_known) == ("feedback", None, False)
    assert [path.address for path in taken.envelope.recipients] == [address]
    assert house.count("feedback_total", "read") == 1


@in_loop
async def test_what_is_refused_is_counted_by_reason_and_is_a_fact(door):
    house = door(node=NODE)
    talk = await house.session().helo()
    await talk.all_of(
        "MAIL FROM:<>",
        f"RCPT TO:<{ALTERED}@back.test>",
        f"RCPT TO:<{signed(age_s=31 * DAY_S)}>",
        "RCPT TO:<who@back.test>",
    )
    assert [house.count("feedback_refused_total", why) for why in ("altered", "expired", "unknown")] == [
        1,
        1,
        1,
    ]
    assert [kind for kind, _ in house.facts] == ["refusal"] * 3


@pytest.mark.parametrize("how", [RELAY, OPEN])
@in_loop
async def test_who_may_send_anywhere_sends_bounces_too_and_no_quota_is_used(door, how):
    house = door(how, node=NODE)
    talk = await house.session().helo()
    if how == OPEN:
        assert (await talk.say(LOGIN)).startswith("235 ")
    await talk.all_of("MAIL FROM:<a@example.com>", f"RCPT TO:<{signed()}>", "DATA")
    assert (await talk.say(BOUNCE)).startswith("250 ")
    (taken,) = house.intake.taken
    assert (taken.fate, taken.principal, house.usage.taken) == ("feedback", None, 0)


@in_loop
async def test_another_nodes_return_paths_are_relayed_like_any_mail(door):
    house = door(RELAY, node=NODE)
    talk = await house.session().helo()
    other = SignedReturnPaths(lambda: (b"another's",)).address(
        "bounce", MessageId(new_id(NOW)), 0, "far.test"
    )
    await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{other}>", "DATA")
    assert (await talk.say(BOUNCE)).startswith("250 ")
    assert house.intake.taken[0].fate == "deliver"


@in_loop
async def test_a_transaction_is_for_this_node_or_for_others(door):
    """So nobody relays by a return path, and a mail has one fate. 452 4.5.3 brings the others in one of their own."""
    talk = await door(RELAY, node=NODE).session().helo()
    for first, second in (
        (signed(), "b@example.net"),
        ("b@example.net", signed()),
        (signed(), "abuse@back.test"),
    ):
        assert await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{first}>", f"RCPT TO:<{second}>", "RSET") == [
            "250 2.1.0",
            "250 2.1.5",
            "452 4.5.3",
            "250 2.0.0",
        ]
    assert await talk.all_of("MAIL FROM:<>", "RCPT TO:<b@example.net>") == ["250 2.1.0", "250 2.1.5"]


@in_loop
async def test_a_stranger_gains_nothing_by_a_first_recipient_of_ours(door):
    talk = await door(node=NODE).session().helo()
    said = await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>", "RCPT TO:<b@example.net>")
    assert said == ["250 2.1.0", "250 2.1.5", "452 4.5.3"]
    assert await talk.all_of("RSET", "MAIL FROM:<>", "RCPT TO:<b@example.net>") == [
        "250 2.0.0",
        "250 2.1.0",
        "550 5.7.1",
    ]


# -- bounds


@in_loop
async def test_a_report_that_is_too_large_is_refused_when_it_is_announced_and_when_it_grows(door):
    house = door(node=NODE + "Feedback_Max_Size = 65536\n")
    talk = await house.session().helo()
    assert await talk.all_of("MAIL FROM:<> SIZE=70000", f"RCPT TO:<{signed()}>", "RSET") == [
        "250 2.1.0",
        "552 5.3.4",
        "250 2.0.0",
    ]
    await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>", "DATA")
    answer = await talk.say(b"Subject: x\r\n\r\n" + b"y" * 140_000 + b"\r\n.")
    assert answer.startswith("552 5.3.4")
    assert await talk.all_of("MAIL FROM:<>", "RCPT TO:<b@example.net>") == ["250 2.1.0", "550 5.7.1"]
    assert house.intake.taken == []
    assert house.count("feedback_refused_total", "size") == 2


@in_loop
async def test_one_address_sends_so_many_in_a_minute(door):
    house = door(node=NODE + "Feedback_Per_Minute = 2\n")
    talk = await house.session().helo()
    for _ in range(2):
        await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>", "DATA")
        await talk.say(BOUNCE)
    assert await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>") == ["250 2.1.0", "451 4.7.1"]
    other = await house.session("198.51.100.8").helo()
    assert await other.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>") == ["250 2.1.0", "250 2.1.5"]
    house.clock.at += 61
    assert await talk.all_of(f"RCPT TO:<{signed()}>") == ["250 2.1.5"]


@in_loop
async def test_a_message_that_is_refused_at_its_end_leaves_no_recipient_to_the_next(door):
    house = door(RELAY, node=NODE + "Feedback_Max_Size = 65536\n")
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<>", f"RCPT TO:<{signed()}>", "DATA")
    assert (await talk.say(b"Subject: x\r\n\r\n" + b"y" * 70_000 + b"\r\n.")).startswith("552")
    await talk.all_of("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
    assert (await talk.say(b"Subject: x\r\n\r\nx\r\n.")).startswith("250")
    (taken,) = house.intake.taken
    assert ([path.address for path in taken.envelope.recipients], taken.fate) == (
        ["b@example.net"],
        "deliver",
    )


# -- what people write


@pytest.mark.parametrize(
    ("address", "asked"), [("postmaster", "postmaster"), ("abuse@back.test", "abuse@back.test")]
)
@in_loop
async def test_what_people_write_is_passed_on_to_whom_the_operator_names(door, address, asked):
    house = door(node=NODE + "Postmaster_Address = ops@example.org\n")
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<eve@far.test>", f"RCPT TO:<{address}>", "DATA")
    await talk.say(b"Subject: stop it\r\n\r\nplease\r\n.")
    (taken,) = house.intake.taken
    (path,) = taken.envelope.recipients
    assert (taken.fate, taken.is_known) == ("deliver", False)
    assert (path.address, path.domain) == ("ops@example.org", "example.org")
    # a stranger is told nothing if that fails: the address may be made up
    assert (path.notify, path.orcpt) == (NOTIFY_NEVER, f"rfc822;{asked}")


@in_loop
async def test_a_person_may_be_anywhere(door):
    house = door(node=NODE + 'Postmaster_Address = "ops@Bücher.example"\n')
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<eve@far.test>", "RCPT TO:<postmaster>", "DATA")
    await talk.say(b"Subject: stop it\r\n\r\nplease\r\n.")
    (path,) = house.intake.taken[0].envelope.recipients
    assert path.domain == "xn--bcher-kva.example"


@pytest.mark.parametrize("text", [REPORT, b"Subject: complaint about message from 192.0.2.1\r\n\r\nsee\r\n."])
@in_loop
async def test_a_programs_report_to_a_person_is_read_all_the_same(door, text):
    house = door(node=NODE + "Postmaster_Address = ops@example.org\n")
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<fbl@far.test>", "RCPT TO:<abuse@back.test>", "DATA")
    await talk.say(text)
    assert [taken.fate for taken in house.intake.taken] == ["feedback"]


@in_loop
async def test_without_a_name_for_it_what_people_write_is_kept_to_be_read(door):
    house = door(node=NODE)
    talk = await house.session().helo()
    await talk.all_of("MAIL FROM:<eve@far.test>", "RCPT TO:<abuse@back.test>", "DATA")
    await talk.say(b"Subject: stop it\r\n\r\nplease\r\n.")
    assert [taken.fate for taken in house.intake.taken] == ["feedback"]


@pytest.mark.parametrize("is_known", [True, False])
@in_loop
async def test_every_domain_of_an_account_here_has_its_postmaster(door, is_known):
    """Also where it has to be looked up first whose the domain is (RFC 2142 §4)."""
    house = door(node=NODE)
    (house.owners.known if is_known else house.owners.told)["bounces.shop.test"] = frozenset({7})
    talk = await house.session().helo()
    assert await talk.all_of("MAIL FROM:<>", "RCPT TO:<postmaster@bounces.shop.test>") == [
        "250 2.1.0",
        "250 2.1.5",
    ]
    house.owners.is_down = True
    assert await talk.all_of("RSET", "MAIL FROM:<>", "RCPT TO:<abuse@unknown.test>") == [
        "250 2.0.0",
        "250 2.1.0",
        "454 4.7.0",
    ]


# -- the intake


@in_loop
async def test_it_is_stored_for_the_recorder_as_it_came(tmp_path):
    desk = IntakeDesk(tmp_path)
    text = b"From: x@far.test\r\nX-PM-Tag: mine\r\nSubject: failed\r\n\r\nunknown user\r\n"
    taken = await desk.submit(text, recipients=(signed(),), peer="198.51.100.7:40000", fate="feedback")
    assert (taken.message.fate, taken.message.account, taken.message.return_domain) == ("feedback", 0, "")
    assert taken.message.options.tags is None


@in_loop
async def test_what_comes_round_is_refused(tmp_path):
    taken = await IntakeDesk(tmp_path).submit(b"Received: x\r\n" * 60 + b"\r\n", fate="feedback")
    assert taken.receipt == Receipt(problems=(Problem(Reason.LOOP, limit=50, found=60),))
