"""Mail by HTTP through the real program: what is answered arrives, once, whoever is killed."""

import base64
import http.client
import json
import os
import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from angarium.testing.lab import Lab, LabSink
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

CONFIG = """
ESMTP_Listener "default" {{ Auth_Without_TLS = true }}
Routes = ( "127.0.0.1:{port}" )
"""
PATH = "/manage/v1/messages"
MAIL = {"from": "Ann <ann@shop.example>", "subject": "Hi", "text": "hello"}


@pytest.fixture(scope="module")
def sink(shared_lab: Lab) -> LabSink:
    return shared_lab.sink()


@pytest.fixture(scope="module")
def node(sink: LabSink) -> Iterator[Node]:
    with Node(CONFIG.format(port=sink.port), workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def key(node: Node) -> str:
    node.cli("accounts", "create", "shop")
    node.cli("servers", "create", "app", "--account", "1")
    made = node.cli("keys", "create", "app", "--account", "1", "--grant", "all")
    return str(made["secret"])


class Said(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    replayed: bool

    @property
    def data(self) -> Any:
        return json.loads(self.body)


def post(node: Node, key: str, body: Any, *, path: str = PATH, as_key: str = "") -> Said:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if as_key:
        headers["Idempotency-Key"] = as_key
    connection = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return Said(answer.status, answer.read(), answer.getheader("Idempotency-Replayed") == "true")
    finally:
        connection.close()


def test_a_message_and_a_batch_arrive(node: Node, key: str, sink: LabSink) -> None:
    picture = base64.b64encode(b"GIF89a").decode()
    more = {"html": "<p>é", "attachments": [{"name": "a.gif", "type": "image/gif", "content": picture}]}
    said = post(node, key, {**MAIL, **more, "to": ["Bob <bob@one.test>"], "bcc": ["hidden@one.test"]})
    assert (said.status, said.data["accepted"]) == (202, 2)
    (mail,) = sink.wait_for_mail_to("bob@one.test")
    assert b"hidden@one.test" not in mail.data
    batch = post(
        node, key, {"messages": [{**MAIL, "to": [f"b{n}@one.test"]} for n in range(20)]}, path=f"{PATH}/batch"
    )
    assert batch.data["accepted"] == 20
    for number in range(20):
        sink.wait_for_mail_to(f"b{number}@one.test")


def test_a_repetition_is_answered_the_same_by_every_worker_and_after_kills(
    node: Node, key: str, sink: LabSink
) -> None:
    batch = {"messages": [{**MAIL, "to": ["once@one.test"]}, {**MAIL, "to": []}]}
    first = post(node, key, batch, path=f"{PATH}/batch", as_key="order 7")
    assert (first.status, first.replayed) == (202, False)
    for _ in range(10):  # connections that both workers take
        assert post(node, key, batch, path=f"{PATH}/batch", as_key="order 7") == first._replace(replayed=True)
    node.kill()
    node.start()
    for _ in range(4):
        assert post(node, key, batch, path=f"{PATH}/batch", as_key="order 7") == first._replace(replayed=True)
    assert post(node, key, {**MAIL, "to": ["x@one.test"]}, as_key="order 7").status == 409
    sink.wait_for_mail_to("once@one.test")
    post(node, key, {**MAIL, "to": ["last@one.test"]})
    sink.wait_for_mail_to("last@one.test")
    # The kill may have come between the peer's answer and its record: then it is the same mail once more.
    assert len({mail.data for mail in sink.to("once@one.test")}) == 1


def test_by_smtp_a_mail_with_a_key_is_taken_once(node: Node, key: str, sink: LabSink) -> None:
    text = b"From: a@shop.example\r\nSubject: x\r\nIdempotency-Key: k1\r\n\r\nhello\r\n"
    answers = set()
    for _ in range(6):
        with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as client:
            client.login("SMTP_Injection", key)
            client.mail("a@shop.example")
            client.rcpt("keyed@one.test")
            answers.add(client.data(text))
    assert len(answers) == 1
    sink.wait_for_mail_to("keyed@one.test")
    assert len(sink.to("keyed@one.test")) == 1


PAGE = (Path(__file__).parents[2] / "docs" / "sending-by-http.md").read_text()
EXAMPLES = dict(re.findall(r"```(sh|python|js)\n(.*?)```", PAGE, re.DOTALL))
PROGRAMS = {
    "sh": ["bash", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("language", EXAMPLES)
def test_the_examples_of_the_page_send(node: Node, key: str, sink: LabSink, language: str) -> None:
    address = f"{language}@one.test"
    text = EXAMPLES[language].replace("127.0.0.1:8080", f"127.0.0.1:{node.http_port}")
    text = text.replace("bob@example.com", address)
    environment = {**os.environ, "ANGARIUM_KEY": key}
    done = subprocess.run(
        [*PROGRAMS[language], text], env=environment, timeout=PATIENCE_S, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (mail,) = sink.wait_for_mail_to(address)
    assert b"Subject: Your order\r\n" in mail.data
