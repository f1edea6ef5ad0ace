"""Why mail does not move, as a node with two workers says it: each cause once, with what an operator needs to know."""

import smtplib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from angarium.testing.lab import Lab, submit_over
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import run

pytestmark = pytest.mark.process

ZONE = """
broken.test    !servfail
six.test       MX 10 mx.six.test
mx.six.test    AAAA 2001:db8::1
silent.test    MX 10 mx.silent.test
mx.silent.test A 127.0.0.5
grey.test      MX 10 mx.grey.test
slow1.test     MX 10 mx.grey.test
slow2.test     MX 10 mx.grey.test
mx.grey.test   A 127.0.0.1
"""
CONFIG = """\
DNS_Servers = ( "{dns}" )
Remote_SMTP_Port = {port}
Server_Max_Outbound_Connections = 2
Drain_Timeout = 0
"""
PEER = """
on rcpt to later@*: reply 451 4.7.1 greylisted
on rcpt to full@*: reply 452 4.2.2 mailbox full
on rcpt to slow*@*: delay 60
"""


@pytest.fixture(scope="module")
def stuck() -> Iterator[SimpleNamespace]:
    """A node whose mail waits for everything there is to wait for."""
    with Lab() as lab, ExitStack() as stack:
        peer = lab.sink(PEER)
        tarpit = stack.enter_context(socket.create_server(("127.0.0.5", peer.port), backlog=64))
        dns = lab.dns(ZONE)
        node = stack.enter_context(Node(CONFIG.format(dns=dns.address, port=peer.port)))
        yield SimpleNamespace(node=node, port=peer.port, tarpit=tarpit)


def send(node: Node, *recipients: str) -> None:
    """Send a message to each, over four sessions at a time, so that both workers have some."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test")) for _ in range(4)
        ]
        for number, recipient in enumerate(recipients):
            submit_over(clients[number % 4], "me@example.org", [recipient])


def one_cause(row):
    return row and len(row["held_by"]) == 1 and not row["in_flight"] and row["held_by"][0]


def test_mail_behind_a_name_server_that_fails_is_one_cause_over_both_workers(stuck, ask, queue_row):
    send(stuck.node, *(f"u{n}@broken.test" for n in range(62)))
    row = queue_row(stuck.node, "broken.test", lambda row: (held := one_cause(row)) and held["kind"] == "dns")
    [held] = row["held_by"]
    assert (held["waiting"], held["queues"], held["domains"]) == (62, 1, ["broken.test"])
    assert held["text"].startswith("DNS gives no answer about the mail hosts of broken.test: ")
    assert held["text"].endswith("SERVFAIL")
    assert (held["option"], held["where"].rpartition(":")[0]) == ("DNS_Servers", str(stuck.node.config_file))
    assert held["next_try"] <= held["last_try"]
    assert ask(stuck.node, "queues", domain="broken.test")["totals"]["reasons"] == [held]


def test_hosts_with_ipv6_addresses_only_name_the_option_that_leaves_them_out(stuck, queue_row):
    send(stuck.node, "you@six.test")
    row = queue_row(stuck.node, "six.test", lambda row: (held := one_cause(row)) and held["kind"] == "route")
    [held] = row["held_by"]
    assert (held["kind"], held["option"], held["where"]) == ("route", "Use_IPv6", "")
    assert held["text"] == "no route: mx.six.test has only IPv6 addresses, and Use_IPv6 is off"


def test_what_a_host_said_is_told_of_each_recipient_with_what_comes_next(stuck, queue_row):
    send(stuck.node, "later@grey.test", "full@grey.test", "later@grey.test")
    row = queue_row(stuck.node, "grey.test", lambda row: row and row["delayed"] == 3 and not row["in_flight"])
    assert [each["kind"] for each in row["held_by"]] == ["put_off"]
    assert row["held_by"][0]["host"] == "mx.grey.test"
    assert row["plan"]["addresses"] == [f"mx.grey.test 127.0.0.1:{stuck.port}"]
    rows = stuck.node.cli("queue", "show", "grey.test")["rows"]
    assert sorted(each["held_by"]["text"] for each in rows) == [
        "put off by mx.grey.test: 451 4.7.1 greylisted",
        "put off by mx.grey.test: 451 4.7.1 greylisted",
        "put off by mx.grey.test: 452 4.2.2 mailbox full",
    ]
    [full] = [each for each in rows if each["recipient"].startswith("full")]
    assert full["next_try"] == full["due_at"] == full["held_by"]["next_try"]
    assert (full["last_host"], full["last_reply_at"], full["attempts"]) == ("mx.grey.test", full["since"], 1)
    told = run([ANGARIUM, "message", full["message"], "--data", stuck.node.data])
    assert (
        "    why: put off by mx.grey.test: 452 4.2.2 mailbox full (Retry_Interval, default), since " in told
    )
    assert f"to mx.grey.test 127.0.0.1:{stuck.port} (MX of grey.test); given up " in told


def test_a_host_that_says_nothing_and_the_limit_that_it_uses_up_are_named(stuck, ask, queue_row):
    node = stuck.node
    send(node, *(f"u{n}@silent.test" for n in range(9)))
    row = queue_row(node, "silent.test", lambda row: (held := one_cause(row)) and held["kind"] == "silent")
    [held] = row["held_by"]
    assert held["text"] == f"silent at 127.0.0.5:{stuck.port} (mx.silent.test): the banner is awaited"
    assert (held["waiting"], held["option"]) == (9, "Banner_Timeout")
    assert 5 <= time.time() - held["since"] <= 60
    assert time.time() < held["next_try"] <= held["last_try"]
    send(node, *(f"slow{n}@slow{1 + n % 2}.test" for n in range(13)))
    row = queue_row(node, "slow1.test", lambda row: row and any(r["kind"] == "limit" for r in row["held_by"]))
    limit = next(each for each in row["held_by"] if each["kind"] == "limit")
    assert (limit["option"], limit["limit"], limit["scope"]) == (
        "Server_Max_Outbound_Connections",
        "2",
        "global",
    )
    assert limit["where"] == f"{node.config_file}:{line_of(node, 'Server_Max_Outbound_Connections')}"
    assert "with silent peers: 127.0.0.5:" in limit["text"]
    totals = ask(node, "queues")["totals"]
    waiting = totals["active"] + totals["delayed"] + totals["held"]
    assert sum(each["waiting"] for each in totals["reasons"]) == waiting


def line_of(node: Node, option: str) -> int:
    lines = node.config_file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(option))
