"""The commands against the real program, with a peer that puts mail off at first."""

import json
import subprocess

import pytest

from angarium.testing.lab import Lab, submit
from angarium.testing.node import ANGARIUM, Node


def wait_for_row(node, domain, condition):
    """Return the only row of a domain's listing once *condition* holds for it."""
    rows = []

    def seen():
        rows[:] = node.cli("queue", "show", domain)["rows"]
        return bool(rows) and condition(rows[0])

    node.program.wait_until(seen, "the recipient in its queue")
    return rows[0]


@pytest.mark.process
def test_an_operator_sees_what_waits_changes_it_and_watches_it_go():
    with Lab() as lab:
        sink = lab.sink("on rcpt first 1: reply 451 4.2.1 come later")
        gateway = f"{sink.host}:{sink.port}"
        with Node(f'Gateway = "{gateway}" Retry_Interval = 3600', workers=2) as node:
            assert node.cli("status")["health"] == {"not_ready": [], "unwell": [], "conditions": []}
            submit(node.smtp_port, "a@example.com", ["b@example.org"])
            row = wait_for_row(node, gateway, lambda row: row["attempts"] == 1)
            assert row["last_reply"] == "451 4.2.1 come later"

            assert node.cli("hold", "--domain", gateway, "--yes")["changed"]["changed"] == 1
            wait_for_row(node, gateway, lambda row: row["state"] == "held")

            def can_be_released():
                return (
                    node.cli("release", "--message", row["message"], "--dry-run")["matched"]["waiting"] == 1
                )

            node.program.wait_until(can_be_released, "the store to know that it is held")

            trace = [ANGARIUM, "trace", "on", gateway, "--json", "--data", node.data]
            with subprocess.Popen(trace, stdout=subprocess.PIPE, text=True) as watching:
                assert json.loads(watching.stdout.readline())["tracing"] == gateway
                assert node.cli("release", "--all", "--yes")["changed"]["changed"] == 1
                sink.wait_for_messages(1)
                said = map(json.loads, watching.stdout)
                commands = (line["line"] for line in said if line["direction"] == "C")
                assert any(command.startswith("RCPT TO:<b@example.org>") for command in commands)
                watching.terminate()

            def delivered():
                story = node.cli("message", row["message"])
                return [event["type"] for event in story["events"]][-4:] == [
                    "delayed",
                    "held",
                    "released",
                    "delivered",
                ]

            node.program.wait_until(delivered, "the whole story")
            assert node.cli("queue")["totals"]["waited_in"] == 0
            assert 'angarium_events_total{type="delivered"} 1.0' in node.get("/metrics")[1]
            (view,) = [node.cli("top", "--count", "1")]
            assert ["events_total", ["held"], 1.0] in view["stats"]
