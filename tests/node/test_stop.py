"""A stop that has to wait: who comes meanwhile is turned away, and whoever asked can end the waiting."""

import os
import signal
import socket

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S, Program

pytestmark = pytest.mark.process

SLOW = """
Routes = ( "127.0.0.1:{port}" )
Host_Failure_Retry = 0
Ambiguous_Delivery = hold
Drain_Timeout = 3600
"""


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PATIENCE_S)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_trace_leaves_no_traceback_whichever_side_goes_first(lab):
    sink = lab.sink()
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )') as node:
        traces = [
            Program([ANGARIUM, "trace", "on", "example.com", "--data", node.data], name="trace")
            for _ in range(2)
        ]
        for trace in traces:
            trace.wait_for("Ctrl-C ends it")
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        for trace in traces:
            trace.wait_for("RCPT TO:<you@example.com>")
        traces[0].stop(signal.SIGKILL)
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        traces[1].wait_for("RCPT TO:<you@example.com>", 2)
        assert node.stop() == 0
        traces[1].stop()
        assert "Traceback" not in node.program.log
        assert "Traceback" not in traces[1].log


def test_a_node_that_drains_takes_no_connection_and_a_second_signal_ends_the_waiting(lab, queue_row):
    sink = lab.sink("on final first 1: keep; hang")
    with Node(SLOW.format(port=sink.port), workers=2) as node:
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        sink.wait_for_messages(1)
        os.kill(node.program.pid, signal.SIGTERM)
        node.program.wait_until(lambda: refuses(node.smtp_port), "listener that is closed")
        assert node.program.process.poll() is None
        assert node.stop() == 0
        assert "did not drain" not in node.program.log
        assert "attempts were cut off after their final dot" in node.program.log
        node.start()
        assert queue_row(node, "example.com", lambda row: row and row["held"] == 1)
