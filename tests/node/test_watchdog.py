"""A worker that is stuck is replaced, and its mail goes on."""

import os
import select
import signal
import time

import pytest

from angarium.testing.lab import submit
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process


def test_a_worker_that_stands_still_is_killed_and_started_again(lab, queue_row):
    sink = lab.sink()
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\nWorker_Timeout = 3\n', workers=1) as node:
        worker = node.pids[1]
        os.kill(worker, signal.SIGSTOP)
        node.program.wait_for(r"silent for \d+ s; killed")
        node.program.wait_until(lambda: node.get("/readyz")[0] == 200, "readiness")
        assert worker not in node.pids
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        assert len(sink.wait_for_messages(1)) == 1


def test_a_node_that_stood_still_as_a_whole_goes_on_with_the_same_workers():
    """Stopped at a terminal, or with its machine: what the workers said meanwhile has not been read yet."""
    with Node("Worker_Timeout = 3\n", workers=1) as node:
        before = node.pids
        os.kill(node.program.pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        node.program.wait_until(lambda: time.monotonic() > stopped_at + 4, "longer than Worker_Timeout")
        os.kill(node.program.pid, signal.SIGCONT)
        node.program.wait_until(lambda: time.monotonic() > stopped_at + 6, "a look at the workers")
        assert node.get("/readyz")[0] == 200
        assert node.pids == before


def test_a_worker_that_cannot_come_to_an_end_does_not_outlive_its_supervisor_for_long(lab, tmp_path):
    password = tmp_path / "password"
    os.mkfifo(password)  # a thread of the worker reads it, and will never have read it
    login = 'Outbound_SMTP_AUTH_Type = "plain"\nOutbound_SMTP_AUTH_User = "me"\nTLS = "no"\n'
    login += f'Outbound_SMTP_AUTH_Pass_File = "{password}"\nRoutes = ( "127.0.0.1:{lab.sink().port}" )\n'
    with Node(login, workers=1) as node:
        submit(node.smtp_port, "me@example.org", ["you@example.com"])
        with password.open("wb"):  # opened: the thread is there
            supervisor, worker = node.pids
            end = os.pidfd_open(worker)
            os.kill(supervisor, signal.SIGKILL)
            assert select.select([end], [], [], PATIENCE_S)[0] == [end]
            os.close(end)
