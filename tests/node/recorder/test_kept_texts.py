"""Texts that a real node keeps where a stream asks for it, whoever is killed meanwhile."""

import json
import os
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.testing.lab import Lab
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import run

pytestmark = pytest.mark.process

CONFIG = """
Large_Message_Threshold = 65536
Relay_Hosts = ( "127.0.0.1" ) Routes = ( "127.0.0.1:{port}" )
"""
LARGE = b"0123456789abcdef\r\n" * 20_000


class SendingNode:
    """A node with one login, whose stream keeps texts for a week."""

    def __init__(self, node: Node, login: dict[str, str]) -> None:
        self.node = node
        self._login = login
        self.sent: dict[str, bytes] = {}

    def send(self, subject: str, text: bytes, *, logs_in: bool = True) -> None:
        header = (
            f"From: shop@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@shop.example>\r\n\r\n"
        )
        mail = header.encode() + text
        with smtplib.SMTP("127.0.0.1", self.node.smtp_port) as client:
            if logs_in:
                client.starttls(context=ssl._create_unverified_context())
                client.login(self._login["username"], self._login["secret"])
            client.sendmail("shop@example.org", ["bob@example.com"], mail)
        self.sent[subject] = mail

    def ids(self) -> dict[str, str]:
        """The messages that the recorder has, by subject."""
        return {
            each["subject"]: each["message"] for each in json.loads(self.ask("search", "--json"))["found"]
        }

    def ask(self, *arguments: str) -> bytes:
        command = [str(ANGARIUM), *arguments, "--data", str(self.node.data)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout or done.stderr

    def wait_for_all(self) -> dict[str, str]:
        self.node.program.wait_until(lambda: self.ids().keys() == self.sent.keys(), "all to be recorded")
        return self.ids()


@pytest.fixture
def sending(lab: Lab, tmp_path: Path) -> Iterator[SendingNode]:
    config = CONFIG.format(port=lab.sink("").port)
    (tmp_path / "angarium.conf").write_text(config)
    places = ["--config", str(tmp_path / "angarium.conf"), "--data", str(tmp_path / "data"), "--json"]
    login: dict[str, Any] = json.loads(run([ANGARIUM, "init", *places]))["login"]
    run([ANGARIUM, "streams", "change", "outbound", "--set", "keep_body_days=7", *places])
    with Node(config, folder=tmp_path, workers=1) as node:
        yield SendingNode(node, login)


def test_each_text_is_kept_once_and_none_is_missing_though_the_recorder_is_killed(
    sending: SendingNode,
) -> None:
    node = sending.node
    sending.send("small", "Grüße aus Köln.\r\n".encode())
    sending.send("nobody", b"of nobody who logged in\r\n", logs_in=False)
    for number in range(2):
        (pid,) = node.recorder_pids
        os.kill(pid, signal.SIGKILL)
        sending.send(f"large{number}", b"%d" % number + LARGE)
        node.program.wait_until(lambda pid=pid: set(node.recorder_pids) - {pid}, "a new recorder")
    ids = sending.wait_for_all()
    assert node.stop() == 0

    for subject, mail in sending.sent.items():
        raw = sending.ask("message", ids[subject], "--raw")
        if subject == "nobody":
            assert b"is not kept" in raw
        else:
            assert raw.startswith(b"Received: ")
            assert raw.endswith(mail)
    assert sending.ask("message", "small@shop.example", "--body").decode() == "Grüße aus Köln.\n"
    assert not list((node.data / "spool" / "p0" / "unread").iterdir())
