"""A webhook of a real node: the receiver of the docs hears what becomes of mail, whoever is killed."""

import json
import os
import signal
import smtplib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.testing.lab import submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S
from angarium.testing.snippets import module_of

pytestmark = pytest.mark.process

EXAMPLE = Path(__file__).parents[3] / "docs/examples/webhook_receiver.py"
TEXT = b"From: App <app@example.org>\r\nSubject: hi\r\n\r\nhello\r\n"
CONFIG = """
ESMTP_Listener "default" {{ Auth_Without_TLS = true }}
Routes = ( "127.0.0.1:{port}" )
Fetch_Networks = ( "127.0.0.0/8" )
"""


@pytest.fixture(scope="module")
def node(shared_lab: Any) -> Iterator[Node]:
    sink = shared_lab.sink("on rcpt to *@full.test: reply 550 5.1.1 no such user")
    with Node(CONFIG.format(port=sink.port), workers=1) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Any]:
    made = module_of(EXAMPLE).serve(0, [])
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


class Sending:
    """An account with a login of its own."""

    def __init__(self, node: Node) -> None:
        config = parse_config("")
        self.node = node
        ring = KeyRing.load_or_create(key_file(config, node.data))
        self.store = IdentityStore(open_database(store_url(config, node.data)), ring, time.time)
        limits = Limits(sender_domains="any")
        self.account = self.store.accounts.create(
            f"shop {time.monotonic_ns()}", limits=limits, actor="cli:t"
        ).id
        server = self.store.servers.create(self.account, "app", actor="cli:t").id
        made = self.store.credentials.create_smtp_login(server, "l", actor="cli:t")
        self.login = (made[0].username, made[1])

    def send(self, *to: str) -> None:
        with smtplib.SMTP("127.0.0.1", self.node.smtp_port, "client.test", PATIENCE_S) as client:
            client.login(*self.login)
            for each in to:
                submit_over(client, "app@example.org", [each], TEXT)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.long)])
def test_mail_is_sent_and_the_receiver_of_the_docs_hears_of_it_also_when_who_tells_it_is_killed(
    node: Node, receiver: Any, kills: int
) -> None:
    sending = Sending(node)
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    made = node.cli("webhooks", "add", "crm", url, "--account", str(sending.account))
    receiver.secrets.append(made["secret"])
    told = node.cli("webhooks", "test", str(made["id"]))
    assert (told["taken"], told["status"]) == (True, 204)
    receiver.mailbox.seen.clear()
    receiver.mailbox.state.clear()

    sending.send("one@ok.test", "two@full.test")
    state = receiver.mailbox.state

    def known(count: int) -> dict[str, str]:
        node.program.wait_until(
            lambda: len([each for each in state.values() if each in ("delivered", "bounced")]) >= count,
            f"{count} ends in {state}",
        )
        return {recipient: end for (_, recipient), end in state.items() if recipient}

    assert known(2) == {"one@ok.test": "delivered", "two@full.test": "bounced"}
    for number in range(kills):
        sending.send(*(f"u{number}-{each}@ok.test" for each in range(5)))
        kill_who_tells(node)
    assert len(known(2 + 5 * kills)) == 2 + 5 * kills
    (shown,) = [each for each in node.cli("webhooks", "list") if each["id"] == made["id"]]
    assert shown["standing"]["state"] == "works"


def test_one_that_is_gone_is_switched_off_and_the_node_says_so(node: Node, receiver: Any) -> None:
    sending = Sending(node)
    receiver.RequestHandlerClass = type("Gone", (receiver.RequestHandlerClass,), {"do_POST": gone})
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    made = node.cli("webhooks", "add", "crm", url, "--account", str(sending.account))
    sending.send("one@ok.test")
    node.program.wait_until(lambda: "webhooks_off" in conditions(node), "a condition")
    shown = node.cli("webhooks", "show", str(made["id"]))
    assert (shown["enabled"], shown["off_reason"]) == (False, "it answered 410: it is gone for good")
    assert shown["standing"]["state"] == "off"
    node.cli("webhooks", "delete", str(made["id"]), "--yes")
    node.program.wait_until(lambda: "webhooks_off" not in conditions(node), "no condition")


def kill_who_tells(node: Node) -> None:
    (pid,) = node.webhook_pids
    os.kill(pid, signal.SIGKILL)
    node.program.wait_until(lambda: node.webhook_pids not in ([], [pid]), "another process")


def gone(self: Any) -> None:
    self.rfile.read(int(self.headers.get("Content-Length", 0)))
    self.answer(410)


def conditions(node: Node) -> set[str]:
    return {each["name"] for each in json.loads(node.get("/readyz")[1]).get("conditions", ())}
