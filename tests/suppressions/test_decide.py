"""Which causes stop which mail."""

from typing import Any

import pytest

from angarium.core.ids import MessageId
from angarium.core.options import Options
from angarium.core.records import BULK, TRANSACTIONAL, ForwardPath, Message
from angarium.core.reply import Reply
from angarium.suppressions.decide import MailFacts, facts_of, stop_for, stopping
from angarium.suppressions.index.rules import Rules
from angarium.suppressions.records import ALL_BROADCAST, ALL_TRANSACTIONAL, Cause

NOW = 1_795_262_400.0


def cause(reason: str = "manual", scope: str = "*", **more: Any) -> Cause:
    given: dict[str, Any] = {
        "id": 5,
        "account": 1,
        "kind": "address",
        "what": "ann@example.com",
        "effect": "suppress",
        "origin": "cli",
        "at": NOW,
        "made_at": NOW,
        "actor": "cli:test",
        "holds": True,
    }
    return Cause(reason=reason, scope=scope, **{**given, **more})  # type: ignore[arg-type]


RECEIPT = MailFacts(1, 7, "outbound", transactional=True)
LETTER = MailFacts(1, 7, "news", transactional=False)


@pytest.mark.parametrize(
    ("facts", "there", "is_stopped"),
    [
        (RECEIPT, cause("hard_bounce"), True),
        (RECEIPT, cause("complaint"), True),
        (RECEIPT, cause("manual"), True),
        (RECEIPT, cause("unsubscribe"), False),  # from newsletters
        (RECEIPT, cause("unsubscribe", ALL_TRANSACTIONAL), True),
        (RECEIPT, cause("unsubscribe", "7/outbound"), True),
        (LETTER, cause("unsubscribe"), True),
        (LETTER, cause("unsubscribe", ALL_BROADCAST), True),
        (LETTER, cause("hard_bounce", "7/outbound"), False),
        (LETTER, cause("hard_bounce", "8/news"), False),
        (LETTER, cause("hard_bounce", ALL_TRANSACTIONAL), False),
        (LETTER._replace(reasons=("complaint",)), cause("unsubscribe"), False),
        (LETTER._replace(reasons=("complaint",)), cause("complaint"), True),
        (LETTER._replace(reasons=()), cause("hard_bounce"), False),
        (
            LETTER._replace(reasons=()),
            cause("manual"),
            True,
        ),  # what somebody has said is no matter of reasons
        (RECEIPT._replace(reasons=("unsubscribe",)), cause("unsubscribe"), True),
        (LETTER._replace(skips=True), cause("manual"), False),
        (LETTER._replace(skips=True), cause("compliance"), True),
        (LETTER._replace(reasons=(), skips=True), cause("compliance", account=None), True),
        (LETTER, cause(expires_at=NOW), False),
        (LETTER, cause(expires_at=NOW + 1), True),
        (LETTER, cause(holds=False), False),
    ],
)
def test_a_cause_stops_the_mail_that_it_is_about(facts: MailFacts, there: Cause, is_stopped: bool) -> None:
    assert stopping([there], facts, NOW) is (there if is_stopped else None)


def test_the_first_that_stops_it_is_told() -> None:
    told = cause("complaint", id=9, reply="", at=NOW)
    assert stopping([cause("unsubscribe"), told, cause()], RECEIPT, NOW) is told
    assert stop_for(told) == (
        Reply(550, "5.7.1", "[internal] the recipient is suppressed: complaint"),
        "suppression 9: complaint, 2026-11-21",
    )


def test_a_rule_is_told_with_the_answer_that_it_was_made_for() -> None:
    stop = stop_for(cause("hard_bounce", kind="domain", what="example.com", reply="550 5.1.1 gone"))
    assert stop.reply.text == "[internal] the recipient is suppressed by example.com: hard bounce"
    assert stop.note == "suppression 5: hard bounce, 2026-11-21: 550 5.1.1 gone"


def mail(lane: Any, **options: Any) -> Message:
    return Message(
        id=MessageId(b"m" * 16),
        received_at=NOW,
        reverse_path="a@example.com",
        recipients=(ForwardPath(address="ann@example.com", domain="example.com"),),
        binding="default",
        lane=lane,
        tenant="account-1",
        trace=b"",
        body_size=1,
        account=1,
        server=7,
        options=Options(**options),
    )


def test_what_decides_is_said_by_the_message() -> None:
    assert facts_of(mail(TRANSACTIONAL, stream="outbound")) == RECEIPT
    assert facts_of(mail(BULK, stream="news")) == LETTER
    assert facts_of(mail(BULK, transactional=True, skip_suppression=True, suppressed_by=("complaint",))) == (
        MailFacts(1, 7, "", True, ("complaint",), True)
    )


def test_rules_are_about_a_domain_what_is_below_it_or_what_looks_so() -> None:
    said = ["example.com", "*.example.net", "/^no-?reply@/"]
    kinds = ["domain", "domain", "pattern"]
    rules = Rules(
        cause(kind=kind, what=what, id=at) for at, (kind, what) in enumerate(zip(kinds, said, strict=True))
    )

    def found(text: str, account: int = 1) -> list[int]:
        return [each.id for each in rules.matching(account, text)]

    assert bool(rules)
    assert not Rules()
    assert found("ann@example.com") == [0]
    assert found("ann@mail.example.com") == []
    assert found("ann@example.net") == []
    assert found("ann@a.b.example.net") == [1]
    assert found("NoReply@a.example.net") == [1, 2]
    assert found("ann@example.com", account=2) == []
    assert [
        each.id for each in Rules([cause(account=None, kind="domain", what="x.org")]).matching(2, "a@x.org")
    ] == [5]
