"""What is the matter with a node, brought about for real: `status` and `/readyz` say it, and that it is over."""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import PeerMissing
from angarium.testing.postgres import PostgresServer
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process


def names(node: Node) -> list[str]:
    """Return what is the matter by name, as `angarium status` tells it."""
    done = subprocess.run(
        [ANGARIUM, "status", "--data", node.data, "--json"], capture_output=True, timeout=PATIENCE_S
    )
    health = json.loads(done.stdout)["health"]
    assert done.returncode == bool(health["not_ready"] or health["unwell"])
    return [condition["name"] for condition in health["conditions"]]


def wait_for(node: Node, *wanted: str) -> None:
    """Wait until this is the matter, the worst first, and nothing else. Processes see what is the matter each in its
    time, and one that is busy may be silent for a moment: what is waited for is what is told in the end.
    """
    node.program.wait_until(lambda: names(node) == list(wanted), f"{wanted} in the status")


def wait_for_worst(node: Node, worst: str) -> None:
    """Wait until *worst* is told first, whatever comes of it besides, sooner or later."""
    node.program.wait_until(lambda: names(node)[:1] == [worst], f"{worst} first in the status")


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_descriptors_that_are_out():
    with Node(workers=2) as node:
        wait_for(node)
        with no_descriptors(node.pids[2]):
            wait_for_worst(node, "descriptors_out")  # without files it will not find its name servers, either
            with no_descriptors(node.pids[1]):  # so that no worker takes the connection
                status, body = node.get("/readyz")
        (first, second, *_) = json.loads(body)["reasons"]
        assert status == 503
        assert first.startswith("worker 0: none of the 4 files and connections")
        assert second.startswith("worker 1: none of the 4 files and connections")
        wait_for(node)
        assert 'angarium_condition{name="descriptors_out"} 0.0' in node.get("/metrics")[1]


def test_name_servers_that_do_not_answer(lab, ask):
    dns = lab.dns("here.test A 127.0.0.1")
    with Node(f'DNS_Servers = ( "127.0.0.1:{free_port()}" )\nDNS_Timeout = 1\n', workers=1) as node:
        submit(node.smtp_port, "me@example.org", ["you@here.test"])
        wait_for(node, "name_servers_silent")
        status, body = node.get("/readyz")
        assert (status, json.loads(body)["reasons"]) == (200, [])
        assert "Connection refused" in json.loads(body)["notes"][0]
        assert 'angarium_condition{name="name_servers_silent"} 1.0' in node.get("/metrics")[1]
        node.configure(f'DNS_Servers = ( "{dns.address}" )\n')
        ask(node, "reload")
        wait_for(node)


def test_a_node_that_drains(lab):
    sink = lab.sink("on final: hang")
    with Node(f'Gateway = "127.0.0.1:{sink.port}"\nDrain_Timeout = 600\n', workers=1) as node:
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        node.program.wait_until(
            lambda: node.cli("queue")["totals"]["in_flight"] == 1, "a peer that is silent"
        )
        os.kill(node.program.pid, signal.SIGTERM)
        node.program.wait_for("draining")
        wait_for(node, "draining")
        status, body = node.get("/readyz")
        assert (status, json.loads(body)["reasons"]) == (
            503,
            ["the node is draining: it takes no more mail and ends"],
        )
        os.kill(node.program.pid, signal.SIGTERM)


def test_a_name_of_the_machine_that_is_no_full_one(tmp_path):
    with Node('Hostname = "mx1"\n', workers=1, folder=tmp_path) as node:
        wait_for(node, "hostname")
        (said,) = node.wait_for_event("condition", level="warning")
        assert said["name"] == "hostname"
    said = subprocess.run(
        [ANGARIUM, "config", "check", tmp_path / "angarium.conf"], capture_output=True, text=True
    )
    assert said.returncode == 0
    assert "warning: " in said.stdout
    assert "Hostname is 'mx1', which is no full name" in said.stdout


def test_a_limit_on_descriptors_that_is_less_than_the_limits_need(tmp_path):
    config = "Server_Max_Outbound_Connections = 5000\n"
    with Node(config, workers=1, folder=tmp_path) as node:
        pid = node.program.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (600, limits[1]))
        try:
            wait_for(node, "descriptors_short")
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        wait_for(node)
        check = f"ulimit -n 600; exec {ANGARIUM} config check {node.config_file}"
        said = subprocess.run(["sh", "-c", check], capture_output=True, text=True, timeout=PATIENCE_S)
        node.stop()
        launch = f"ulimit -n 600; exec {ANGARIUM} serve --config {node.config_file} --data {tmp_path}/other"
        node.program.process.wait()
        with subprocess.Popen(["sh", "-c", launch], stderr=subprocess.PIPE, text=True) as started:
            told = next(json.loads(line) for line in started.stderr if '"condition"' in line)
            started.terminate()
            started.stderr.read()
    assert (
        "a process may open 600 files and connections, and Server_Max_Outbound_Connections = 5000"
        in said.stdout
    )
    assert said.stdout.count("can need 7768") == 1
    assert (told["name"], told["level"]) == ("descriptors_short", "warning")
    assert told["text"].startswith("a process may open 600 files and connections")


def test_a_recorder_that_cannot_open_its_store(tmp_path):
    with Node(workers=1, folder=tmp_path) as node:
        node.stop()
        (node.data / "events").rmdir()
        (node.data / "events").touch()
        node.start()
        wait_for(node, "recorder_stands")
        status, body = node.get("/readyz")
        assert status == 200
        assert json.loads(body)["notes"][0].startswith("what has happened to mail is not recorded: ")
        (node.data / "events").unlink()
        wait_for(node)


@pytest.mark.peer
def test_an_identity_store_that_is_stopped(tmp_path):
    try:
        server = PostgresServer()
    except PeerMissing as missing:
        pytest.skip(str(missing))
    stopped = False
    try:
        url = server.url(server.create_database())
        with Node(f'Identity_Store = "{url}"\n', workers=1) as node:
            wait_for(node)
            server.stop()
            stopped = True
            wait_for(node, "identity_store_silent", "suppressions_stand")
            status, body = node.get("/readyz")
            assert status == 503
            assert json.loads(body)["reasons"][0].startswith("the identity store has not answered for ")
            assert json.loads(body)["notes"][0].startswith(
                "nobody is suppressed for what fails: the identity store "
            )
    finally:
        if not stopped:
            server.stop()


@contextmanager
def logging_into(node: Node, pipe: int) -> Iterator[None]:
    """Start *node*, which has been stopped, with its log into *pipe*."""
    words = ["serve", "--config", node.config_file, "--data", node.data, "--workers", "1"]
    with subprocess.Popen([ANGARIUM, *words], stderr=pipe) as process:
        try:
            while node.get("/readyz")[0] != 200:
                assert process.poll() is None
            yield
        finally:
            process.terminate()


def test_a_log_that_nobody_reads_and_one_whose_reader_is_gone_hold_up_no_mail(lab, tmp_path):
    sink = lab.sink()
    with Node(f'Gateway = "127.0.0.1:{sink.port}"\n', workers=1, folder=tmp_path) as node:
        node.stop()
        reader, writer = os.pipe()
        with logging_into(node, writer):
            crowd = [f"{'r' * 60}{n}@{'d' * 60}.example.com" for n in range(1000)]
            for number in range(1, 4):
                submit(node.smtp_port, "me@example.org", crowd)
                sink.wait_for(lambda number=number: sink.counters.recipients >= number * 1000)
            wait_for(node, "log_unread")
            status, body = node.get("/readyz")
            assert status == 200
            assert json.loads(body)["notes"][0].startswith("nobody reads the log: ")
            os.close(reader)
            submit(node.smtp_port, "me@example.org", ["last@example.com"])
            sink.wait_for_mail_to("last@example.com")
            wait_for(node, "log_unread")
        os.close(writer)
