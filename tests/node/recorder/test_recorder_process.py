"""The recorder of a real node: what was sent is found, and one that is killed loses and doubles nothing."""

import json
import os
import shutil
import signal
import smtplib
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from angarium.core.ids import parse_id
from angarium.events.fields import MAIL
from angarium.events.port import FoundMail, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.lab import Lab
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

CONFIG = 'Relay_Hosts = ( "127.0.0.1" ) Routes = ( "127.0.0.1:{port}" )'
SCRIPT = "on rcpt to bad@*: reply 550 5.1.1 no such user here\n"


@pytest.fixture
def node(lab: Lab) -> Any:
    with Node(CONFIG.format(port=lab.sink(SCRIPT).port)) as running:
        yield running


def send(node: Node, recipients: list[str], subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        for recipient in recipients:
            text = f"Subject: {subject}\r\nX-PM-Tag: welcome\r\n\r\nhello\r\n"
            client.sendmail("shop@example.org", [recipient], text.encode())


def search(node: Node, *words: str) -> list[dict[str, Any]]:
    command = [str(ANGARIUM), "search", "--json", "--data", str(node.data), *words]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [dict(each) for each in json.loads(done.stdout)["found"]]


def test_mail_is_found_by_command_while_the_node_runs_and_after(node: Node) -> None:
    send(node, ["good@example.com", "bad@example.com"], "=?utf-8?q?Ihre_K=C3=BCche?=")
    node.program.wait_until(lambda: len(search(node, "kuche AND -status:queued")) == 2, "both ends")
    (bounced,) = search(node, "kuche", "AND", "status:bounced")
    assert (bounced["address"], bounced["subject"], bounced["tags"], bounced["reply"], bounced["reason"]) == (
        "bad@example.com",
        "Ihre Küche",
        ["welcome"],
        "550 5.1.1 no such user here",
        "no_such_recipient",
    )
    assert node.stop() == 0
    (found,) = search(node, '"no such user"')
    assert found == bounced


def test_a_message_that_the_node_has_forgotten_is_told_from_what_was_kept(node: Node) -> None:
    send(node, ["bad@example.com"], "forgotten")
    node.program.wait_until(lambda: bool(search(node, "forgotten AND status:bounced")), "the end")
    (found,) = search(node, "forgotten")
    assert node.stop() == 0
    shutil.rmtree(node.data / "spool")
    node.start()
    done = subprocess.run(
        [str(ANGARIUM), "message", found["message"], "--data", str(node.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "as the recorder has kept it" in done.stdout
    assert "bounced    bad@example.com  550 5.1.1 no such user here  (no_such_recipient)" in done.stdout
    assert "reached rcpt" in done.stdout
    dialogue = done.stdout[done.stdout.index("C: EHLO") :].splitlines()
    said = [line.strip() for line in dialogue if line.strip()[:3] in ("C: ", "S: ")]
    assert "C: RCPT TO:<bad@example.com>" in said
    assert "S: 550 5.1.1 no such user here" in said
    assert "forgotten" not in "".join(said)


def test_a_wrong_query_is_told_with_its_place(node: Node) -> None:
    command = [str(ANGARIUM), "search", "--data", str(node.data), "to:bob AND red^4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["to:bob AND red^4", "              ^"]


def test_a_recorder_that_is_killed_loses_and_doubles_nothing(node: Node) -> None:
    recipients = [f"r{number}@example.com" for number in range(200)]
    sessions = [
        threading.Thread(target=send, args=(node, recipients[first::4], "letter")) for first in range(4)
    ]
    for session in sessions:
        session.start()
    killed: set[int] = set()
    while any(session.is_alive() for session in sessions) or len(killed) < 3:
        node.program.wait_until(lambda: set(node.recorder_pids) - killed, "a new recorder")
        before = len(everything(node.data))
        node.program.wait_until(
            lambda before=before: len(everything(node.data)) > min(before, len(recipients) - 1),
            "more to be taken",
        )
        (pid,) = node.recorder_pids
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    for session in sessions:
        session.join()
    node.program.wait_until(
        lambda: all(mail.state == "delivered" for mail in everything(node.data)), "all ends"
    )
    assert node.stop() == 0
    found = everything(node.data)
    assert sorted(mail.address for mail in found) == sorted(recipients)
    store = SqliteEventStore(node.data / "events")
    for mail in found:
        timeline = store.timeline(parse_id(mail.message), Whose())
        assert timeline is not None
        assert [each.type for each in timeline.happenings] == ["received", "delivered"]
    store.close()


def everything(data: Path) -> list[FoundMail]:
    """What has been taken of it so far."""
    store = SqliteEventStore(data / "events")
    found = store.search(parse("letter", MAIL, Now(0.0)), Whose(), limit=1000).found
    store.close()
    return found


def delivered(data: Path) -> list[FoundMail]:
    return [mail for mail in everything(data) if mail.state == "delivered"]


def ask(node: Node, key: str, path: str) -> Any:
    """Return what the manage API answers. A recorder that starts on a busy machine is waited for."""
    found: list[Any] = []

    def answered() -> bool:
        url = f"http://127.0.0.1:{node.http_port}/manage/v1{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                found.append(json.load(answer))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503:
                raise
        return bool(found)

    node.program.wait_until(answered, f"an answer to {path}")
    return found[0]


def test_what_is_read_and_managed_is_answered_by_the_recorder_and_by_its_successor(node: Node) -> None:
    key = node.cli("init")["key"]["secret"]
    send(node, ["bob@example.com", "bad@example.com"], "Your roof")
    node.program.wait_until(lambda: bool(search(node, "status:bounced")), "the bounce")
    (mail,) = ask(node, key, "/messages?query=roof%20AND%20status:bounced")["data"]
    assert mail["address"] == "bad@example.com"
    os.kill(node.recorder_pids[0], signal.SIGKILL)
    told = ask(node, key, f"/messages/{mail['message']}")
    assert [each["type"] for each in told["events"]] == ["received", "bounced"]
    assert ask(node, key, "/accounts")["data"]
    assert node.stop() == 0
    assert not (node.data / "recorder.sock").exists()
