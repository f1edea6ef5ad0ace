"""Clients that others wrote for Postmark, with nothing changed but address and token: the ordinary tour of each.

What each of them calls is in the table of docs/from-postmark.md.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import django
import postmark.sync
import pytest
from anymail.backends.postmark import EmailBackend
from anymail.message import AnymailMessage
from django.conf import settings
from postmark.exceptions import PostmarkException
from postmark.models.servers.enums import DeliveryType
from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError

from angarium.config.load import parse_config
from angarium.identity.grants import GRANTS
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.testing.lab import Lab, LabSink
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, run

ME = "cli:test"
HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".cache/node"
GONE = "on rcpt to gone*@*: reply 550 5.1.1 no such user"
MAIL = {"From": "Ann <ann@example.org>", "To": "bob@example.com", "Subject": "Hi", "TextBody": "hello"}

T = TypeVar("T")


class Shop:
    """An account of a node with a server, its token, and a key for the account."""

    def __init__(self, node: Node) -> None:
        config = parse_config("")
        self.node = node
        self.database = open_database(store_url(config, node.data))
        store = IdentityStore(self.database, KeyRing.load_or_create(key_file(config, node.data)), time.time)
        self.account = store.accounts.create("shop", limits=Limits(sender_domains="any"), actor=ME).id
        self.server = store.servers.create(self.account, "app", actor=ME).id
        _, self.token = store.credentials.create_server_token(self.server, "t", actor=ME)
        grants = frozenset(GRANTS) - {"node/manage"}
        _, self.key = store.credentials.create_api_key(self.account, "k", grants, actor=ME)
        self.url = f"http://127.0.0.1:{node.http_port}"

    def until(self, ask: Callable[[], T], holds: Callable[[T], object]) -> T:
        """Ask until the answer is as it is to become: what was sent is told of a moment later."""
        found: list[T] = []

        def is_so() -> bool:
            found[:] = [ask()]
            return bool(holds(found[0]))

        self.node.program.wait_until(is_so, "the recorder has read it", PATIENCE_S)
        return found[0]


@pytest.fixture(scope="module")
def sink() -> Iterator[LabSink]:
    with Lab() as lab:
        yield lab.sink(GONE)


@pytest.fixture(scope="module")
def shop(sink: LabSink) -> Iterator[Shop]:
    with Node(f'Routes = ( "127.0.0.1:{sink.port}" )\nRetry_Interval = 3600\n', workers=1) as node:
        shop = Shop(node)
        yield shop
        shop.database.close()


def test_the_official_client_for_python(shop: Shop, sink: LabSink) -> None:
    with postmark.sync.ServerClient(shop.token, base_url=shop.url, retries=0) as client:
        sent = client.outbound.send({**MAIL, "To": "py@example.com", "Tag": "py", "Metadata": {"n": "1"}})
        assert (sent.error_code, sent.message) == (0, "OK")
        sink.wait_for_mail_to("py@example.com")
        many = client.outbound.send_batch([{**MAIL, "To": f"py{n}@example.com"} for n in range(3)])
        assert [each.error_code for each in many] == [0, 0, 0]
        with pytest.raises(PostmarkException, match="Illegal email domain"):
            client.outbound.send({**MAIL, "To": "py@localhost"})
        client.outbound.send({**MAIL, "To": "gone@example.com", "Tag": "py"})

        listed = shop.until(lambda: client.outbound.list(tag="py"), lambda page: page.total == 2)
        assert {each.subject for each in listed.items} == {"Hi"}
        details = shop.until(lambda: client.outbound.get(sent.message_id), lambda told: told.message_events)
        assert details.message_events[0].type == "Delivered"
        assert client.outbound.get_dump(sent.message_id).body == ""

        bounces = shop.until(lambda: client.bounces.list(), lambda page: page.total)
        (bounce,) = bounces.items
        assert (bounce.type, bounce.email, bounce.tag) == ("HardBounce", "gone@example.com", "py")
        assert client.bounces.get(bounce.id).content
        assert "550 5.1.1" in client.bounces.get_dump(bounce.id).body
        assert client.bounces.get_delivery_stats().bounces[0].count == 1
        shop.until(lambda: client.bounces.get(bounce.id), lambda told: told.inactive)
        assert client.bounces.activate(bounce.id).bounce.inactive is False

        assert client.suppressions.create("outbound", ["py@example.com"])[0].status == "Suppressed"
        assert [each.email_address for each in client.suppressions.dump("outbound")] == ["py@example.com"]
        assert client.suppressions.delete("outbound", ["py@example.com"])[0].status == "Deleted"

        assert client.stats.overview().sent >= 5
        assert client.stats.sent_counts().sent >= 5
        assert client.stats.bounce_counts().hard_bounce == 1
        assert client.stats.open_counts().opens == 0
        assert client.stats.platform_usage().days == []
        assert client.server.get().name == "app"
        assert {each.id for each in client.stream.list().items} == {"outbound", "broadcast"}


def test_a_sandbox_takes_mail_and_delivers_it_nowhere(shop: Shop, sink: LabSink) -> None:
    with postmark.sync.AccountClient(shop.key, base_url=shop.url, retries=0) as account:
        made = account.server.create(name="sandbox", delivery_type=DeliveryType.SANDBOX)
        assert (made.delivery_type, len(made.api_tokens)) == ("Sandbox", 1)
    before = sink.counters.messages
    with postmark.sync.ServerClient(made.api_tokens[0], base_url=shop.url, retries=0) as client:
        sent = client.outbound.send({**MAIL, "To": "nobody@nowhere.example"})
        told = shop.until(lambda: client.outbound.list(), lambda page: page.total)
        assert told.items[0].sandboxed
        details = shop.until(lambda: client.outbound.get(sent.message_id), lambda one: one.message_events)
        assert (details.message_events[0].type, details.text_body.strip()) == ("Delivered", "hello")
    assert sink.counters.messages == before


def test_postmarker(shop: Shop, sink: LabSink) -> None:
    client = PostmarkClient(server_token=shop.token, account_token=shop.key, root_api_url=f"{shop.url}/")
    file = ("a.txt", "MTI=", "text/plain")
    sent = client.emails.send(**{**MAIL, "To": "pm@example.com", "Tag": "pm", "Attachments": [file]})
    assert sent["Message"] == "OK"
    sink.wait_for_mail_to("pm@example.com")
    many = client.emails.send_batch(*({**MAIL, "To": f"pm{n}@example.com"} for n in range(3)))
    assert [each["ErrorCode"] for each in many] == [0, 0, 0]
    with pytest.raises(ClientError, match=r"\[300\] Error parsing 'To'"):
        client.emails.send(**{**MAIL, "To": "nobody"})
    (message,) = shop.until(lambda: list(client.messages.outbound.all(tag="pm")), len)
    assert message.Recipients == ["pm@example.com"]
    client.emails.send(**{**MAIL, "To": "gone2@example.com", "Tag": "pm"})
    (bounce,) = shop.until(lambda: list(client.bounces.all(tag="pm")), len)
    assert (bounce.Type, bounce.dump != "") == ("HardBounce", True)
    assert client.bounces.deliverystats["Bounces"][0]["Count"] >= 1
    shop.until(lambda: client.bounces.get(bounce.ID), lambda told: told.Inactive)
    assert bounce.activate() == "OK"
    assert client.stats.overview()["Sent"] >= 5
    assert client.server.get().Name == "app"
    domain = client.domains.create(Name="pm.example")
    assert [each.Name for each in client.domains.all()] == ["pm.example"]
    assert domain.delete().startswith("Domain pm.example")


@pytest.fixture(scope="module")
def anymail(shop: Shop) -> EmailBackend:
    if not settings.configured:
        settings.configure(USE_TZ=True, DEFAULT_CHARSET="utf-8", ANYMAIL={})
        django.setup()
    return EmailBackend(server_token=shop.token, api_url=f"{shop.url}/")


def test_django_anymail(anymail: EmailBackend, shop: Shop, sink: LabSink) -> None:
    message = AnymailMessage("Hi", "hello", "Ann <ann@example.org>", ["any@example.com", "any2@example.com"])
    message.attach_alternative("<p>hello</p>", "text/html")
    message.attach("a.txt", "12", "text/plain")
    message.tags, message.metadata, message.track_clicks = ["any"], {"n": 1}, False
    assert anymail.send_messages([message]) == 1
    status = message.anymail_status
    assert (status.status, len(status.message_id)) == ({"sent"}, 36)
    sink.wait_for_mail_to("any@example.com")
    gone = AnymailMessage("Hi", "hello", "ann@example.org", ["gone3@example.com"])
    anymail.send_messages([gone])

    def again() -> Any:
        one = AnymailMessage("Hi", "hello", "ann@example.org", ["gone3@example.com", "any@example.com"])
        anymail.send_messages([one])
        return {address: told.status for address, told in one.anymail_status.recipients.items()}

    told = shop.until(again, lambda found: found["gone3@example.com"] == "rejected")
    assert told == {"gone3@example.com": "rejected", "any@example.com": "sent"}


def test_the_official_client_for_node(shop: Shop, sink: LabSink, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    (tmp_path / "tour.js").write_text((HERE / "node/postmark-tour.js").read_text())
    told = json.loads(
        run(["node", tmp_path / "tour.js", f"127.0.0.1:{shop.node.http_port}", shop.token, shop.key])
    )
    assert told == {
        "sent": "OK",
        "batch": [0, 0, 0],
        "wrong": ["InvalidEmailRequestError", 300, 422],
        "listed": "Hi",
        "details": ["js@example.com"],
        "server": "app",
        "streams": 2,
        "sends": True,
        "suppressed": "Suppressed",
        "dumped": 1,
        "deleted": "Deleted",
        "bounces": True,
        "delivery": True,
        "made": ["Sandbox", 1],
        "removed": 0,
        "unknown": ["InvalidAPIKeyError", 401],
    }
    sink.wait_for_mail_to("js@example.com")
