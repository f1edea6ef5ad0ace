"""The sentence of a reason, and what many reasons of one cause become."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.reasons import HoldReason, Kind, merged, most, sentence

SAID = {
    "suspended": "suspended",
    "limit": "Max_Outbound_Connections 3 of here; what more there is to say",
    "crowded": "192.0.2.1:25 takes no more than 3 sessions: cannot connect",
    "silent": "silent at 192.0.2.1:25 (mx.example.com): what more there is to say is awaited",
    "resting": "all addresses of mx.example.com are resting: cannot connect",
    "delayed": "delayed after what more there is to say at mx.example.com: cannot connect",
    "local": "binding b cannot open connections here: cannot connect",
    "dns": "cannot connect",
    "route": "no route: cannot connect",
    "memory": "what more there is to say",
    "paused": "delivery pauses: what more there is to say",
    "draining": "the node is stopping",
    "put_off": "put off at mx.example.com: cannot connect",
    "unreachable": "put off: mx.example.com could not be reached: cannot connect",
    "ambiguous": "put off, since it may have been delivered: cannot connect",
    "scheduled": "not due yet",
    "held": "held; `angarium release` lets it go",
    "held_ambiguous": "held, since it may have been delivered: cannot connect; "
    "`angarium release` tries again, `fail` does not",
    "held_feedback": "mail to this node, kept for its reader",
    "delivering": "being delivered at 192.0.2.1:25 (mx.example.com): what more there is to say is awaited",
    "moving": "what more there is to say",
    "others": "what more there is to say",
}


def reason(kind: Kind) -> HoldReason:
    return HoldReason(
        kind=kind,
        option="Max_Outbound_Connections",
        scope="here",
        limit="3",
        host="mx.example.com",
        address="192.0.2.1:25",
        binding="b",
        domains=["example.com"],
        reply="451 4.4.1 [internal] cannot connect",
        reply_at=1.0,
        since=1_800_000_000.0,
        next_try=1_800_000_001.0,
        last_try=1_800_000_002.0,
        detail="what more there is to say",
    )


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_its_sentence_with_no_time_in_it(kind: Kind) -> None:
    assert sentence(reason(kind)) == SAID[kind]


def test_what_a_peer_says_is_quoted_whole_also_if_it_looks_like_ours() -> None:
    said = HoldReason(kind="put_off", reply="451 4.7.1 said by [internal] relay")
    assert sentence(said) == "put off: 451 4.7.1 said by [internal] relay"


def test_a_cause_of_many_queues_says_of_how_many_more_its_words_are_true() -> None:
    failing = HoldReason(kind="dns", reply="451 4.4.3 [internal] DNS gives no answer about a.test: SERVFAIL")
    [together] = merged([failing, failing, failing])
    assert together.text == "DNS gives no answer about a.test: SERVFAIL, and so of 2 more queues"


REASONS = st.lists(
    st.builds(
        HoldReason,
        kind=st.sampled_from(["limit", "dns", "put_off", "held"]),
        option=st.sampled_from(["", "Retry_Interval"]),
        host=st.sampled_from(["", "a.test", "b.test"]),
        domains=st.lists(st.sampled_from(["x.test", "y.test", "z.test"]), min_size=1, max_size=1),
        waiting=st.integers(1, 1000),
        since=st.none() | st.floats(0, 100),
        next_try=st.none() | st.floats(0, 100),
        last_try=st.none() | st.floats(0, 100),
        reply_at=st.none() | st.floats(0, 100),
    )
)


@given(reasons=REASONS, cut=st.integers(0, 40), count=st.integers(1, 5))
def test_nothing_is_lost_or_counted_twice_however_reasons_are_put_together(
    reasons: list[HoldReason], cut: int, count: int
) -> None:
    whole = merged(reasons)
    assert sum(each.waiting for each in whole) == sum(each.waiting for each in reasons)
    assert sum(each.queues for each in whole) == len(reasons)
    assert len({each.cause for each in whole}) == len(whole)
    assert [each.waiting for each in whole] == sorted((each.waiting for each in whole), reverse=True)
    by_parts = merged([*merged(reasons[:cut]), *merged(reasons[cut:])])
    assert {
        each.cause: (each.waiting, each.queues, each.since, each.next_try, each.last_try) for each in by_parts
    } == {each.cause: (each.waiting, each.queues, each.since, each.next_try, each.last_try) for each in whole}
    shown = most(whole, count)
    assert len(shown) <= count
    assert sum(each.waiting for each in shown) == sum(each.waiting for each in whole)
