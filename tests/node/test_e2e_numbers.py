"""The numbers of a running node: what an operator's graphs are drawn from."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process

CONFIG = """
Retry_Interval = 1000
Domain "later.test" {{ Routes = ( "127.0.0.1:{port}" ) }}
Domain "there.test" {{ Routes = ( "127.0.0.1:{port}" ) }}
"""
Numbers = dict[tuple[str, ...], float]


def numbers_of(node: Node) -> Numbers:
    """Every number, by its name and the values of its labels in the order of their names."""
    return {
        (
            sample.name.removeprefix("angarium_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(node.get("/metrics")[1])
        for sample in family.samples
    }


@pytest.fixture
def until() -> Callable[[Node, Callable[[Numbers], bool]], Numbers]:
    def wait(node: Node, wanted: Callable[[Numbers], bool]) -> Numbers:
        node.program.wait_until(lambda: wanted(numbers_of(node)), "numbers as wanted")
        return numbers_of(node)

    return wait


def test_each_message_is_in_every_number_that_tells_of_it(lab, until):
    sink = lab.sink("on rcpt to *@later.test: reply 450 4.2.0 later")
    with Node(CONFIG.format(port=sink.port)) as node:
        before = numbers_of(node)
        assert before["events_total", "delivered"] == before["acceptance_seconds_count",] == 0
        assert before["recipients", "delayed"] == before["oldest_recipient_seconds", "delayed"] == 0
        for _ in range(3):
            submit(node.smtp_port, "me@here.test", ["you@there.test"])
        submit(node.smtp_port, "me@here.test", ["you@later.test"])
        after = until(
            node, lambda seen: seen["events_total", "delivered"] == 3 and seen["recipients", "delayed"] == 1
        )
    assert after["received_messages_total",] == after["acceptance_seconds_count",] == 4
    assert after["attempts_total", "other", "delivered"] == 3
    assert after["binding_attempts_total", "default", "transient"] == 1
    assert after["queue_seconds_count", "transactional"] == 4
    assert after["delivery_seconds_count", "transactional"] == 3
    assert after["attempt_stage_seconds_count", "mail"] == 4
    assert after["attempt_stage_seconds_count", "connect"] >= 1
    assert after["transaction_seconds_bucket", "+Inf", "other"] == 4
    assert after["oldest_recipient_seconds", "delayed"] > 0
    assert after["workers",] == after["workers_ready",] == 2
    assert before.keys() <= after.keys()


def test_no_counter_goes_back_when_a_worker_dies(lab, until):
    sink = lab.sink()
    with Node(CONFIG.format(port=sink.port), workers=1) as node:
        for _ in range(5):
            submit(node.smtp_port, "me@here.test", ["you@there.test"])
        before = until(node, lambda seen: seen["events_total", "delivered"] == 5)
        node.kill_worker()
        until(node, lambda seen: seen["worker_restarts_total",] == 1)
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
        for _ in range(7):
            submit(node.smtp_port, "me@here.test", ["you@there.test"])
        after = until(node, lambda seen: seen["events_total", "delivered"] == 12)
    kept = [key for key in before if key[0].endswith(("_total", "_bucket", "_count", "_sum"))]
    assert [key for key in kept if after[key] < before[key]] == []
    assert after["acceptance_seconds_count",] == 12


def test_a_reload_that_is_refused_is_a_number_until_one_succeeds(until):
    with Node() as node:
        loaded_at = numbers_of(node)["config_loaded_timestamp_seconds",]
        node.configure("Retry_Interval = soon")
        node.reload()
        refused = until(node, lambda seen: seen["config_reload_failed",] == 1)
        assert refused["config_loaded_timestamp_seconds",] == loaded_at
        node.configure("Retry_Interval = 60")
        node.reload()
        until(node, lambda seen: seen["config_reload_failed",] == 0)
        until(node, lambda seen: seen["config_loaded_timestamp_seconds",] > loaded_at)
