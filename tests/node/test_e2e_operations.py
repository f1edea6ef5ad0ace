"""The operator's commands and a changing configuration, against mail on both workers, in memory and on disk."""

import os
import re
import signal
import smtplib
import socket
import time
from pathlib import Path

import pytest

from angarium.cli.client import ControlClient, RequestRefused
from angarium.testing.lab import submit, submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process

WAITING = """
Hostname = node.test
Host_Failure_Retry = 0
Retry_Interval = 3600
Routes = ( "127.0.0.1:{port}" )
Domain "/^paused/" {{ Suspend_Delivery = true }}
Domain "local.test" {{ Max_Outbound_Connections = 7 }}
Domain "/^trickle/" {{ Outbound_Throttle_Messages = "1/3600" }}
Binding "b2" {{ EHLO_Hostname = b2.test }}
"""


@pytest.fixture(scope="module")
def sink(shared_lab):
    return shared_lab.sink(
        "on rcpt to /@later/: reply 452 4.2.2 full\non rcpt to *@flaky.test first 4: reply 450 4.2.0 later"
    )


@pytest.fixture(scope="module")
def node(sink):
    with Node(WAITING.format(port=sink.port)) as running:
        yield running


@pytest.fixture
def spread(node, queue_row):
    """Put *count* messages for a domain into the queue over both workers, and wait until they wait there."""

    def put(domain, count=4, sender="me@example.org"):
        with (
            smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as one,
            smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as two,
        ):
            names = [
                submit_over((one, two)[number % 2], sender, [f"u{number}@{domain}"])
                for number in range(count)
            ]
        queue_row(node, domain, lambda row: row and row["delayed"] == count)
        return names

    return put


def states(ask, node, domain):
    rows = ask(node, "recipients", domain=domain)["rows"]
    return sorted(row["state"] for row in rows)


# -- looking


def test_the_queue_counts_both_workers(node, spread, ask):
    spread("later1.test")
    (row,) = ask(node, "queues", domain="later1.test")["rows"]
    assert (row["delayed"], row["active"], row["held"]) == (4, 0, 0)
    assert row["last_reply"] == "452 4.2.2 full"
    assert row["next_try"] > time.time() + 3000
    assert len(ask(node, "recipients", domain="later1.test")["rows"]) == 4


def test_a_message_tells_its_attempts_with_the_timings_of_the_dialogue(node, spread, ask):
    name = spread("later2.test")[1]
    history = ask(node, "message", id=name)
    assert history["message"]["sender"] == "me@example.org"
    (event,) = history["events"]
    assert (event["type"], event["reply"]) == ("delayed", "452 4.2.2 full")
    stages = [stage for stage, _ in event["attempt"]["timings"]]
    assert stages[:2] == ["mail", "rcpt"]
    assert event["attempt"]["peer"].startswith("127.0.0.1:")


def test_an_unknown_message_is_nobodys(node, ask):
    assert ask(node, "message", id="0" * 32)["message"] is None
    with pytest.raises(RequestRefused, match="not a message id"):
        ask(node, "message", id="nonsense")


# -- changing


def test_flush_tries_settled_mail_at_once(node, spread, act, sink):
    spread("flaky.test")
    assert act(node, "flush", domain="flaky.test") == 4
    sink.wait_for(lambda: len([m for m in sink.messages if m.recipients[0].endswith("@flaky.test")]) == 4)


def test_hold_and_release_cover_both_workers(node, spread, ask, act, queue_row):
    spread("later3.test")
    assert act(node, "hold", domain="later3.test") == 4
    queue_row(node, "later3.test", lambda row: row["held"] == 4)
    assert states(ask, node, "later3.test") == ["held"] * 4
    assert act(node, "release", domain="later3.test") == 4
    queue_row(node, "later3.test", lambda row: row["held"] == 0 and row["delayed"] == 4)


def test_count_says_what_would_be_changed_and_changes_nothing(node, spread, ask):
    spread("later4.test")
    count = ask(node, "count", selection={"domain": "later4.test"}, action="fail")
    assert count["waiting"] == 4
    assert states(ask, node, "later4.test") == ["queued"] * 4


def test_fail_ends_mail_and_tells_the_sender(node, spread, act, sink, drained):
    spread("later5.test", 2, "failed@back.test")
    assert act(node, "fail", domain="later5.test") == 2
    drained(node, "later5.test")
    reports = sink.wait_for_mail_to("failed@back.test", 2)
    assert b"failed by the operator" in reports[0].data


def test_a_quiet_fail_tells_nobody(node, spread, act, sink, drained):
    spread("later6.test", 2, "quiet@back.test")
    assert act(node, "fail", quiet=True, domain="later6.test") == 2
    drained(node, "later6.test")
    spread("later7.test", 2, "afterquiet@back.test")
    act(node, "fail", domain="later7.test")
    sink.wait_for_mail_to("afterquiet@back.test", 2)
    assert sink.to("quiet@back.test") == []


def test_reroute_sends_mail_elsewhere_with_its_recipients_unchanged(node, spread, act, sink):
    spread("pausedaway.test")
    assert act(node, "reroute", target="elsewhere.test", domain="pausedaway.test") == 4
    for number in range(4):
        sink.wait_for_mail_to(f"u{number}@pausedaway.test")


def test_rebind_moves_mail_to_another_binding(node, spread, act, ask, queue_row):
    spread("paused2.test")
    assert act(node, "rebind", target="b2", domain="paused2.test") == 4
    row = queue_row(node, "paused2.test", lambda row: row and row["binding"] == "b2" and row["delayed"] == 4)
    assert row["held_by"][0]["option"] == "Suspend_Delivery"
    with pytest.raises(RequestRefused, match="no binding"):
        act(node, "rebind", target="nosuch", domain="paused2.test")


def waits_for_long(row):
    """Whether the limit has let go what it lets go, and the rest waits for its next unit."""
    return row and row["held_by"] and not row["in_flight"] and (row["next_try"] or 0) > time.time() + 60


@pytest.mark.parametrize(
    ("action", "target"), [("hold", ""), ("flush", ""), ("reroute", "pausednew.test"), ("rebind", "b2")]
)
def test_mail_in_memory_is_changed_once_each(node, act, ask, queue_row, action, target):
    domain = f"trickle{action}.test"
    with smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test") as client:
        for number in range(20):
            submit_over(client, "me@example.org", [f"u{number}@{domain}"])
    waiting = queue_row(node, domain, waits_for_long)["active"]
    assert waiting >= 18
    assert act(node, action, target=target, domain=domain) == waiting


def test_operations_on_one_message_leave_the_others(node, spread, act, ask, queue_row):
    names = spread("later8.test")
    assert act(node, "hold", message=names[2]) == 1
    queue_row(node, "later8.test", lambda row: row["held"] == 1 and row["delayed"] == 3)
    row = next(row for row in ask(node, "recipients", domain="later8.test")["rows"] if row["state"] == "held")
    assert row["message"] == names[2]


# -- trace


@pytest.mark.parametrize("by", ["domain", "message"])
def test_a_trace_shows_the_dialogue_as_it_happens(node, spread, act, by):
    domain = f"later9{by}.test"
    (name,) = spread(domain, 1)
    with ControlClient(node.data) as client:
        lines = client.stream("trace", {by: domain if by == "domain" else name}, kind=dict)
        assert next(lines)["tracing"]
        act(node, "flush", domain=domain)
        said = []
        for item in lines:
            said.append(item["line"])
            if item["line"].startswith("452 "):
                break
    assert any(line.startswith("MAIL FROM:<me@example.org>") for line in said)
    assert f"RCPT TO:<u0@{domain}>" in said


# -- configuration


def test_config_eval_answers_for_the_running_node(node, ask):
    answer = ask(node, "config_eval", words=["domain", "local.test", "Max_Outbound_Connections"])
    assert answer["record"]["value"] == 7
    assert str(node.config_file) in answer["text"]


def test_a_bad_file_leaves_the_old_configuration_in_force_and_says_so(node, sink, ask):
    before = ask(node, "status")["node"]["generation"]
    good = node.config_file.read_text()
    node.config_file.write_text(good + "Retry_Intervall = 5\nMax_Retries = often\n")
    with pytest.raises(RequestRefused) as refusal:
        ask(node, "reload")
    assert "Retry_Interval" in str(refusal.value)
    assert "Max_Retries" in str(refusal.value)
    node.reload()
    node.program.wait_for(f'"event":"reload".*"kept_generation":{before}')
    assert ask(node, "status")["node"]["generation"] == before
    submit(node.smtp_port, "me@example.org", ["afterbad@fine.test"])
    sink.wait_for_mail_to("afterbad@fine.test")
    node.config_file.write_text(good)


def test_so_does_a_file_for_outgoing_tls_that_is_missing(node, ask):
    good = node.config_file.read_text()
    node.config_file.write_text(f'TLS_CA = "/nowhere/ca.pem"\n{good}')
    with pytest.raises(
        RequestRefused, match=r":1: TLS_CA cannot be read: no such file or directory \(/nowhere/ca"
    ):
        ask(node, "reload")
    node.config_file.write_text(good)


def listens(port):
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            return client.recv(100).startswith(b"220")
    except OSError:
        return False


def test_a_reload_opens_and_closes_listeners_and_ends_sessions_of_changed_ones_only(node, sink, ask):
    port = free_port()
    config = WAITING.format(port=sink.port)
    node.configure(f'{config}ESMTP_Listener "second" {{ Listen "127.0.0.1:{port}" {{ }} }}\n')
    ask(node, "reload")
    node.program.wait_until(lambda: listens(port), "a second listener")
    with (
        smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as unchanged,
        smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE_S) as changed,
    ):
        node.configure(
            f'{config}ESMTP_Listener "second" {{ Max_Message_Size = 9999 Listen "127.0.0.1:{port}" {{ }} }}\n'
        )
        assert ask(node, "reload")["changed_listeners"] == ["second"]
        code, text = changed.getreply()
        assert (code, text[:5]) == (421, b"4.3.2")
        assert unchanged.noop()[0] == 250
        changed.close()
    node.configure(config)
    ask(node, "reload")
    node.program.wait_until(lambda: not listens(port), "the second listener gone")
    assert listens(node.smtp_port)


# -- health


def number(text, name):
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_metrics_count_known_traffic(node, sink, queue_row):
    def read():
        return node.get("/metrics")[1]

    names = ("received_messages_total", "received_recipients_total", 'events_total{type="delivered"}')
    before = {name: number(read(), f"angarium_{name}") for name in names}
    for _ in range(3):
        submit(node.smtp_port, "me@example.org", ["one@counted.test", "two@counted.test"])
    wanted = dict(zip(names, (3, 6, 6), strict=True))

    def grown():
        text = read()
        return {name: number(text, f"angarium_{name}") - before[name] for name in names}

    node.program.wait_until(lambda: grown() == wanted, "the numbers")


def test_healthz_and_readyz_say_yes_in_one_line(node):
    node.wait_until_well()
    for path in ("/healthz", "/readyz"):
        assert node.get(path) == (200, '{"ok":true,"reasons":[]}')


# -- stop and start (nodes of their own)


def test_a_restart_keeps_due_times_and_held_mail(lab, ask, act, queue_row):
    sink = lab.sink("on rcpt: reply 450 4.2.0 later")
    with Node(WAITING.format(port=sink.port)) as node:
        names = [submit(node.smtp_port, "me@example.org", [f"u{number}@due.test"]) for number in range(4)]
        queue_row(node, "due.test", lambda row: row and row["delayed"] == 4)
        act(node, "hold", message=names[0])
        before = {row["recipient"]: (row["due_at"], row["state"]) for row in ask(node, "recipients")["rows"]}
        node.restart()
        after = {row["recipient"]: (row["due_at"], row["state"]) for row in ask(node, "recipients")["rows"]}
        assert after == before
        assert sorted(state for _, state in after.values()) == ["held", "queued", "queued", "queued"]


def test_what_an_operator_was_told_survives_the_loss_of_the_machine(lab, ask, act, queue_row):
    sink = lab.sink("on rcpt: reply 450 4.2.0 later")
    with Node(WAITING.format(port=sink.port)) as node:
        for number in range(4):
            submit(node.smtp_port, "me@example.org", [f"u{number}@due.test"])
        queue_row(node, "due.test", lambda row: row and row["delayed"] == 4)
        assert act(node, "hold", domain="due.test") == 4
        node.kill()
        node.start()
        assert states(ask, node, "due.test") == ["held"] * 4


def test_a_stop_lets_an_attempt_past_its_final_dot_finish(lab):
    sink = lab.sink("on final: delay 1")
    with Node(WAITING.format(port=sink.port)) as node:
        submit(node.smtp_port, "me@example.org", ["last@far.test"])
        sink.wait_for(lambda: sink.counters.commands >= 4)
        assert node.stop() == 0
        assert sink.counters.messages == 1
        node.start()
        submit(node.smtp_port, "me@example.org", ["next@far.test"])
        sink.wait_for_mail_to("next@far.test")
        assert len(sink.to("last@far.test")) == 1


def test_not_ready_while_a_worker_is_away_and_ready_again_when_it_is_back(lab):
    with Node() as node:

        def is_away() -> bool:
            status = node.get("/readyz")[0]
            if status == 200:  # it comes back within a second, perhaps before anybody has looked
                node.kill_worker()
            return status == 503

        node.program.wait_until(is_away, "not ready")
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "ready again")
        assert re.search("^angarium_worker_restarts_total [1-9]", node.get("/metrics")[1], re.MULTILINE)


def test_a_worker_that_is_starting_does_not_miss_a_reload(lab):
    with Node() as node:
        old = set(node.pids)
        node.kill_worker()
        fresh = 0

        def begun():
            nonlocal fresh
            fresh = next((pid for pid in node.pids if pid not in old), 0)
            return fresh and b"angarium.node.worker" in Path(f"/proc/{fresh}/cmdline").read_bytes()

        node.program.wait_until(begun, "a new worker")
        os.kill(fresh, signal.SIGSTOP)
        node.configure('ESMTP_Listener "default" { Static_Banner = "after the reload" }\n')
        node.reload()
        node.program.wait_for('"event":"reload"|"generation":2')
        os.kill(fresh, signal.SIGCONT)
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
        clients = [socket.create_connection(("127.0.0.1", node.smtp_port), PATIENCE_S) for _ in range(4)]
        banners = {client.recv(1000) for client in clients}
        for client in clients:
            client.close()
        assert all(banner.endswith(b" after the reload\r\n") for banner in banners)
