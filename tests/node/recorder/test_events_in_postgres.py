"""A node whose events are in PostgreSQL: what was sent is found, and a server that is away loses nothing."""

import json
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from angarium.events.fields import MAIL
from angarium.events.port import Whose
from angarium.events.postgres.store import PostgresEventStore
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.lab import Lab
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.postgres import PostgresServer

pytestmark = pytest.mark.peer

CONFIG = """
Event_Database = "{url}"
Relay_Hosts = ( "127.0.0.1" ) Routes = ( "127.0.0.1:{port}" )
"""
SCRIPT = "on rcpt to bad@*: reply 550 5.1.1 no such user here\n"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as running:
        yield running


class PostgresNode:
    """A node, and its event store opened beside it."""

    def __init__(self, node: Node, url: str) -> None:
        self.node = node
        self.store = PostgresEventStore(url)

    def send(self, *recipients: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.node.smtp_port) as client:
            for recipient in recipients:
                client.sendmail("shop@example.org", [recipient], b"Subject: Your roof\r\n\r\nhello\r\n")

    def wait_for(self, **ends: str) -> None:
        """Wait until just this mail is in the store, by the left part of each recipient, and has ended so."""
        node = parse("roof", MAIL, Now(0.0))

        def found() -> dict[str, str]:
            mails = self.store.search(node, Whose(), limit=100).found
            return {mail.address.partition("@")[0]: mail.state for mail in mails}

        self.node.program.wait_until(lambda: found() == ends, f"{ends}")

    def wait_until_it_says(self, wanted: Callable[[dict[str, str]], bool], what: str) -> dict[str, str]:
        """Wait until *wanted* is true of what is the matter, by name, and return it."""
        self.node.program.wait_until(lambda: wanted(self._conditions()), what)
        return self._conditions()

    def _conditions(self) -> dict[str, str]:
        return {each["name"]: each["text"] for each in self.ask("status")["health"]["conditions"]}

    def ask(self, *arguments: str) -> Any:
        command = [str(ANGARIUM), *arguments, "--json", "--data", str(self.node.data)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def node(lab: Lab, server: PostgresServer) -> Iterator[PostgresNode]:
    url = server.url(server.create_database())
    with Node(CONFIG.format(url=url, port=lab.sink(SCRIPT).port), workers=1) as running:
        made = PostgresNode(running, url)
        yield made
        made.store.close()


def test_what_was_sent_is_found_and_a_server_that_is_away_loses_nothing(
    node: PostgresNode, server: PostgresServer
) -> None:
    node.send("good@example.com", "bad@example.com")
    node.wait_for(good="delivered", bad="bounced")
    (found,) = node.ask("search", '"no such user"')["found"]
    assert (found["address"], found["reason"]) == ("bad@example.com", "no_such_recipient")
    assert not (node.node.data / "events").exists()

    server.go_down()
    node.send("while@example.com")
    said = node.wait_until_it_says(lambda said: "recorder_stands" in said, "that it stands still")
    assert "does not answer" in said["recorder_stands"]

    server.come_up()
    node.send("after@example.com")
    node.wait_for(**{"good": "delivered", "bad": "bounced", "while": "delivered", "after": "delivered"})
    node.wait_until_it_says(lambda said: not said, "that all is well")
