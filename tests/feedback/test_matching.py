"""Whom a mail that came back is about, and that nobody is blamed for what is not said of himself."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.records import FACT_FIELDS, Fact, ForwardPath, Message
from angarium.feedback.matching import Mailing, facts_of
from angarium.render.return_path import ReturnKind, SignedReturnPaths
from angarium.testing.spool import make_message

NOW = 1_900_000_000.0
RETURNS = SignedReturnPaths(lambda: (b"k" * 32,))
ID = MessageId(new_id(NOW - 3600))
OTHER = MessageId(new_id(NOW - 7200))
SENT = {
    ID: Mailing(ID, {0: "gone@far.test", 1: "ann@far.test"}, 7, 3),
    OTHER: Mailing(OTHER, {0: "lone@far.test"}, 8),
}
NAMES = {"order@shop.test": ID, "lone@shop.test": OTHER}


class Sent:
    """Implements Mailings."""

    def by_id(self, message: MessageId) -> Mailing | None:
        return SENT.get(message)

    def by_message_id(self, text: str) -> Mailing | None:
        return SENT[NAMES[text]] if text in NAMES else None


def signed(index: int = 0, message: MessageId = ID, kind: ReturnKind = "bounce") -> str:
    return RETURNS.address(kind, message, index, "back.test")


def mail_to(*addresses: str) -> Message:
    paths = tuple(ForwardPath(address=address, domain=address.rpartition("@")[2]) for address in addresses)
    mail = make_message("back.test", fate="feedback")
    return msgspec.structs.replace(mail, id=MessageId(new_id(NOW)), recipients=paths)


def said(text: str, *to: str) -> list[Fact]:
    facts = facts_of(mail_to(*(to or ("fbl@back.test",))), text.encode(), RETURNS, Sent())
    for fact in facts:
        assert set(fact.fields) <= set(FACT_FIELDS[fact.kind])  # type: ignore[index]
    return facts


def one(text: str, *to: str) -> Fact:
    (fact,) = said(text, *to)
    return fact


def group(
    address: str, action: str = "failed", status: str = "5.1.1", code: str = "550 5.1.1 no such user"
) -> str:
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {code}\n"


def dsn(*groups: str, returned: str = "") -> str:
    fields = "\n".join(groups)
    return (
        "From: MAILER-DAEMON@far.test\nSubject: Undelivered\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; far.test\n\n{fields}\n--b\nContent-Type: text/rfc822-headers\n\n{returned}\n--b--\n"
    )


def arf(kind: str = "abuse", returned: str = "", rcpt: str = "") -> str:
    named = f"Original-Rcpt-To: {rcpt}\n" if rcpt else ""
    return (
        "From: fbl@far.test\nSubject: complaint\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nVersion: 1\n{named}\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}Subject: x\n\nx\n--b--\n"
    )


# -- bounces


def test_a_bounce_is_of_the_recipient_whose_return_path_it_came_to() -> None:
    fact = one(dsn(group("gone@far.test")), signed(0))
    assert (fact.kind, fact.message, fact.index, fact.account, fact.server) == ("late_bounce", ID, 0, 7, 3)
    assert fact.fields["reply"] == "550 5.1.1 no such user"
    assert (fact.fields["status"], fact.fields["class"], fact.fields["reason"]) == (
        "5.1.1",
        10,
        "no_such_recipient",
    )
    assert (fact.fields["by"], fact.fields["from"]) == ("return_path", "MAILER-DAEMON@far.test")
    assert "reported" not in fact.fields


def test_microsofts_rewritten_recipient_is_matched_by_its_return_path() -> None:
    fact = one(dsn(group("ann_far.test#EXT#@tenant.onmicrosoft.test")), signed(1))
    assert (fact.kind, fact.index) == ("late_bounce", 1)
    assert fact.fields["reported"] == "ann_far.test#EXT#@tenant.onmicrosoft.test"


def test_of_several_only_the_one_that_failed_is_blamed() -> None:
    text = dsn(group("gone@far.test"), group("ann@far.test", "delivered", "2.0.0", "250 ok"))
    assert (one(text, signed(0)).kind, one(text, signed(0)).index) == ("late_bounce", 0)
    delivered = one(text, signed(1))
    assert (delivered.kind, delivered.index, delivered.fields["about"]) == ("feedback", 1, "delivered")


def test_strangers_with_different_fates_blame_nobody() -> None:
    """A list that this recipient was: one member failed, one did not."""
    text = dsn(group("x@list.test"), group("y@list.test", "delivered", "2.0.0", "250 ok"))
    fact = one(text, signed(0))
    assert (fact.kind, fact.index) == ("feedback", 0)
    assert "several recipients" in fact.fields["why"]


def test_a_delay_is_no_bounce_and_no_550_is_invented() -> None:
    fact = one(dsn(group("gone@far.test", "delayed", "4.4.1", "450 4.4.1 not now")), signed(0))
    assert (fact.kind, fact.fields["about"]) == ("feedback", "delayed")
    assert fact.fields["reply"] == "450 4.4.1 not now"
    silent = one("From: MAILER-DAEMON@far.test\nSubject: Mail delivery failed\n\nSomething.\n", signed(0))
    assert (silent.kind, silent.index) == ("feedback", 0)


def test_words_without_an_address_bounce_where_they_are_known() -> None:
    text = "From: MAILER-DAEMON@far.test\nSubject: Mail delivery failed\n\n550 5.1.1 user unknown\n"
    fact = one(text, signed(1))
    assert (fact.kind, fact.index, fact.fields["reason"]) == ("late_bounce", 1, "no_such_recipient")


def test_an_unknown_message_is_still_the_one_its_return_path_names() -> None:
    """The recorder may not have read that it was accepted, or have forgotten it."""
    unknown = MessageId(new_id(NOW - 10))
    fact = one(dsn(group("gone@far.test")), signed(5, unknown))
    assert (fact.kind, fact.message, fact.index, fact.account) == ("late_bounce", unknown, 5, 0)


# -- what nobody has signed


RETURNED = "Message-ID: <order@shop.test>"
LONE = "Message-ID: <lone@shop.test>"


def test_by_the_message_id_one_recipient_that_is_named_may_be_blamed() -> None:
    fact = one(dsn(group("ANN@far.test"), returned=RETURNED))
    assert (fact.kind, fact.message, fact.index, fact.fields["by"]) == ("late_bounce", ID, 1, "message_id")


@pytest.mark.parametrize(
    "text",
    [
        dsn(group("gone@far.test"), group("ann@far.test"), returned=RETURNED),  # several
        dsn(group("who@far.test"), returned=RETURNED),  # none of its recipients
        dsn(group("who@far.test"), returned=LONE),
        arf(returned=RETURNED + "\n"),  # left out, and there are two
        arf(returned=RETURNED + "\n", rcpt="gone@far.test, ann@far.test"),
    ],
)
def test_what_is_unsigned_and_may_be_about_several_blames_nobody(text: str) -> None:
    fact = one(text)
    assert (fact.kind, fact.index, fact.fields["by"]) == ("feedback", -1, "message_id")
    assert fact.message in (ID, OTHER)


def test_a_message_id_of_our_own_may_say_which_recipient_it_was() -> None:
    numbered = f"Message-ID: <{format_id(ID)}.1@mail.test>\n"
    fact = one(arf(returned=numbered))
    assert (fact.kind, fact.message, fact.index) == ("complaint", ID, 1)
    about_another = one(dsn(group("who@far.test"), returned=numbered))
    assert (about_another.kind, about_another.index) == ("feedback", -1)
    assert one(arf(returned=numbered.replace(".1@", ".7@"))).index == -1


def test_the_id_in_the_trace_says_which_message_it_was() -> None:
    trace = (
        f"Received: from a by mail.test with ESMTP\n id {format_id(OTHER)}; Tue, 1 Dec 2026 00:00:00 +0000"
    )
    fact = one(dsn(group("lone@far.test"), returned=trace))
    assert (fact.kind, fact.message, fact.index, fact.fields["by"]) == ("late_bounce", OTHER, 0, "trace")
    ours = f"Message-ID: <{format_id(OTHER)}@mail.test>"
    assert one(dsn(group("lone@far.test"), returned=ours)).fields["by"] == "message_id"


def test_what_belongs_to_no_mail_is_kept_to_be_looked_at() -> None:
    fact = one(dsn(group("x@far.test"), returned="Message-ID: <other@elsewhere.test>"))
    assert (fact.kind, fact.message, fact.index) == ("feedback", None, -1)
    assert fact.fields["why"] == "it names no message that was sent from here"
    assert (fact.fields["reported"], fact.fields["reply"]) == ("x@far.test", "550 5.1.1 no such user")
    assert fact.fields["text"] == "Sorry."


# -- complaints, programs, people


def test_a_complaint_is_of_the_recipient_whose_address_stands_in_it() -> None:
    fact = one(arf(returned=f"Return-Path: <{signed(1)}>\n"))
    assert (fact.kind, fact.message, fact.index, fact.fields["type"]) == ("complaint", ID, 1, "abuse")
    assert fact.fields["by"] == "return_path"
    link = one(arf(returned=f"List-Unsubscribe: <mailto:{signed(1, kind='unsubscribe').upper()}>\n"))
    assert (link.kind, link.index) == ("complaint", 1)


def test_addresses_of_several_in_one_mail_name_nobody() -> None:
    both = f"X-One: {signed(0)}\nX-Two: {signed(1)}\n"
    assert one(arf(returned=both)).kind == "feedback"


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_report_that_complains_of_nothing_is_no_complaint(kind: str) -> None:
    fact = one(arf(kind, f"Return-Path: <{signed(1)}>\n"))
    assert (fact.kind, fact.fields["about"], fact.fields["type"]) == ("feedback", "report", kind)


def test_a_lone_recipient_whom_the_provider_leaves_out_has_complained() -> None:
    fact = one(arf(returned=f"{LONE}\n"))
    assert (fact.kind, fact.message, fact.index) == ("complaint", OTHER, 0)


def test_an_automatic_answer_is_told_as_one() -> None:
    fact = one(
        "From: ann@far.test\nAuto-Submitted: auto-replied\nSubject: Out of office\n\nback soon\n", signed(1)
    )
    assert (fact.kind, fact.message, fact.index) == ("auto_reply", ID, 1)


def test_who_writes_to_the_address_for_it_wants_no_more() -> None:
    fact = one("From: ann@far.test\nSubject: unsubscribe\n\n", signed(1, kind="unsubscribe"))
    assert (fact.kind, fact.message, fact.index, fact.account) == ("unsubscribe", ID, 1, 7)
    away = "From: ann@far.test\nAuto-Submitted: auto-replied\nSubject: Out of office\n\nback soon\n"
    assert one(away, signed(1, kind="unsubscribe")).kind == "auto_reply"


def test_what_a_person_writes_is_kept_with_its_words() -> None:
    fact = one("From: ann@far.test\nSubject: question\n\nWhere is my order?\n", signed(1))
    assert (fact.kind, fact.index, fact.fields["about"]) == ("feedback", 1, "words")
    assert (fact.fields["text"], fact.fields["subject"]) == ("Where is my order?", "question")


# -- any mail


@given(st.binary(max_size=2_000), st.sampled_from([(), (signed(0),), (signed(0), signed(1))]))
def test_of_any_mail_something_is_said_and_the_same_each_time(text: bytes, to: tuple[str, ...]) -> None:
    mail = mail_to(*(to or ("fbl@back.test",)))
    facts = facts_of(mail, text, RETURNS, Sent())
    assert len(facts) == max(1, len(to))
    assert facts == facts_of(mail, text, RETURNS, Sent())
    assert len({fact.id for fact in facts}) == len(facts)
    assert all(fact.at == mail.received_at for fact in facts)


@given(st.integers(1, 200))
def test_many_ids_in_one_mail_are_looked_up_within_bounds(count: int) -> None:
    asked: list[Any] = []

    class Counting(Sent):
        def by_id(self, message: MessageId) -> Mailing | None:
            asked.append(message)
            return None

    text = "".join(f"Received: x id {number:032x}\n" for number in range(count)) + "\ntext"
    facts_of(mail_to("fbl@back.test"), text.encode(), RETURNS, Counting())
    assert len(asked) == min(count, 100)
