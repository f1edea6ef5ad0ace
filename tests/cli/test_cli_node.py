"""The commands against the real program, with a peer that puts mail off at first."""

import json
import subprocess

import pytest

from angarium.cli.where import find_folder
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
            node.wait_until_well()
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


@pytest.mark.process
def test_a_message_is_found_beside_the_running_node_and_called_by_its_message_id(tmp_path):
    text = b"Message-ID: <order-17@shop.example>\r\nSubject: your order\r\n\r\nhi\r\n"
    with Lab() as lab:
        sink = lab.sink("on rcpt to gone@*: reply 550 5.1.1 no such user")
        with Node(f'Gateway = "{sink.host}:{sink.port}"', workers=2) as node:
            submit(node.smtp_port, "me@shop.example", ["anna@example.org", "gone@example.org"], text)
            sink.wait_for_mail_to("anna@example.org")

            def ended():
                found = run_find(node, "--recipient", "anna@example.org")
                return [row["states"] for row in found["rows"]] == [{"delivered": 1, "bounced": 1}]

            node.program.wait_until(ended, "both ends to be found")
            (row,) = run_find(node, "order-17")["rows"]
            assert (row["message_id"], row["subject"]) == ("<order-17@shop.example>", "your order")
            assert row["recipients"][1]["last_reply"] == "550 5.1.1 no such user"
            assert node.cli("message", "<order-17")["message"]["id"] == row["message"]
            assert node.cli("message", row["message"][:15])["message"]["id"] == row["message"]

            # found by what its process has open, of a listing of processes that has it alone
            (tmp_path / "proc").mkdir()
            (tmp_path / "proc" / str(node.program.pid)).symlink_to(f"/proc/{node.program.pid}")
            assert find_folder(tmp_path / "none", tmp_path / "proc").resolve() == node.data.resolve()


def run_find(node, *words):
    """What `angarium find` answers; nothing found is an answer too."""
    command = [ANGARIUM, "find", *words, "--json", "--data", node.data]
    return json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
