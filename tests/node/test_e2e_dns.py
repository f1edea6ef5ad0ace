"""A node whose DNS changes, or is not there: what it goes by, and what it says."""

import json

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process


def test_a_flush_and_a_reload_go_by_what_dns_says_now(lab, ask, act):
    old, new, newest = lab.sinks("127.0.0.2", "127.0.0.3", "127.0.0.4")
    dns = lab.dns("moved.test 86400 A 127.0.0.2")
    config = f'DNS_Servers = ( "{dns.address}" )\nRemote_SMTP_Port = {old.port}\nIdle_Timeout = 1\n'
    with Node(config, workers=1) as node:
        submit(node.smtp_port, "me@sender.test", ["a@moved.test"])
        old.wait_for_mail_to("a@moved.test")
        dns.set_zone("moved.test 86400 A 127.0.0.3")
        assert act(node, "flush", domain="moved.test") == 0
        old.wait_for(lambda: old.counters.open_connections == 0)
        submit(node.smtp_port, "me@sender.test", ["b@moved.test"])
        new.wait_for_mail_to("b@moved.test")
        dns.set_zone("moved.test 86400 A 127.0.0.4")
        ask(node, "reload")
        new.wait_for(lambda: new.counters.open_connections == 0)
        submit(node.smtp_port, "me@sender.test", ["c@moved.test"])
        newest.wait_for_mail_to("c@moved.test")


def test_without_a_name_server_mail_is_taken_and_it_is_said(lab, tmp_path, queue_row):
    sink = lab.sink()
    resolv_conf = tmp_path / "resolv.conf"
    config = (
        f'Resolv_Conf = "{resolv_conf}"\nDomain "local.test" {{ Routes = ( "127.0.0.1:{sink.port}" ) }}\n'
        "Retry_Interval = 1000\n"
    )
    with Node(config, workers=2) as node:
        submit(node.smtp_port, "me@sender.test", ["you@local.test"])
        sink.wait_for_mail_to("you@local.test")
        submit(node.smtp_port, "me@sender.test", ["you@example.test"])
        row = queue_row(node, "example.test", lambda row: row and row["delayed"] == 1)
        assert "no name server is known" in row["last_reply"]
        status, body = node.get("/readyz")
        (note,) = json.loads(body)["notes"]
        assert (status, json.loads(body)["ok"]) == (200, True)
        assert note.startswith(f"no name server: {resolv_conf} names no server")
        health = node.cli("status")["health"]
        assert (health["not_ready"], health["unwell"], health["notes"]) == ([], [], [note])
        assert [each["name"] for each in health["conditions"]] == ["no_name_server"]
        assert node.wait_for_event("dns", 2, level="warning")[0]["problem"] == note
        node.reload()  # which is no reason to refuse it
        node.wait_for_event("reload", level="info")
        resolv_conf.write_text("nameserver 127.0.0.53\n")
        node.wait_for_event("dns", 2, servers=["127.0.0.53:53"])
        node.wait_until_well()


def test_a_reload_while_the_name_servers_are_being_written_goes_on_with_those_known_before(ask, tmp_path):
    servers = tmp_path / "resolv.conf"
    servers.write_text("nameserver 127.0.0.1\n")
    with Node(f'Resolv_Conf = "{servers}"\n', workers=1) as node:
        before = node.pids
        servers.unlink()
        assert ask(node, "reload")["generation"] == 2
        (note,) = node.cli("status")["health"]["notes"]
        assert note.endswith(
            "names no server (No such file or directory); set DNS_Servers; those named before are still asked"
        )
        servers.write_text("nameserver 127.0.0.1\n")
        assert ask(node, "reload")["generation"] == 3
        node.wait_until_well()
        assert node.pids == before
