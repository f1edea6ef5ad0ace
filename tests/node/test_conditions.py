"""What is the matter with a node, decided from facts: each condition by what brings it about, and by nothing else."""

import re
from pathlib import Path
from typing import get_args

import pytest

from angarium.config.load import parse_config
from angarium.core.descriptors import Descriptors
from angarium.core.operations import ConditionName
from angarium.node.conditions import (
    KINDS,
    Needs,
    NodeFacts,
    WorkerFacts,
    around,
    conditions,
    health_of,
    needs_of,
)

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
WELL = {"hostname": "mx.example.com", "needs": Needs(100, "a limit"), "descriptors": Descriptors(8, 1000)}


def found(node=None, away=None, **worker):
    """Return what is the matter with a node of one worker that has these facts, or is *away*."""
    workers = {} if away else {0: WorkerFacts(**worker)}
    return conditions(NodeFacts(**(WELL | (node or {}))), workers, {0: away} if away else {})


def test_nothing_is_the_matter_with_a_node_that_is_well():
    assert found(descriptors=Descriptors(8, 1000)) == []
    assert health_of([]).not_ready == []


@pytest.mark.parametrize(
    ("name", "facts", "sentence"),
    [
        ("draining", {"node": {"draining": True}}, "the node is draining: it takes no more mail and ends"),
        ("worker_away", {"away": "reading its spool"}, "worker 0: reading its spool"),
        ("worker_away", {"recovered": False}, "worker 0: still reading its spool"),
        ("not_listening", {"listening": 0}, "worker 0: not listening"),
        ("refusing", {"accepting": "452 4.3.1 full"}, "worker 0: refuses mail: 452 4.3.1 full"),
        ("disk_failed", {"unwell": "a sync failed"}, "worker 0: a sync failed"),
        (
            "descriptors_out",
            {"descriptors": Descriptors(7, 1000)},
            "worker 0: 7 of the 1000 files and connections that it may open are left",
        ),
        (
            "descriptors_out",
            {"node": {"descriptors": Descriptors(0, 1000)}},
            "the supervisor: none of the 1000 files and connections that it may open are left",
        ),
        (
            "descriptors_short",
            {"node": {"descriptors": Descriptors(8, 99)}},
            "a process may open 99 files and connections, and a limit can need 100",
        ),
        (
            "identity_store_silent",
            {"identity_silent_s": 12.3},
            "the identity store has not answered for 12 s: logins, and mail of those who have logged in, are "
            "answered 454",
        ),
        (
            "suppressions_unknown",
            {"suppressions_unknown": "the suppressions are not read yet"},
            "mail of accounts is taken and not sent: the suppressions are not read yet",
        ),
        ("no_name_server", {"note": "no name server: x"}, "no name server: x"),
        (
            "name_servers_silent",
            {"name_servers_silent": "192.0.2.1:53 did not answer within 5 s"},
            "no name server answers (192.0.2.1:53 did not answer within 5 s); mail is taken, and what needs DNS waits",
        ),
        (
            "recorder_stands",
            {"node": {"recorder": "its disk is full"}},
            "what has happened to mail is not recorded: its disk is full; mail goes on",
        ),
        (
            "events_dropped",
            {"node": {"event_day_dropped": "2026-11-30"}},
            "what has happened to mail of 2026-11-30 was given up: Event_Store_Max_Size is reached",
        ),
        (
            "suppressions_held",
            {"node": {"held": 25}},
            "25 suppressions are held: very much of what a provider was sent failed at once",
        ),
        (
            "suppressions_stand",
            {"node": {"unsuppressed": "the identity store does not answer"}},
            "nobody is suppressed for what fails: the identity store does not answer",
        ),
        (
            "hostname",
            {"node": {"hostname": "mx1."}},
            "Hostname is 'mx1.', which is no full name: many hosts refuse mail of one who greets so",
        ),
        ("log_unread", {"log_lost": 3, "node": {"log_lost": 4}}, "nobody reads the log: 7 lines are lost"),
    ],
)
def test_each_condition_has_its_sentence_what_to_do_and_where_to_read_on(name, facts, sentence):
    (condition,) = found(**facts)
    assert (condition.name, condition.text) == (name, sentence)
    assert (condition.severity, condition.advice) == KINDS[name]
    page, _, anchor = condition.doc.partition("#")
    assert page == "docs/operations.md"
    assert f"\n### {anchor}\n" in PAGE


def test_all_conditions_are_known_to_the_metrics_and_the_page_and_no_others():
    assert tuple(KINDS) == get_args(ConditionName)
    assert re.findall(r"^### ([a-z-]+)$", PAGE.partition("## What is the matter")[2], re.MULTILINE) == [
        name.replace("_", "-") for name in KINDS
    ]


def test_a_node_that_drains_is_not_said_to_lack_its_workers():
    facts = NodeFacts(**WELL, draining=True)
    found = conditions(facts, {0: WorkerFacts(listening=0)}, {1: "shutting down"})
    assert [each.name for each in found] == ["draining"]


def test_what_all_workers_see_alike_is_said_once_and_the_worst_comes_first():
    silent = WorkerFacts(note="no name server", identity_silent_s=3.0)
    found = conditions(NodeFacts(**WELL), {0: silent, 1: silent, 2: WorkerFacts()}, {})
    assert [each.name for each in found] == ["identity_store_silent", "no_name_server"]
    health = health_of(found)
    assert (len(health.not_ready), health.unwell, health.notes) == (1, [], ["no name server"])


def test_a_worker_may_need_all_connections_that_the_limits_allow():
    config = parse_config(
        'Server_Max_Outbound_Connections = 1000\nESMTP_Listener "a" { Listener_Sessions = 50\n'
        'Listen "127.0.0.1:2525" { }\nListen "127.0.0.1:2526" { } }\n'
    )
    needs = needs_of(config)
    assert needs.descriptors == 1000 + 2 * 50 + 768
    assert needs.why == "Server_Max_Outbound_Connections = 1000 and Listener_Sessions = 100"
    (short,) = around("mx.example.com", needs.descriptors - 1, needs)
    assert short.name == "descriptors_short"
    assert around("mx.example.com", needs.descriptors, needs) == []
