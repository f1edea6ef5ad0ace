"""A node without free file descriptors loses nothing by it, and goes on by itself when there are some again."""

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node

pytestmark = pytest.mark.process


@contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """Let the process open nothing more; what it has open stays so."""
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def errors(node: Node, event: str) -> int:
    return sum(each["event"] == event and each["level"] == "error" for each in node.events)


def test_a_worker_goes_on_with_what_it_has(lab):
    sink = lab.sink()
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\nWorker_Timeout = 3\n', workers=1) as node:
        worker = node.pids[1]
        with no_descriptors(worker), socket.create_connection(("127.0.0.1", node.smtp_port)):
            node.program.wait_until(lambda: errors(node, "accept") > 12, "six seconds of trying")
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        assert len(sink.wait_for_messages(1)) == 1
        assert node.pids[1] == worker


def test_a_worker_that_cannot_be_started_is_started_later(lab):
    sink = lab.sink()
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\n', workers=1) as node:
        with no_descriptors(node.program.pid):
            node.kill_worker()
            node.program.wait_for("not started")
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        assert len(sink.wait_for_messages(1)) == 1
