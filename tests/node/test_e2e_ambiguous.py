"""Lost between the final dot and its reply: what the policy promises, also when the process dies just then."""

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process

TO = "you@example.com"
HOLD = "Ambiguous_Delivery = hold\nRetry_Interval = 1\nIdle_Timeout = 0\n"


def routed(sink, more=HOLD):
    return f'Routes = ( "127.0.0.1:{sink.port}" )\nHost_Failure_Retry = 0\n{more}'


def types(ask, node, message):
    return [event["type"] for event in ask(node, "message", id=message)["events"]]


def test_hold_sets_the_mail_aside_until_an_operator_releases_it(lab, ask, act, queue_row, drained):
    sink = lab.sink("on final first 1: keep; close")
    with Node(routed(sink)) as node:
        message = submit(node.smtp_port, "me@example.org", [TO])
        row = queue_row(node, "example.com", lambda row: row and row["held"] == 1)
        assert row["active"] == row["delayed"] == 0
        assert types(ask, node, message) == ["intent", "ambiguous"]
        assert act(node, "release", message=message) == 1
        sink.wait_for_messages(2)
        drained(node, "example.com")
        assert types(ask, node, message)[2:] == ["released", "intent", "delivered"]


def test_hold_holds_after_the_worker_was_killed_between_final_dot_and_reply(
    lab, ask, act, queue_row, drained
):
    sink = lab.sink("on final first 1: keep; hang")
    with Node(routed(sink), workers=1) as node:
        message = submit(node.smtp_port, "me@example.org", [TO])
        sink.wait_for_messages(1)
        node.kill_worker()
        queue_row(node, "example.com", lambda row: row and row["held"] == 1)
        assert types(ask, node, message)[-1] == "intent"
        assert act(node, "release", message=message) == 1
        drained(node, "example.com")
        assert len(sink.wait_for_messages(2)) == 2


def test_hold_holds_also_what_had_been_put_off_before(lab, act, queue_row):
    sink = lab.sink("on rcpt first 1: reply 450 4.2.0 later\non final first 1: keep; hang")
    with Node(routed(sink, HOLD.replace("Retry_Interval = 1", "Retry_Interval = 3600")), workers=1) as node:
        submit(node.smtp_port, "me@example.org", [TO])
        queue_row(node, "example.com", lambda row: row and row["delayed"] == 1)
        assert act(node, "flush", domain="example.com") == 1
        sink.wait_for_messages(1)
        node.kill_worker()
        queue_row(node, "example.com", lambda row: row and row["held"] == 1)
        assert sink.counters.messages == 1


def test_retry_tries_again_and_says_that_it_may_be_a_duplicate(lab, ask, drained):
    sink = lab.sink("on final first 1: keep; close")
    with Node(routed(sink, "Retry_Interval = 1\n")) as node:
        message = submit(node.smtp_port, "me@example.org", [TO])
        first, second = sink.wait_for_messages(2)
        assert first.data == second.data
        drained(node, "example.com")
        assert types(ask, node, message) == ["ambiguous", "delivered"]


def test_hold_does_not_hold_what_a_stop_cut_off_before_the_final_dot(lab, drained):
    sink = lab.sink("withhold CHUNKING\non rcpt first 1: hang")
    with Node(routed(sink)) as node:
        submit(node.smtp_port, "me@example.org", [TO])
        sink.wait_for(lambda: sink.counters.commands >= 3)
        node.restart()
        sink.wait_for_messages(1)
        drained(node, "example.com")


def test_hold_holds_what_a_stop_cut_off_after_the_final_dot(lab, ask, queue_row):
    sink = lab.sink("on final first 1: keep; hang")
    with Node(routed(sink, f"{HOLD}Drain_Timeout = 1\n")) as node:
        message = submit(node.smtp_port, "me@example.org", [TO])
        sink.wait_for_messages(1)
        node.restart()
        queue_row(node, "example.com", lambda row: row and row["held"] == 1)
        assert types(ask, node, message)[-1] == "ambiguous"
