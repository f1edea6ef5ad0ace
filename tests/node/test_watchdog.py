"""A worker that is stuck is replaced, and its mail goes on."""

import os
import signal

from angarium.testing.lab import submit
from angarium.testing.node import Node


def test_a_worker_that_stands_still_is_killed_and_started_again(lab, queue_row):
    sink = lab.sink()
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\nWorker_Timeout = 3\n', workers=1) as node:
        worker = node.pids[1]
        os.kill(worker, signal.SIGSTOP)
        node.program.wait_for("silent for . s; killed")
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
        assert worker not in node.pids
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        assert len(sink.wait_for_messages(1)) == 1
