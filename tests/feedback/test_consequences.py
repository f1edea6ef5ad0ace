"""What follows from what comes back, rule by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.feedback.classify import classify
from angarium.feedback.consequences import Consequence, Earlier, Occurrence, SuppressionRules, follows
from angarium.feedback.reasons import REASONS

RULES = SuppressionRules()
NONE = Earlier()


def bounce(answer: str, type: str = "bounced", stage: str = "rcpt") -> Occurrence:
    found = answer.split(" ")[1] if answer[4:5].isdigit() and "." in answer[4:9] else ""
    return Occurrence(type, classify(answer, found, stage))


def of(what: Occurrence, earlier: Earlier = NONE, rules: SuppressionRules = RULES) -> tuple[str, str]:
    found = follows(what, earlier, rules)
    return found.effect, found.rule


@pytest.mark.parametrize(
    ("answer", "effect", "rule"),
    [
        ("550 5.1.1 no such user", "suppress", "hard bounce"),
        ("551 5.1.6 user has moved", "suppress", "hard bounce"),
        ("556 5.1.10 Domain does not accept mail (nullMX)", "suppress", "hard bounce"),
        ("552 5.2.2 mailbox is full", "nothing", "soft bounce"),
        ("550 5.2.1 this account has been disabled", "nothing", "soft bounce"),
        ("550 5.1.1 mailbox is full", "nothing", "soft bounce"),  # text beats a generic code
        ("550 5.1.1 no such user in our policy of SPF", "nothing", "fault of the sender"),
        ("552 5.3.4 message size exceeds fixed limit: message too large", "nothing", "fault of the content"),
        ("550 5.6.0 duplicate header", "nothing", "fault of the content"),
        ("554 5.7.1 this message looks like spam", "nothing", "fault of the content"),
        ("554 5.7.1 host [192.0.2.1] blocked using zen.spamhaus.org", "nothing", "fault of the host"),
        ("550 5.7.26 unauthenticated email from example.com", "nothing", "fault of the sender"),
        ("550 5.7.1 zzz", "nothing", "fault of the sender"),
        ("450 4.1.1 no such user", "nothing", "may pass"),
        ("550 zzz", "nothing", "reason unknown"),
    ],
)
def test_only_what_the_recipient_causes_for_good_suppresses(answer: str, effect: str, rule: str) -> None:
    assert of(bounce(answer)) == (effect, rule)


def test_user_unknown_suppresses_by_what_it_is_said_to() -> None:
    assert of(bounce("550 5.1.1 user unknown", stage="data")) == ("nothing", "soft bounce")
    assert of(bounce("550 5.1.1 user unknown", stage="mail")) == ("nothing", "fault of the sender")
    assert of(bounce("550 5.1.1 user unknown", "late_bounce", "")) == ("suppress", "hard bounce")


def test_a_domain_that_does_not_exist_suppresses_after_two_different_days() -> None:
    gone = bounce("550 5.1.2 Host or domain name not found: Name service error")
    first = follows(gone, NONE, RULES)
    assert (first.effect, first.reason, gone.verdict and gone.verdict.reason.number) == (
        "note",
        "hard_bounce",
        21,
    )
    assert "1 of 2 different days" in first.why
    assert of(gone, Earlier(days=1)) == ("suppress", "gone domain")
    assert of(gone, Earlier(days=1), RULES._replace(gone_domain_days=3))[0] == "note"
    assert of(gone, Earlier(days=9), RULES._replace(gone_domain_days=0))[0] == "nothing"


def test_complaints_and_unsubscriptions_suppress_in_their_stream_and_an_address_that_is_gone_everywhere() -> (
    None
):
    assert of(Occurrence("complaint", complaint="abuse")) == ("suppress", "complaint")
    assert of(Occurrence("unsubscribe")) == ("suppress", "unsubscription")
    assert {follows(Occurrence(type), NONE, RULES).scope for type in ("complaint", "unsubscribe")} == {
        "stream"
    }
    assert follows(bounce("550 5.1.1 no such user"), NONE, RULES).scope == "account"


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "dmarc"])
def test_who_reports_that_it_is_no_spam_does_not_complain(kind: str) -> None:
    assert of(Occurrence("complaint", complaint=kind)) == ("nothing", "no complaint")


@pytest.mark.parametrize("type", ["auto_reply", "delayed", "delivered", "open"])
def test_what_is_no_failure_is_none_whatever_its_words_are(type: str) -> None:
    assert of(bounce("550 5.1.1 no such user", type))[0] == "nothing"


def test_expired_mail_never_suppresses_whatever_was_answered_last() -> None:
    assert of(bounce("450 4.1.1 no such user", "expired")) == ("nothing", "expired")
    assert of(bounce("421 4.4.2 timeout", "expired")) == ("nothing", "expired")
    assert of(Occurrence("expired")) == ("nothing", "no answer")


def test_faults_of_others_suppress_after_so_many_in_a_row_where_that_is_asked_for() -> None:
    full, three = bounce("552 5.2.2 mailbox is full"), RULES._replace(in_a_row=3)
    assert of(full, Earlier(in_a_row=1), three) == ("note", "failures in a row")
    found = follows(full, Earlier(in_a_row=2), three)
    assert (found.effect, found.why) == ("suppress", "3 failures of class 22 (Mailbox Full) in a row")


def test_unsigned_feedback_for_several_recipients_suppresses_nobody() -> None:
    for what in (
        bounce("550 5.1.1 no such user", "late_bounce"),
        Occurrence("complaint"),
        Occurrence("unsubscribe"),
    ):
        assert of(what._replace(is_signed=False, recipients=2)) == ("nothing", "unsigned")
        assert of(what._replace(is_signed=False, recipients=1))[0] == "suppress"
        assert of(what._replace(is_signed=True, recipients=2))[0] == "suppress"


@given(
    st.sampled_from(sorted(REASONS)), st.booleans(), st.sampled_from(["bounced", "late_bounce", "expired"]),
    st.integers(0, 5),
)  # fmt: skip
def test_without_a_number_in_a_row_only_permanent_faults_of_recipients_suppress(
    name: str, is_transient: bool, type: str, days: int
) -> None:
    verdict = classify("")._replace(reason=REASONS[name], is_transient=is_transient)
    found: Consequence = follows(Occurrence(type, verdict), Earlier(days, days), RULES)
    assert found.why
    if found.effect != "nothing":
        assert (verdict.reason.is_permanent, verdict.reason.fault) == (True, "recipient")
        assert found.reason == "hard_bounce"
