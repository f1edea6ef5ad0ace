"""What returned mail says: of whom, and what became of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.feedback.classify import classify
from angarium.feedback.reading import Feedback, ReportedRecipient, read_feedback


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


TRANSCRIPT = """
From: MAILER-DAEMON@mx.example.net
Subject: Returned mail: User unknown

   ----- Transcript of session follows -----
554 <bob@example.com>... Remote protocol error: Connection reset by peer
550 example.org (smtp)... 550 Host unknown
554 <ann@example.org>... 550 Host unknown (Authoritative answer from name server)
While talking to mx.example.net:
>>> RCPT To:<eve@example.net>
<<< 550 No such user here.
550 <eve@example.net>... User unknown
"""


def test_a_line_of_a_transcript_blames_the_one_it_names() -> None:
    recipients = read_feedback(mail(TRANSCRIPT)).recipients
    assert [(each.address, classify(each.reply).reason.name) for each in recipients] == [
        ("bob@example.com", "network"),
        ("ann@example.org", "no_such_host"),
        ("eve@example.net", "no_such_recipient"),
    ]


ENVELOPE = """
From: post_master@mx.example.net
Subject: Undeliverable
Content-Type: multipart/alternative;
boundary="b"

--b
Content-Type: text/plain

Error message below:
550 - Requested action not taken: no such user here

Message details:
  MAIL FROM: shop@example.org
  RCPT TO: bob@example.com
  From: shop@example.org
  Size (in bytes): 222
--b--
"""


def test_what_was_asked_for_is_told_from_what_came_of_it() -> None:
    """Also where a parameter of Content-Type stands in a line of its own."""
    (bob,) = read_feedback(mail(ENVELOPE)).recipients
    assert (bob.address, classify(bob.reply).reason.name) == ("bob@example.com", "no_such_recipient")


def test_of_an_answer_of_many_lines_all_are_read() -> None:
    transcript = """
<<< 552-5.7.0 This message was blocked since its content
<<< 552 5.7.0 presents a potential security issue.
"""
    first = "552-5.7.0 This message was blocked since its content"
    told = DSN.replace("smtp; 550 5.1.1 no such user", f"smtp; {first}")
    told = told.replace("command)\n", f"command)\n{transcript}")
    reply = read_feedback(mail(told)).recipients[0].reply
    assert reply == (
        "552-5.7.0 This message was blocked since its content 552 5.7.0 presents a potential security issue."
    )


def test_what_a_status_says_in_words_is_read_where_there_is_no_answer() -> None:
    told = DSN.replace(
        "Status: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 mailbox full",
        "Status: 4.0.0 (example.com: host name lookup failure)",
    )
    ann = read_feedback(mail(told)).recipients[1]
    assert (ann.action, ann.status, ann.reply) == (
        "delayed",
        "4.0.0",
        "example.com: host name lookup failure",
    )


def test_a_report_within_a_report_is_read_where_the_outer_one_names_nobody() -> None:
    outer = """
From: MAILER-DAEMON@gateway.example.net
Subject: Returned mail
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: text/plain

The following addresses had permanent delivery errors

--outer
Content-Type: message/rfc822

"""
    inner = mail(outer) + mail(DSN) + b"\r\n--outer--\r\n"
    assert said(read_feedback(inner)) == said(read_feedback(mail(DSN)))
    named = outer.replace("delivery errors", "delivery errors\n<zoe@example.net>: 552 mailbox full")
    assert said(read_feedback(mail(named) + mail(DSN) + b"\r\n--outer--\r\n")) == [
        ("zoe@example.net", "failed", "")
    ]


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
