"""Who is suppressed gets no mail: from every worker, also what was taken before; and it is undone as quickly."""

import smtplib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.suppressions.records import CauseFilter, NewCause
from angarium.testing.lab import Lab, LabSink, submit, submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process

ME = "cli:test"
CONFIG = """
ESMTP_Listener "default" {{ Auth_Without_TLS = true }}
ESMTP_Listener "strict" {{ Auth_Without_TLS = true Refuse_Suppressed = true Listen "127.0.0.1:{strict}" {{ }} }}
Routes = ( "127.0.0.1:{port}" )
Retry_Interval = 3600
"""
STRICT = free_port()
TEXT = b"From: App <app@example.org>\r\nSubject: hi\r\n\r\nhello\r\n"


def workers_with(node: Node, event: str, recipient: str) -> Counter[int]:
    """Return in which workers that has happened, how often."""
    told = ((each["event"], each.get("recipient"), each.get("worker")) for each in node.events)
    return Counter(worker for what, whose, worker in told if (what, whose) == (event, recipient))


class Sender:
    """An account of a node, and the login that it sends with."""

    def __init__(self, node: Node) -> None:
        config = parse_config("")
        self.node = node
        self.database = open_database(store_url(config, node.data))
        ring = KeyRing.load_or_create(key_file(config, node.data))
        self.store = IdentityStore(self.database, ring, time.time)
        limits = Limits(sender_domains="any")
        self.account = self.store.accounts.create(f"shop {time.monotonic_ns()}", limits=limits, actor=ME).id
        self.server = self.store.servers.create(self.account, "app", actor=ME).id
        made = self.store.credentials.create_smtp_login(self.server, "l", actor=ME)
        self.login = (made[0].username, made[1])

    def suppress(self, what: str, **more: Any) -> None:
        cause = NewCause(account=self.account, what=what, reason="manual", origin="cli", at=0.0, **more)
        self.store.suppressions.add([cause], actor=ME)

    def undo(self, what: str) -> None:
        self.store.suppressions.undo(CauseFilter(what=what), actor=ME)

    @contextmanager
    def session(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.node.smtp_port, "client.test", PATIENCE_S) as client:
            client.login(*self.login)
            yield client

    def send(self, *to: str) -> str:
        with self.session() as client:
            return submit_over(client, "app@example.org", to, TEXT)

    def became(self, message: str, recipient: str) -> str:
        """What has happened to a recipient last, as the log tells it; wait until there is something."""
        found: list[str] = []

        def seen() -> bool:
            events = [each for each in self.node.events if each.get("recipient") == recipient]
            found[:] = [each["event"] for each in events if each["message"] == message]
            return bool(found)

        self.node.program.wait_until(seen, f"what becomes of {message}")
        return found[-1]

    def suppress_now(self, what: str, recipient: str) -> None:
        """Suppress *what*, and wait until mail to *recipient* ends by it in both workers."""
        self.suppress(what)

        def in_both() -> bool:
            self.became(self.send(recipient), recipient)
            return workers_with(self.node, "suppressed", recipient).keys() == {0, 1}

        self.node.program.wait_until(in_both, f"{what} is known")


@pytest.fixture(scope="module")
def sink(shared_lab: Lab) -> LabSink:
    return shared_lab.sink("on rcpt to later@*: reply 451 4.7.1 later")


@pytest.fixture(scope="module")
def node(sink: LabSink) -> Iterator[Node]:
    with Node(CONFIG.format(port=sink.port, strict=STRICT), workers=2) as node:
        yield node


@pytest.fixture(scope="module")
def sender(node: Node) -> Iterator[Sender]:
    sender = Sender(node)
    yield sender
    sender.database.close()


def test_every_worker_hears_of_it_and_of_its_undoing(sender: Sender, node: Node, sink: LabSink) -> None:
    with ExitStack() as sessions:
        clients = [sessions.enter_context(sender.session()) for _ in range(8)]  # both workers have some

        def in_both(event: str, before: Counter[int]) -> bool:
            for client in clients:
                submit_over(client, "app@example.org", ["ann@x.example"], TEXT)
            return (workers_with(node, event, "ann@x.example") - before).keys() == {0, 1}

        node.program.wait_until(lambda: in_both("delivered", Counter()), "mail by both workers")
        sender.suppress("Ann@X.Example")
        node.program.wait_until(lambda: in_both("suppressed", Counter()), "both workers have heard")
        stopped = node.wait_for_event("suppressed")[0]
        assert stopped["reply"] == "550 5.7.1 [internal] the recipient is suppressed: put on the list"
        assert stopped["note"].endswith(": put on the list, 1970-01-01")
        before = workers_with(node, "delivered", "ann@x.example")
        sender.undo("ann@x.example")
        node.program.wait_until(lambda: in_both("delivered", before), "mail by both workers again")


def test_who_is_suppressed_is_left_out_of_a_mail_to_several(
    sender: Sender, node: Node, sink: LabSink
) -> None:
    sender.suppress_now("/^b@/", "b@x.example")
    message = sender.send("a@x.example", "b@x.example", "c@x.example")
    assert [sender.became(message, f"{each}@x.example") for each in "abc"] == [
        "delivered",
        "suppressed",
        "delivered",
    ]
    (mail,) = sink.to("a@x.example")
    assert list(mail.recipients) == ["a@x.example", "c@x.example"]


def test_mail_that_was_taken_before_ends_when_it_is_its_turn(
    sender: Sender, node: Node, sink: LabSink
) -> None:
    message = sender.send("later@x.example")
    node.wait_for_event("delayed", recipient="later@x.example")
    sender.suppress_now("later@x.example", "later@x.example")
    node.cli("flush", "--message", message, "--yes")
    (ended,) = node.wait_for_event("suppressed", message=message)
    assert ended["attempts"] == 1


def test_mail_of_nobody_and_of_others_goes(sender: Sender, node: Node, sink: LabSink) -> None:
    sender.suppress_now("bob@x.example", "bob@x.example")
    before = len(sink.to("bob@x.example"))
    other = Sender(node)
    other.send("bob@x.example")
    submit(node.smtp_port, "me@example.org", ["bob@x.example"])
    assert len(sink.wait_for_mail_to("bob@x.example", before + 2)) == before + 2
    other.database.close()


def test_who_asks_for_a_report_gets_one_and_others_do_not(sender: Sender, node: Node, sink: LabSink) -> None:
    sender.suppress_now("eve@x.example", "eve@x.example")
    with sender.session() as client:
        submit_over(client, "asks@sender.example", ["eve@x.example"], TEXT, rcpt=["NOTIFY=FAILURE"])
    (report,) = sink.wait_for_mail_to("asks@sender.example")
    assert b"Status: 5.7.1" in report.data
    assert b"the recipient is suppressed: put on the list" in report.data
    assert sink.to("app@example.org") == []


def test_a_listener_may_refuse_who_is_suppressed(sender: Sender, node: Node, sink: LabSink) -> None:
    sender.suppress_now("kim@x.example", "kim@x.example")
    with smtplib.SMTP("127.0.0.1", STRICT, "client.test", PATIENCE_S) as client:
        client.login(*sender.login)
        client.mail("app@example.org")
        code, text = client.rcpt("Kim@X.example")
        assert (code, text[:43]) == (550, b"5.7.1 Kim@X.example is suppressed (suppress")
        assert client.rcpt("lee@x.example")[0] == 250
