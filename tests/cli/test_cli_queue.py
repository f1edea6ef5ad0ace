"""`angarium queue`, `queue show`, `status`, `reload`: what a person reads, and what a program gets."""

import json
import time

import msgspec
import pytest
from msgspec.structs import replace

from angarium.cli.tables import table_lines
from angarium.cli.words import QUEUE_COLUMNS, headline, queue_rows, recipient_lines
from angarium.core.descriptors import Descriptors
from angarium.core.errors import AngariumError
from angarium.core.operations import Plan, QueueRow, QueueTotals, RecipientRow
from angarium.core.reasons import HoldReason
from angarium.node.conditions import Needs, NodeFacts, WorkerFacts, conditions, health_of

NOON = 1_700_049_600.0  # 12:00:00 UTC
THROTTLE = HoldReason(
    kind="limit",
    option="Outbound_Throttle_Messages",
    where="angarium.conf:12",
    limit="50/60",
    scope="binding_group warm",
    waiting=7,
)
RESTING = HoldReason(
    kind="resting",
    option="Host_Failure_Retry",
    host="mx.example.com",
    domains=["example.com", "example.org"],
    reply="451 4.4.1 [internal] cannot connect: connection refused",
    since=NOON - 31,
    next_try=NOON + 300,
    last_try=NOON + 330,
    waiting=3,
    queues=2,
)
RESTS = (
    "all addresses of mx.example.com are resting: cannot connect: connection refused (Host_Failure_Retry, default), "
    "since 31 s; next try 12:05:00Z – 12:05:30Z"
)


def test_a_queue_is_shown_with_its_reason_its_last_reply_and_its_route():
    row = QueueRow(
        "warm",
        "gmail.com",
        active=1204,
        in_flight=12,
        connections=3,
        oldest=NOON - 7500,
        next_try=NOON + 10,
        last_reply="421 4.7.28 unusual rate",
        last_reply_at=NOON - 60,
        held_by=[THROTTLE],
        plan=Plan("MX of gmail.com", ["192.0.2.1:25"]),
    )
    other = QueueRow("default", "a.example", delayed=3, oldest=NOON - 5)
    assert "\n".join(line.text for line in table_lines(QUEUE_COLUMNS, queue_rows([row, other], NOON))) == (
        "DOMAIN     BINDING  ACTIVE  DELAYED  HELD  FLIGHT  CONN  OLDEST  NEXT TRY\n"
        "gmail.com  warm       1204        0     0      12     3   2h 5m  in 10s\n"
        "    why: Outbound_Throttle_Messages 50/60 of binding_group warm (angarium.conf:12)\n"
        "    last reply at 11:59:00Z (1 min ago): 421 4.7.28 unusual rate\n"
        "    route: MX of gmail.com: 192.0.2.1:25\n"
        "a.example  default       0        3     0       0     0      5s  -"
    )


@pytest.mark.parametrize(
    ("totals", "lines"),
    [
        (QueueTotals(), ["No mail is waiting."]),
        (QueueTotals(queues=1, in_flight=2), ["No mail is waiting, 2 in flight."]),
        (
            QueueTotals(queues=4, waited_in=1, active=1),
            ["1 recipient waits in 1 queue. Nothing holds it."],
        ),
        (
            QueueTotals(
                waited_in=2,
                active=5,
                delayed=5,
                in_flight=1,
                next_try=NOON,
                reasons=[replace(RESTING, waiting=10)],
            ),
            [f"10 recipients wait in 2 queues, 1 in flight, next try 12:00:00Z (due). Why: {RESTS}"],
        ),
        (
            QueueTotals(waited_in=3, held=10, reasons=[THROTTLE, RESTING]),
            [
                "10 recipients wait in 3 queues. Why 7 of them: Outbound_Throttle_Messages 50/60 of binding_group warm "
                "(angarium.conf:12)",
                f"Why 3 in 2 queues (example.com, example.org): {RESTS}",
            ],
        ),
    ],
)
def test_the_first_line_says_why_mail_is_not_moving(totals, lines):
    assert headline(totals, NOON) == lines


def queues(rows, **totals):
    return {"rows": rows, "totals": {"queues": len(rows), **totals}, "problems": []}


def test_the_listing_begins_with_the_answer_and_says_what_it_left_out(cli, control):
    row = {"binding": "default", "domain": "example.com", "active": 2}
    control.says["queues"] = {**queues([row], active=9), "problems": ["worker 1: reading its spool"]}
    control.says["queues"]["totals"] |= {"queues": 4, "waited_in": 4}
    result = cli("queue", "--limit", "1")
    lines = result.stdout.splitlines()
    assert lines[0] == "9 recipients wait in 4 queues. Nothing holds it."
    assert lines[3].split()[:3] == ["example.com", "default", "2"]
    assert lines[-1] == "3 more queues; --all lists them"
    assert result.stderr == "angarium: worker 1: reading its spool; the answer is without it\n"
    assert control.asked == [("queues", {"limit": "1", "sort": "waiting"})]


def test_all_asks_for_every_queue_and_options_narrow_it(cli, control):
    control.says["queues"] = queues([])
    cli("queue", "--all", "--domain", "Example.com", "--binding", "b", "--sort", "oldest")
    assert control.asked == [("queues", {"domain": "Example.com", "binding": "b", "sort": "oldest"})]


def test_the_listing_as_json_is_one_document(cli, control):
    control.says["queues"] = queues([{"binding": "b", "domain": "example.com", "active": 2}], active=2)
    document = json.loads(cli("queue", "--json").stdout)
    assert document["rows"][0]["domain"] == "example.com"
    assert document["totals"]["active"] == 2


def test_what_a_peer_said_cannot_steer_the_terminal(cli, control):
    reply = "421 \x1b[2J\x1b]0;owned\x07 \u202egone\r\nnext"
    control.says["queues"] = queues(
        [{"binding": "b", "domain": "a\x9b.example", "active": 1, "last_reply": reply}]
    )
    result = cli("queue")
    assert "421 \\x1b[2J\\x1b]0;owned\\x07 \\u202egone\\r\\nnext" in result.stdout
    assert "a\\x9b.example" in result.stdout


def recipient(**fields):
    return {
        "message": "01a1fdba29c3712cb8cc52757d868ff0",
        "recipient": "b@example.org",
        "sender": "",
        "received_at": time.time() - 3700,
        "size": 2048,
        **fields,
    }


def test_the_recipients_of_a_domain_are_listed(cli, control):
    rows = [
        recipient(attempts=2, due_at=time.time() + 90.5, last_reply="451 4.2.1 later"),
        recipient(state="held"),
    ]
    control.says["recipients"] = {"rows": rows, "more": True}
    result = cli("queue", "show", "example.org", "--state", "held", "--limit", "2")
    assert result.stdout.splitlines() == [
        "MESSAGE                           RECIPIENT      SENDER  STATE   TRIES  NEXT TRY    AGE    SIZE",
        "01a1fdba29c3712cb8cc52757d868ff0  b@example.org  <>      queued      2  in 1m     1h 1m  2.0 KB",
        "    451 4.2.1 later",
        "01a1fdba29c3712cb8cc52757d868ff0  b@example.org  <>      held        0  -         1h 1m  2.0 KB",
        "There are more; --limit lists them",
    ]
    asked = {"domain": "example.org", "state": "held", "limit": "2"}
    assert control.asked == [("recipients", asked)]


PUT_OFF = HoldReason(
    kind="put_off",
    option="Retry_Interval",
    host="mx.example.org",
    reply="451 4.7.1 greylisted",
    since=NOON - 8,
)
DELIVERING = HoldReason(
    kind="delivering",
    option="Body_Timeout",
    host="mx.example.org",
    address="192.0.2.1:25",
    detail="the answer to the end of the message",
    since=NOON - 31,
)
LIMIT = HoldReason(
    kind="limit", option="Max_Outbound_Connections", where="a.conf:7", limit="2", scope="b::example.org"
)
MX = Plan("MX of example.org", ["mx.example.org 192.0.2.1:25", "mx2.example.org 192.0.2.2:25"])


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        (
            {"held_by": PUT_OFF, "last_reply": PUT_OFF.reply, "next_try": NOON + 1200, "plan": MX},
            [
                "why: put off by mx.example.org: 451 4.7.1 greylisted (Retry_Interval, default), since 8 s",
                "next: 12:20:00Z (in 20 min), to mx.example.org 192.0.2.1:25, mx2.example.org 192.0.2.2:25 "
                "(MX of example.org)",
            ],
        ),
        (
            {
                "held_by": LIMIT,
                "last_reply": "451 4.7.1 greylisted",
                "last_reply_at": NOON - 90,
                "last_host": "mx.example.org",
                "expires_at": NOON + 86_400,
            },
            [
                "why: Max_Outbound_Connections 2 of b::example.org (a.conf:7)",
                "last reply at 11:58:30Z (1 min ago) by mx.example.org: 451 4.7.1 greylisted",
                "next: as soon as that is over, to the hosts that DNS then names for example.org; "
                "given up 2023-11-16 12:00Z (in 1 d)",
            ],
        ),
        (
            {"held_by": DELIVERING, "plan": MX},
            [
                "why: being delivered at 192.0.2.1:25 (mx.example.org): the answer to the end of the message is "
                "awaited (Body_Timeout, default), since 31 s",
                "next: the peer's answer, or the end of its time",
            ],
        ),
        (
            {"state": "held", "held_by": HoldReason(kind="held"), "expires_at": NOON + 7200},
            [
                "why: held; `angarium release` lets it go",
                "next: nothing by itself; given up 14:00:00Z (in 2 h)",
            ],
        ),
        ({"state": "bounced", "last_reply": "550 5.1.1 no such user"}, ["550 5.1.1 no such user"]),
    ],
)
def test_of_a_recipient_it_is_said_why_it_waits_and_what_comes_next(fields, lines):
    row = RecipientRow("01a1fdba29c3712cb8cc52757d868ff0", "b@example.org", domain="example.org", **fields)
    told = recipient_lines(row, NOON)
    assert [each if isinstance(each, str) else each.text for each in told] == lines


def test_a_domain_without_mail_is_told_so(cli, control):
    control.says["recipients"] = {"rows": []}
    assert cli("queue", "show", "example.org").stdout == "No mail is waiting for example.org.\n"


STATUS = {
    "node": {
        "version": "1.0",
        "pid": 42,
        "started_at": NOON,
        "data": "/data",
        "config": "angarium.conf",
        "generation": 3,
        "workers": 2,
        "addresses": {"default": "127.0.0.1:2525"},
    },
    "health": {"not_ready": [], "unwell": []},
    "totals": {},
}


def test_status_of_a_healthy_node(cli, control):
    control.says["status"] = STATUS
    result = cli("status")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["Ready: takes mail.", "No mail is waiting."]
    assert "process 42" in result.stdout
    assert "angarium.conf, generation 3" in result.stdout
    assert "  default on 127.0.0.1:2525" in result.stdout


def health_with(workers):
    """Return the health of a node whose workers say that of themselves, as it comes over the wire."""
    facts = NodeFacts(hostname="mx.example.com", needs=Needs(10, "a limit"), descriptors=Descriptors(8, 99))
    said = {index: WorkerFacts(**worker) for index, worker in workers.items()}
    return msgspec.to_builtins(health_of(conditions(facts, said, {})))


@pytest.mark.parametrize(
    ("half_within_s", "most_within_s", "end"),
    [
        (0.0034, 0.025, "; 250 within 3 ms, 99 % within 25 ms"),
        (0.8, 2.54, "; 250 within 800 ms, 99 % within 2.5 s"),
    ],
)
def test_status_tells_what_happened_lately_and_how_long_a_250_takes(
    cli, control, half_within_s, most_within_s, end
):
    counts = {"over_s": 60.0, "received": 812, "refused": 1, "delivered": 799, "delayed": 3, "bounced": 0}
    within = {"half_within_s": half_within_s, "most_within_s": most_within_s}
    control.says["status"] = {**STATUS, "lately": counts | within}
    told = "Last 60 s: 812 received, 1 refused, 799 delivered, 3 delayed, 0 bounced"
    assert cli("status").stdout.splitlines()[2] == told + end
    control.says["status"] = {**STATUS, "lately": counts | dict.fromkeys(within)}
    assert cli("status").stdout.splitlines()[2] == told


@pytest.mark.parametrize(
    ("workers", "line"),
    [
        ({1: {"recovered": False}}, "Not ready: worker 1: still reading its spool"),
        ({0: {"unwell": "a sync failed"}}, "Unwell: worker 0: a sync failed"),
    ],
)
def test_status_of_a_node_in_trouble_is_exit_code_1(cli, control, workers, line):
    control.says["status"] = {**STATUS, "health": health_with(workers)}
    result = cli("status")
    assert result.exit_code == 1
    assert line in result.stdout.splitlines()
    assert cli("status", "--json").exit_code == 1


def test_a_note_on_the_machine_is_shown_and_is_no_trouble_of_the_node(cli, control):
    control.says["status"] = {**STATUS, "health": health_with({0: {"note": "no name server"}})}
    result = cli("status")
    assert result.exit_code == 0
    first, second, advice = result.stdout.splitlines()[:3]
    assert (first, second) == ("Ready: takes mail.", "Note: no name server")
    assert advice.strip().startswith("write a `nameserver` line, or set DNS_Servers")


def test_reload_says_what_is_in_force(cli, control):
    control.says["reload"] = {
        "generation": 4,
        "changed_listeners": ["default"],
        "needs_restart": ["Workers"],
        "warnings": ["a.conf:1:9: conf.d: left out b.conf~"],
    }
    result = cli("reload")
    assert result.stdout.splitlines()[0] == "generation 4 is in force"
    assert "listener default has changed" in result.stdout
    assert "Workers has changed: it takes effect when the node is started again" in result.stdout
    assert "warning: a.conf:1:9: conf.d: left out b.conf~" in result.stdout


def test_a_bad_configuration_at_reload_is_exit_code_1_with_its_problems(cli, control):
    control.says["reload"] = AngariumError("angarium.conf:3:1: unknown option Retry_Intervall")
    result = cli("reload")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "angarium.conf:3:1: unknown option" in result.stderr
