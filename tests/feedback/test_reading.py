"""What returned mail says: of whom, and what became of it."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.feedback.classify import classify
from angarium.feedback.reading import Feedback, ReportedRecipient, read_feedback

COLLECTION = Path(__file__).parents[3] / "shared/data/bounces"
"""Mails of others, where they are there; see its README."""


def mail(text: str) -> bytes:
    return text.lstrip("\n").replace("\n", "\r\n").encode()


def said(feedback: Feedback) -> list[tuple[str, str, str]]:
    return [(each.address, each.action, each.status) for each in feedback.recipients]


DSN = """
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

<bob@example.com>: host mx.example.com[192.0.2.1] said: 550 5.1.1 no such user (in
    reply to RCPT TO command)

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; bob@example.com
Original-Recipient: rfc822;robert@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

Final-Recipient: rfc822; ann@example.com
Action: delayed
Status: 4.2.2
Diagnostic-Code: smtp; 452 4.2.2 mailbox full

Final-Recipient: rfc822; eve@example.com
Action: relayed
Status: 2.0.0

--b
Content-Type: text/rfc822-headers

Message-ID: <m1@shop.example.org>
To: bob@example.com, ann@example.com
--b--
"""


def test_only_who_failed_is_blamed() -> None:
    feedback = read_feedback(mail(DSN))
    assert (feedback.kind, feedback.message_id) == ("bounce", "m1@shop.example.org")
    assert feedback.recipients[0] == ReportedRecipient(
        "bob@example.com", "failed", "5.1.1", "550 5.1.1 no such user", "robert@example.com", "rcpt"
    )
    assert said(feedback)[1:] == [
        ("ann@example.com", "delayed", "4.2.2"),
        ("eve@example.com", "relayed", "2.0.0"),
    ]


PLAIN = """
Return-Path: <>
From: MAILER-DAEMON@mx.example.net
To: bounces@shop.example.org
Subject: failure notice

Hi. I'm afraid I wasn't able to deliver your message to the following addresses.

<bob@example.com>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 no such user
Giving up on 192.0.2.1.

<ann@example.com>:
Remote host said: 552 5.2.2 mailbox is full

For help write to <postmaster@mx.example.net>.

--- Below this line is a copy of the message.

Return-Path: <bounces@shop.example.org>
Message-ID: <m2@shop.example.org>
To: bob@example.com
"""


def test_words_for_people_are_read_too() -> None:
    feedback = read_feedback(mail(PLAIN))
    assert feedback.message_id == "m2@shop.example.org"
    assert said(feedback) == [
        ("bob@example.com", "failed", "5.1.1"),
        ("ann@example.com", "failed", "5.2.2"),
    ]
    assert [classify(each.reply).reason.name for each in feedback.recipients] == [
        "no_such_recipient",
        "mailbox_full",
    ]


COMPLAINT = """
From: feedback@provider.example
Subject: FW: your news
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
Original-Rcpt-To: <bob@example.com>

--b
Content-Type: message/rfc822

Message-ID: <m3@shop.example.org>
To: bob@example.com

hello
--b--
"""


def test_a_complaint_names_who_complains() -> None:
    feedback = read_feedback(mail(COMPLAINT))
    assert (feedback.kind, feedback.complaint, feedback.message_id) == (
        "complaint",
        "abuse",
        "m3@shop.example.org",
    )
    assert [each.address for each in feedback.recipients] == ["bob@example.com"]


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Precedence: auto_reply",
        "X-Autoreply: yes",
        "Subject: Automatic reply: hello",
    ],
)
def test_who_is_away_is_no_failure(header: str) -> None:
    text = f"From: Bob <bob@example.com>\nReturn-Path: <>\n{header}\n\nI am away. Ask ann@example.com, no such luck.\n"
    assert read_feedback(mail(text)).kind == "auto_reply"


def test_a_person_who_answers_is_neither() -> None:
    text = "From: Bob <bob@example.com>\nSubject: Re: your news\nIn-Reply-To: <m4@shop.example.org>\n\nNo more.\n"
    feedback = read_feedback(mail(text))
    assert (feedback.kind, feedback.message_id, feedback.recipients) == ("other", "m4@shop.example.org", ())


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_any_bytes_are_read(data: bytes) -> None:
    read_feedback(data)


@pytest.mark.parametrize("part", [DSN, PLAIN, COMPLAINT])
@given(data=st.data())
def test_any_half_of_a_mail_is_read(part: str, data: st.DataObject) -> None:
    whole = mail(part)
    cut = data.draw(st.integers(0, len(whole)))
    read_feedback(whole[:cut] + data.draw(st.binary(max_size=5)) + whole[cut:])


def test_a_mail_of_nothing_but_parts_takes_no_time() -> None:
    deep = "Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 2_000
    read_feedback(mail(f"From: mailer-daemon@x.example\n{deep}"))
    read_feedback(mail("From: mailer-daemon@x.example\n\n" + "<a@example.com>: 550 no\n" * 20_000))


OURS = {
    "authfailure": "authentication", "badreputation": "reputation", "blocked": "blocked", "contenterror": "content",
    "exceedlimit": "too_large", "expired": "expired", "filtered": "refused_by_recipient", "hasmoved": "moved",
    "hostunknown": "no_such_host", "mailboxfull": "mailbox_full", "mailererror": "system", "mesgtoobig": "too_large",
    "networkerror": "network", "norelaying": "relaying_denied", "notaccept": "takes_no_mail",
    "notcompliantrfc": "content", "onhold": "unknown", "policyviolation": "policy", "rejected": "sender_refused",
    "requireptr": "reverse_dns", "securityerror": "security", "spamdetected": "spam", "suspend": "mailbox_disabled",
    "syntaxerror": "system", "systemerror": "system", "toomanyconn": "rate", "undefined": "unknown",
    "userunknown": "no_such_recipient", "virusdetected": "virus",
}  # fmt: skip
"""The collection's names for reasons, in ours."""


def verdict_of(feedback: Feedback, place: int) -> tuple[str, bool]:
    """The reason in our words, and whether the address will not do any more."""
    if feedback.kind != "bounce":
        return {"complaint": "feedback", "auto_reply": "vacation", "other": "?"}[feedback.kind], False
    if place >= len(feedback.recipients):
        return "?", False
    each = feedback.recipients[place]
    if each.action in ("delivered", "relayed", "expanded"):
        return "delivered", False
    reason = classify(each.reply, each.status, each.stage).reason
    return reason.name, reason.is_permanent and each.action == "failed"


@pytest.mark.skipif(not COLLECTION.is_dir(), reason="the collection of others' mails is not there")
def test_a_collection_of_real_mails_is_understood() -> None:
    rows = defaultdict(list)
    with (COLLECTION / "expected.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["mail"]].append(row)
    reasons, permanent = [], []
    for name, expected in rows.items():
        feedback = read_feedback((COLLECTION / "mail" / name).read_bytes())
        for place, row in enumerate(expected):
            reason, is_permanent = verdict_of(feedback, place)
            reasons.append(reason == OURS.get(row["reason"], row["reason"]))
            permanent.append(is_permanent == (row["hard_bounce"] == "true"))
    assert sum(reasons) / len(reasons) >= 0.85
    assert sum(permanent) / len(permanent) >= 0.93
