"""What answers mean, by what they say rather than by their codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.feedback.classify import classify
from angarium.feedback.reasons import CLASSES, REASONS


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown in virtual table",
            "no_such_recipient",
        ),
        ("550 5.1.1 The email account that you tried to reach does not exist", "no_such_recipient"),
        ("553 sorry, no mailbox here by that name", "no_such_recipient"),
        ("550 5.7.1 User unknown", "no_such_recipient"),
        ("551 user has moved", "moved"),
        ("550 Host or domain name not found. Name service error for name=example.com type=A", "no_such_host"),
        ("556 5.1.10 Domain does not accept mail (nullMX)", "takes_no_mail"),
        ("552 5.2.2 mailbox is full", "mailbox_full"),
        ("550 5.1.1 sorry, mailbox is over quota temporarily", "mailbox_full"),
        ("550 5.2.1 This account has been disabled", "mailbox_disabled"),
        ("552 5.3.4 Message size exceeds fixed maximum message size", "too_large"),
        ("421 4.7.28 Our system has detected an unusual rate of unsolicited mail", "rate"),
        (
            "550 5.7.26 Unauthenticated email from example.com is not accepted due to its DMARC policy",
            "authentication",
        ),
        ("550 5.7.25 The IP address sending this message does not have a PTR record", "reverse_dns"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocked"),
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume",
            "reputation",
        ),
        ("554 5.7.1 This message has been rejected as spam", "spam"),
        ("554 5.7.1 <a@example.com>: Relay access denied", "relaying_denied"),
        ("501 5.1.8 Sender address rejected: Domain not found", "sender_refused"),
        ("550 5.7.0 message contains a virus", "virus"),
        ("450 4.3.0 Internal server error", "system"),
        ("connect to mx.example.com[192.0.2.1]:25: Connection refused", "network"),
        ("550 5.4.6 Hop count exceeded - possible mail loop", "network"),
        ("[internal] retry timeout exceeded", "expired"),
    ],
)
def test_the_text_says_why(answer: str, reason: str) -> None:
    assert classify(answer).reason.name == reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [("5.1.1", "no_such_recipient"), ("5.2.0", "refused_by_recipient"), ("5.7.1", "policy"), ("4.4.7", "expired"),
     ("4.4.1", "network"), ("4.3.2", "system"), ("", "unknown")],
)  # fmt: skip
def test_a_code_speaks_where_words_do_not(status: str, reason: str) -> None:
    assert classify("550 zzz", status).reason.name == reason


def test_text_beats_a_generic_code() -> None:
    assert classify("550 5.1.1 mailbox is full", "5.1.1").reason.name == "mailbox_full"
    assert classify("550 5.7.1 no such user", "5.7.1").reason.name == "no_such_recipient"


def test_no_such_user_means_another_thing_to_the_sender_and_to_the_whole_message() -> None:
    assert classify("550 user unknown", stage="rcpt").reason.name == "no_such_recipient"
    assert classify("550 user unknown", stage="data").reason.name == "refused_by_recipient"
    assert classify("550 user unknown", stage="mail").reason.name == "sender_refused"


def test_where_the_command_is_not_known_the_code_of_a_mailbox_that_is_there_is_believed() -> None:
    assert classify("550 5.2.1 <a@b.test>... User unknown", "5.2.1").reason.name == "refused_by_recipient"
    assert (
        classify("550 5.2.1 <a@b.test>... User unknown", "5.2.1", "rcpt").reason.name == "no_such_recipient"
    )


def test_a_text_that_any_550_has_leaves_it_to_code_and_command() -> None:
    text = "550 Requested action not taken: mailbox unavailable"
    assert classify(text).reason.name == "refused_by_recipient"
    assert classify(text, stage="rcpt").reason.name == "no_such_recipient"
    assert classify(text, "5.1.1").reason.name == "no_such_recipient"
    assert classify(text, "5.7.1").reason.name == "policy"


def test_what_may_pass_by_its_own_code_is_not_hard() -> None:
    assert classify("550 5.1.1 no such user", "5.1.1").is_hard
    assert not classify("450 4.1.1 no such user", "4.1.1").is_hard
    assert not classify("NXDOMAIN: Domain name not found", "4.0.0").is_hard


def test_what_an_answer_quotes_is_looked_at_and_not_what_stands_before_it() -> None:
    assert classify("5.1.0 - Unknown address error 552-'mailbox is full'").reason.name == "mailbox_full"
    assert classify("5.3.0 - Other mail system problem 550-'no such user'").reason.name == "no_such_recipient"


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("421 4.7.28 Gmail has detected an unusual rate of mail", "google: quota"),
        ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", "google: quota"),
        ("421 4.7.0 This message is suspicious due to the very low reputation of the IP", "google: reputation"),
        ("421 4.7.29 Your email has been rate limited: no TLS connection", "google: TLS"),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", "yahoo: reputation"),
        ("553 5.7.1 [BL21] Connections not accepted from IP addresses on Spamhaus PBL", "yahoo: blocked"),
        ("554 Message not accepted for policy reasons. [PH01]", "yahoo: content"),
        ("451 4.7.650 The mail server has been temporarily rate limited (S775)", "microsoft: reputation"),
        ("550 5.7.1 messages weren't sent since part of their network is on our block list (S3150)",
         "microsoft: reputation"),
        ("550 5.7.606 Access denied, banned sending IP", "microsoft: blocked"),
        ("451 4.7.500 Server busy. Please try again later (AS1020)", "microsoft: rate"),
        ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "microsoft: no such recipient"),
        ("554 5.7.1 [CS01] Message rejected due to local policy", "apple: content"),
        ("421 4.1.0 192.0.2.1 Throttled - try again later RL000001", "comcast: rate"),
        ("421 mwinf5c77 ME Service refuse. OFR_999 [999]", "orange: connections"),
        ("550 5.5.0 Adresse destinataire invalide. OFR_416", "orange: no such recipient"),
        ("550 Ip frequency limited", "qq: rate"),
        ("421 HL:REP 163 smtp9", "netease: reputation"),
    ],
)  # fmt: skip
def test_providers_have_codes_of_their_own(answer: str, rule: str) -> None:
    assert classify(answer).rule == rule


def test_what_one_provider_means_another_may_not() -> None:
    denied = "550 Mailbox unavailable or access denied"
    assert classify(denied, stage="rcpt", provider="qq").rule == "qq: the mailbox takes too much"
    assert classify(denied, stage="rcpt").rule == "mailbox unavailable, said to RCPT"
    banner = "554 IP=192.0.2.1 - None/bad reputation. (NOWL)"
    assert classify(f"host mx00.t-online.de said: {banner}").rule == "t-online: blocked"


def test_only_the_recipients_own_faults_are_permanent() -> None:
    assert {reason.fault for reason in REASONS.values() if reason.is_permanent} == {"recipient"}
    assert {reason.number for reason in REASONS.values()} <= CLASSES.keys()


def test_the_rule_is_told() -> None:
    assert classify("552 mailbox is full").rule == "mailbox full"
    assert classify("").rule == ""


@given(st.text(max_size=300))
def test_any_text_has_a_verdict(answer: str) -> None:
    assert classify(answer).reason in REASONS.values()


def test_an_answer_of_any_length_takes_no_time() -> None:
    for piece in ("a ", "user ", "550 ", "mailbox mail ", "message ", "has been in the queue "):
        classify(piece * 100_000)
