"""When a recipient is tried again, and when it is given up."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.config.model import OutboundOptions
from angarium.core.ids import MessageId
from angarium.core.records import BULK, Attempt, Event, ForwardPath, Message, Recipient
from angarium.core.reply import Reply
from angarium.queue.commands import Result, Verdict
from angarium.queue.outcomes import expired, judge
from angarium.queue.retry import retry_wait_s, sweep_at

LATER = Reply(450, "4.2.0", "later")


def recipient(attempts: int = 0) -> Recipient:
    path = ForwardPath(address="u@x.example", domain="x.example")
    message = Message(
        id=MessageId(bytes(16)),
        received_at=1000.0,
        reverse_path="s@y.example",
        recipients=(path,),
        binding="default",
        lane=BULK,
        tenant="a",
        trace=b"",
        body_size=10,
    )
    made = Recipient(message, 0, "default", "x.example")
    made.attempts = attempts
    return made


def outcome(verdict: Verdict, now: float = 1010.0, attempts: int = 0, **options: Any) -> Event | None:
    result = Result(recipient(attempts), verdict, LATER, Attempt(started_at=now, stage="final"))
    return judge(result, OutboundOptions(**options), now, Random(1))


@given(st.integers(1, 10_000), st.integers(1, 100_000), st.integers(1, 1_000_000), st.integers())
def test_the_wait_doubles_up_to_its_cap_and_is_stretched_by_a_fifth_at_most(
    attempts: int, first: int, most: int, seed: int
) -> None:
    options = OutboundOptions(retry_interval=first, max_retry_interval=most)
    wait = retry_wait_s(attempts, options, Random(seed))
    base = min(first * 2 ** min(attempts - 1, 64), max(first, most))
    assert base <= wait <= base * 1.2 + 1e-6


def test_equal_intervals_are_a_fixed_interval() -> None:
    options = OutboundOptions(retry_interval=600, max_retry_interval=600)
    assert {int(retry_wait_s(n, options, Random(0)) // 121) for n in range(1, 9)} <= {4, 5}


def test_the_first_try_and_all_retries_are_made_and_no_more() -> None:
    kept = outcome("transient", attempts=1, max_retries=2)
    given_up = outcome("transient", attempts=2, max_retries=2)
    assert kept is not None
    assert given_up is not None
    assert (kept.type, given_up.type) == ("delayed", "expired")
    assert str(given_up.reply).startswith("554 5.4.7 [internal]")
    assert "450 4.2.0 later" in given_up.note


def test_the_last_try_is_due_at_the_expiry() -> None:
    event = outcome("transient", message_expiration=500, retry_interval=1200)
    assert event is not None
    assert event.due_at == 1500.0


def test_mail_that_fails_after_its_expiry_is_given_up() -> None:
    event = outcome("transient", now=1500.0, message_expiration=500)
    assert event is not None
    assert event.state == "expired"


def test_never_retry_makes_a_temporary_failure_final() -> None:
    event = outcome("transient", never_retry=True)
    assert event is not None
    assert event.state == "bounced"


@pytest.mark.parametrize(("policy", "state"), [("retry", "queued"), ("hold", "held")])
def test_an_ambiguous_attempt_is_retried_or_held_as_configured(policy: str, state: str) -> None:
    event = outcome("ambiguous", ambiguous_delivery=policy)
    assert event is not None
    assert (event.type, event.state, event.attempts) == ("ambiguous", state, 1)


def test_an_ambiguous_attempt_can_be_the_last() -> None:
    event = outcome("ambiguous", attempts=2, max_retries=2)
    assert event is not None
    assert event.type == "expired"


def test_what_was_not_tried_counts_nothing() -> None:
    assert outcome("untried") is None


def test_old_mail_expires_without_a_try_only_where_that_is_set() -> None:
    plain = OutboundOptions(message_expiration=500)
    strict = OutboundOptions(message_expiration=500, never_attempt_expired_messages=True)
    assert sweep_at(recipient(), plain) > sweep_at(recipient(), strict) == 1500.0
    assert expired(recipient(), strict, 1499.0) is None
    event = expired(recipient(), strict, 1500.0)
    assert event is not None
    assert event.reply is not None
    assert (event.state, event.reply.enhanced) == ("expired", "5.4.5")
