"""Merging the workers' answers: pure, so tested as tables of what goes in and what comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.descriptors import Descriptors
from angarium.core.errors import AngariumError
from angarium.core.reasons import HoldReason
from angarium.node.conditions import Needs, NodeFacts
from angarium.node.merge import (
    Answers,
    merge_changes,
    merge_counts,
    merge_health,
    merge_history,
    merge_queues,
    merge_recipients,
)

THROTTLE = {
    "kind": "limit",
    "option": "Outbound_Throttle_Messages",
    "where": "angarium.conf:12",
    "limit": "50/60",
    "scope": "global",
}
RESTING = {"kind": "resting", "host": "mx.example.com", "reply": "421 4.3.2 closed"}
THROTTLED = "Outbound_Throttle_Messages 50/60 of global"
RESTED = "all addresses of mx.example.com are resting: 421 4.3.2 closed"


def queue(domain: str = "example.com", binding: str = "default", **fields: object) -> dict[str, object]:
    return {"binding": binding, "domain": domain, **fields}


def test_parts_of_one_queue_are_added_up():
    one = queue(
        active=3, delayed=5, held=1, in_flight=2, connections=1, lanes={"transactional": 3, "bulk": 5}
    )
    two = queue(active=10, in_flight=4, connections=2, lanes={"bulk": 10})
    (row,) = merge_queues(Answers({0: [one], 1: [two]}), None).rows
    assert (row.active, row.delayed, row.held, row.in_flight, row.connections) == (13, 5, 1, 6, 3)
    assert row.lanes == {"transactional": 3, "bulk": 15}
    assert row.waiting == 19


def test_oldest_and_next_try_are_the_earliest_and_the_last_reply_is_the_latest():
    one = queue(oldest=100.0, next_try=None, last_reply="451 first", last_reply_at=200.0)
    two = queue(oldest=90.0, next_try=300.0, last_reply="421 later", last_reply_at=210.0)
    (row,) = merge_queues(Answers({0: [one], 1: [two]}), None).rows
    assert (row.oldest, row.next_try, row.last_reply, row.last_reply_at) == (90.0, 300.0, "421 later", 210.0)


def held(cause: dict[str, object], waiting: int, **fields: object) -> dict[str, object]:
    return {**cause, "waiting": waiting, **fields}


def test_one_cause_in_two_workers_is_named_once_and_its_instants_are_a_range():
    parts = {
        0: [queue(active=3, held_by=[held(RESTING, 3, reply_at=5.0, since=4.0, next_try=60.0, last_try=60.0)])],
        1: [queue(active=4, held_by=[held(RESTING, 2, reply_at=4.0, reply="421", next_try=61.0, last_try=75.0),
                                     held(THROTTLE, 2)])],
    }  # fmt: skip
    (row,) = merge_queues(Answers(parts), None).rows
    resting, throttled = row.held_by
    assert (resting.text, resting.waiting, resting.queues) == (RESTED, 5, 1)
    assert (resting.since, resting.next_try, resting.last_try) == (4.0, 60.0, 75.0)
    assert (throttled.text, throttled.waiting) == (THROTTLED, 2)


def test_causes_that_a_list_has_no_room_for_are_counted_in_its_last_line():
    rows = [
        queue(f"d{n}.example", active=n, held_by=[held(RESTING, n, host=f"mx{n}.example")])
        for n in range(1, 31)
    ]
    totals = merge_queues(Answers({0: rows[::2], 1: rows[1::2]}), 20).totals
    assert sum(reason.waiting for reason in totals.reasons) == totals.waiting == 465
    assert [reason.text for reason in totals.reasons[-2:]] == [
        "all addresses of mx22.example are resting: 421 4.3.2 closed",
        "21 other causes",
    ]
    assert len(merge_queues(Answers({0: rows}), None).totals.reasons) == 30


def test_same_domain_of_another_binding_is_another_queue():
    parts = {0: [queue(binding="a", active=1)], 1: [queue(binding="b", active=2)]}
    assert [(row.binding, row.active) for row in merge_queues(Answers(parts), None).rows] == [
        ("b", 2),
        ("a", 1),
    ]


def test_a_limit_keeps_the_heaviest_queues_and_the_totals_of_all():
    rows = [queue(f"d{n}.example", active=n, oldest=float(n)) for n in range(1, 11)]
    queues = merge_queues(Answers({0: rows[:5], 1: rows[5:]}), 3)
    assert [row.domain for row in queues.rows] == ["d10.example", "d9.example", "d8.example"]
    assert (queues.totals.queues, queues.totals.waiting, queues.totals.oldest) == (10, 55, 1.0)


@pytest.mark.parametrize(
    ("sort", "domains"),
    [
        ("waiting", ["c.example", "b.example", "a.example"]),
        ("oldest", ["b.example", "c.example", "a.example"]),
        ("flight", ["a.example", "c.example", "b.example"]),
        ("next", ["c.example", "a.example", "b.example"]),
        ("domain", ["a.example", "b.example", "c.example"]),
    ],
)
def test_queues_are_sorted_before_a_limit_leaves_some_out(sort, domains):
    rows = [
        queue("a.example", active=1, in_flight=9, next_try=7.0),
        queue("b.example", active=2, oldest=1.0),
        queue("c.example", active=3, oldest=2.0, next_try=5.0),
    ]
    answers = Answers({0: rows[:1], 1: rows[1:]})
    assert [row.domain for row in merge_queues(answers, None, sort).rows] == domains
    assert [row.domain for row in merge_queues(answers, 2, sort).rows] == domains[:2]


def test_a_queue_with_nothing_but_open_connections_is_not_one_that_mail_waits_in():
    rows = [queue("idle.example", connections=1), queue("busy.example", held=1)]
    totals = merge_queues(Answers({0: rows}), None).totals
    assert (totals.queues, totals.waited_in) == (2, 1)


def test_reasons_are_weighed_by_the_mail_that_waits_for_them():
    rows = [
        queue("a.example", active=1, held_by=[held(RESTING, 1, domains=["a.example"])]),
        queue("b.example", active=5, held_by=[held(THROTTLE, 5, domains=["b.example"])]),
        queue("c.example", active=6, held_by=[held(THROTTLE, 6, domains=["c.example"])]),
    ]
    reasons = merge_queues(Answers({0: rows}), 0).totals.reasons
    assert [(reason.text, reason.waiting, reason.queues, reason.domains) for reason in reasons] == [
        (THROTTLED, 11, 2, ["c.example", "b.example"]),
        (RESTED, 1, 1, ["a.example"]),
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 100)), max_size=30))
def test_how_mail_is_spread_over_workers_does_not_matter(parts):
    spread: dict[int, list[dict[str, object]]] = {}
    together: dict[str, int] = {}
    for worker, domain, count in parts:
        name = f"d{domain}.example"
        spread.setdefault(worker, []).append(queue(name, delayed=count))
        together[name] = together.get(name, 0) + count
    rows = merge_queues(Answers(dict(spread)), None).rows
    assert {row.domain: row.delayed for row in rows} == together


def test_a_worker_that_is_away_is_named():
    queues = merge_queues(Answers({0: []}, {1: "started again after it died"}), None)
    assert queues.problems == ["worker 1: started again after it died"]


def test_recipients_come_in_the_order_in_which_they_are_due_and_held_ones_last():
    def row(name: str, due_at: float, state: str = "queued") -> dict[str, object]:
        return {"message": "00", "recipient": name, "due_at": due_at, "state": state}

    answers = Answers({0: [row("c", 3.0), row("held", 0.0, "held")], 1: [row("a", 1.0), row("b", 2.0)]})
    assert [each.recipient for each in merge_recipients(answers, 10).rows] == ["a", "b", "c", "held"]
    cut = merge_recipients(answers, 3)
    assert ([each.recipient for each in cut.rows], cut.more) == (["a", "b", "c"], True)


def test_a_message_is_told_by_the_worker_that_has_it():
    story = {
        "message": {"id": "00", "sender": "a@example.com"},
        "recipients": [{"message": "00", "recipient": "b@example.org"}],
        "events": [{"type": "delayed", "at": 2.0}, {"type": "received", "at": 1.0}],
    }
    history = merge_history(Answers({0: {}, 1: story}))
    assert history.message is not None
    assert history.message["sender"] == "a@example.com"
    assert [event["type"] for event in history.events] == ["received", "delayed"]
    assert history.recipients[0].recipient == "b@example.org"


def test_a_message_that_nobody_knows_is_none():
    assert merge_history(Answers({0: {}, 1: {"message": None}})).message is None


def test_counts_and_changes_are_added_up():
    counts = Answers({0: {"waiting": 3, "in_flight": 3}, 1: {"waiting": 9, "in_flight": 6}})
    assert (merge_counts(counts).waiting, merge_counts(counts).in_flight) == (12, 9)
    changes = merge_changes(Answers({0: {"changed": 1, "in_flight": 0}, 1: {"changed": 2, "in_flight": 1}}))
    assert (changes.changed, changes.in_flight) == (3, 1)


def test_an_error_that_all_workers_give_is_said_once():
    with pytest.raises(AngariumError, match=r"^there is no binding 'x'$"):
        Answers({}, {0: "there is no binding 'x'", 1: "there is no binding 'x'"}).need_one()
    Answers({0: None}, {1: "away"}).need_one()


AROUND = NodeFacts(hostname="mx.example.com", needs=Needs(100, "a limit"), descriptors=Descriptors(8, 1000))
WELL = {"accepting": "", "unwell": "", "recovered": True, "listening": 1}


@pytest.mark.parametrize(
    ("answers", "not_ready", "unwell"),
    [
        (Answers({0: WELL, 1: WELL}), [], []),
        (Answers({0: WELL}, {1: "reading its spool"}), ["worker 1: reading its spool"], []),
        (Answers({0: {**WELL, "listening": 0}}), ["worker 0: not listening"], []),
        (Answers({0: {**WELL, "recovered": False}}), ["worker 0: still reading its spool"], []),
        (
            Answers({0: {**WELL, "accepting": "452 4.3.1 disk full", "unwell": "disk full"}}),
            ["worker 0: refuses mail: 452 4.3.1 disk full"],
            ["worker 0: disk full"],
        ),
        (Answers({0: {**WELL, "unwell": "a sync failed"}}), [], ["worker 0: a sync failed"]),
    ],
)
def test_ready_means_that_every_worker_takes_mail_and_well_that_no_disk_call_failed(
    answers, not_ready, unwell
):
    health = merge_health(answers, AROUND)
    assert (health.not_ready, health.unwell) == (not_ready, unwell)


def test_what_several_workers_note_of_the_machine_is_said_once():
    note = {**WELL, "note": "no name server"}
    assert merge_health(Answers({0: note, 1: WELL, 2: note}), AROUND).notes == ["no name server"]
    assert not merge_health(Answers({0: {**WELL, "note": ""}}), AROUND).notes


def test_holds_are_shown_with_the_option_and_the_place_that_set_it():
    limit = HoldReason(
        kind="limit", option="Max_Outbound_Connections", limit="3", scope="a.b", where="angarium.conf:3"
    )
    assert str(limit) == "Max_Outbound_Connections 3 of a.b (angarium.conf:3)"
    assert str(HoldReason(kind="put_off", option="Retry_Interval")) == "put off (Retry_Interval, default)"
    encrypted = HoldReason(kind="resting", option="TLS", host="mx", reply="451 [internal] STARTTLS required")
    assert str(encrypted) == "all addresses of mx are resting: STARTTLS required (TLS, default)"
    assert str(HoldReason(kind="held")) == "held; `angarium release` lets it go"
