"""The commands that change what waits: count first, ask, then change."""

import json

import pytest

from angarium.core.errors import AngariumError

ACTIONS = [
    ("flush", [], "made due"),
    ("hold", [], "held"),
    ("release", [], "released"),
    ("fail", [], "failed"),
    ("reroute", ["--to", "other.example"], "rerouted"),
    ("rebind", ["--to", "warm"], "rebound"),
]


@pytest.fixture
def node(control):
    """12 recipients match, 2 are in flight."""
    control.says["count"] = {"waiting": 12, "in_flight": 2}
    control.says["act"] = {"changed": 12, "in_flight": 2}
    control.items["act"] = [{"done": 5}, {"done": 12}]
    return control


@pytest.mark.parametrize(("action", "more", "done"), ACTIONS)
def test_yes_goes_on_without_a_question(cli, node, action, more, done):
    result = cli(action, *more, "--domain", "example.com", "--yes")
    assert result.stdout == f"12 recipients {done}; 2 in flight left alone\n"
    assert [op for op, _ in node.asked] == ["count", "act"]
    count, act = (args for _, args in node.asked)
    selection = {"domain": "example.com", "binding": None, "message": None, "state": None}
    assert count == {"selection": selection, "action": action}
    assert (act["action"], act["selection"], act["target"]) == (action, selection, more[1] if more else "")


@pytest.mark.parametrize(("action", "more", "done"), ACTIONS)
def test_dry_run_says_how_many_and_changes_nothing(cli, node, action, more, done):
    result = cli(action, *more, "--all", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("12 recipients would be " + done)
    assert [op for op, _ in node.asked] == ["count"]


def test_the_number_is_said_before_the_question(cli, node):
    result = cli("hold", "--domain", "example.com", answer="y\n")
    assert result.stdout.splitlines() == [
        "12 recipients will be held; 2 in flight left alone",
        "12 recipients held; 2 in flight left alone",
    ]
    assert "Go on? [y/N]" in result.stderr


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_changed(cli, node, answer):
    result = cli("fail", "--all", answer=answer)
    assert result.exit_code == 1
    assert "nothing was changed" in result.stderr
    assert [op for op, _ in node.asked] == ["count"]


def test_nothing_is_asked_when_nothing_matches(cli, node):
    node.says["count"] = {"waiting": 0, "in_flight": 0}
    result = cli("flush", "--domain", "example.com")
    assert (result.exit_code, result.stdout) == (0, "0 recipients would be made due\n")


def test_a_flush_without_mail_has_the_dns_asked_anew_and_other_actions_do_nothing(cli, node):
    node.says["count"] = {"waiting": 0, "in_flight": 0}
    for action, dry, ops in (
        ("flush", [], ["count", "act"]),
        ("flush", ["--dry-run"], ["count"]),
        ("hold", [], ["count"]),
    ):
        node.asked.clear()
        assert cli(action, "--domain", "example.com", *dry).exit_code == 0
        assert [op for op, _ in node.asked] == ops


@pytest.mark.parametrize("more", [[], ["--all", "--domain", "example.com"]])
def test_all_mail_must_be_meant(cli, node, more):
    result = cli("hold", *more, "--yes")
    assert result.exit_code == 2
    assert "--all" in result.stderr
    assert node.asked == []


@pytest.mark.parametrize("action", ["reroute", "rebind"])
def test_a_new_way_must_be_named(cli, node, action):
    assert cli(action, "--all", "--yes").exit_code == 2


def test_the_selections_can_be_combined(cli, node):
    cli("release", "--binding", "b", "--state", "held", "--message", "01a1" * 8, "--yes")
    selection = {"domain": None, "binding": "b", "message": "01a1" * 8, "state": "held"}
    assert node.asked[0][1]["selection"] == selection


def test_failing_can_be_quiet_and_has_a_reason(cli, node):
    cli("fail", "--domain", "example.com", "--yes", "--quiet", "--reason", "wrong list")
    act = node.asked[1][1]
    assert (act["quiet"], act["note"]) == (True, "wrong list")


def test_the_outcome_as_json(cli, node):
    result = cli("hold", "--domain", "example.com", "--json", answer="y\n")
    document = json.loads(result.stdout)
    assert (document["matched"]["waiting"], document["changed"]["changed"], document["dry_run"]) == (
        12,
        12,
        False,
    )
    assert "12 recipients will be held" in result.stderr


def test_what_the_node_refuses_is_exit_code_1(cli, node):
    node.says["act"] = AngariumError("there is no binding 'x' in the configuration")
    result = cli("rebind", "--all", "--to", "x", "--yes")
    assert result.exit_code == 1
    assert result.stderr == "angarium: there is no binding 'x' in the configuration\n"


def test_a_worker_that_was_away_is_named(cli, node):
    node.says["act"] = {"changed": 6, "in_flight": 0, "problems": ["worker 1: not running"]}
    result = cli("flush", "--all", "--yes")
    assert result.stderr == "angarium: worker 1: not running; the answer is without it\n"
