"""Options by header, seen from outside: what a login's mail becomes, and what becomes of mail with mistakes in it."""

import json
import smtplib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from angarium.config.load import parse_config
from angarium.dialects.sparkpost.names import SMTP_INJECTION
from angarium.identity.limits import Limits
from angarium.identity.records import SEND_GRANT
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.testing.lab import Lab, LabSink, submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink.store import SinkMessage

pytestmark = pytest.mark.process

CONFIG = """
ESMTP_Listener "default" {{ Auth_Without_TLS = true }}
Routes = ( "127.0.0.1:{port}" )
Large_Message_Threshold = 65536
"""
FROM = b"From: App <app@example.org>\r\nTo: you@example.com\r\n"
WHOLE = FROM + b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <mine@example.org>\r\n"
BODY = b"Subject: hi\r\n\r\nhello\r\n"
ACTOR = "test"


class Login(NamedTuple):
    """What is typed into a client."""

    user: str
    password: str


class Customer:
    """An account with a server, and one login of each kind."""

    def __init__(self, store: IdentityStore, name: str, **server: Any) -> None:
        self.store = store
        self.account = store.accounts.create(name, limits=Limits(sender_domains="any"), actor=ACTOR).id
        self.server = store.servers.create(self.account, "app", actor=ACTOR, **server).id

    @property
    def token(self) -> Login:
        """A server token, as senders of Postmark have."""
        secret = self.store.credentials.create_server_token(self.server, "t", actor=ACTOR)[1]
        return Login(secret, secret)

    @property
    def api_key(self) -> Login:
        """An API key, as senders of SparkPost have."""
        made = self.store.credentials.create_api_key(
            self.account, "k", [SEND_GRANT], server=self.server, actor=ACTOR
        )
        return Login(SMTP_INJECTION, made[1])

    @property
    def login(self) -> Login:
        """A login, as senders of SMTPeter have."""
        credential, secret = self.store.credentials.create_smtp_login(self.server, "l", actor=ACTOR)
        return Login(credential.username, secret)


@pytest.fixture(scope="module")
def sink(shared_lab: Lab) -> LabSink:
    return shared_lab.sink()


@pytest.fixture(scope="module")
def node(sink: LabSink) -> Iterator[Node]:
    with Node(CONFIG.format(port=sink.port)) as running:
        yield running


@pytest.fixture(scope="module")
def store(node: Node) -> IdentityStore:
    return store_of(node)


def store_of(node: Node) -> IdentityStore:
    config = parse_config("", "angarium.conf")
    ring = KeyRing.load_or_create(key_file(config, node.data))
    return IdentityStore(open_database(store_url(config, node.data)), ring, time.time)


@pytest.fixture(scope="module")
def acme(store: IdentityStore) -> Customer:
    return Customer(store, "acme")


@pytest.fixture
def log_in(node: Node) -> Iterator[Callable[[Login], smtplib.SMTP]]:
    clients = []

    def dial(login: Login) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", node.smtp_port, "client.test", timeout=PATIENCE_S)
        clients.append(client)
        client.login(*login)
        return client

    yield dial
    for client in clients:
        client.close()


Dial = Callable[[Login], smtplib.SMTP]


def send(client: smtplib.SMTP, text: bytes, recipient: str, *more: str) -> str:
    return submit_over(client, "app@example.org", [recipient, *more], text)


def wishes(**value: Any) -> bytes:
    return b"X-MSYS-API: " + json.dumps(value).encode() + b"\r\n"


def without_received(data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = next(n for n, line in enumerate(lines) if n and line[:1] not in (b" ", b"\t"))
    assert lines[0].startswith(b"Received:")
    return b"\r\n".join(lines[at:])


def arrived(sink: LabSink, recipient: str) -> bytes:
    (message,) = sink.wait_for_mail_to(recipient)
    return without_received(message.data)


def record(node: Node, event: str, message: str) -> dict[str, Any]:
    """Wait for the log record of *event* of a message."""
    return node.wait_for_event(event, message=message)[0]


def test_a_server_token_sends_as_with_postmark(
    node: Node, sink: LabSink, acme: Customer, log_in: Dial
) -> None:
    fields = (
        b"X-PM-Tag: welcome\r\nX-PM-Metadata-user: 7\r\nX-PM-Message-Stream: broadcast\r\nX-PM-Other: x\r\n"
    )
    id = send(log_in(acme.token), WHOLE + fields + b"Bcc: x@example.com\r\n" + BODY, "pm@example.com")
    data = arrived(sink, "pm@example.com")
    uuid = f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"
    assert data.startswith(f"Message-ID: <{uuid}@".encode())
    assert data.partition(b"\r\n")[2] == WHOLE.replace(b"Message-ID: <mine@example.org>\r\n", b"") + BODY
    line = record(node, "received", id)
    assert (line["account"], line["stream"], line["lane"]) == (acme.account, "broadcast", "bulk")


def test_an_api_key_sends_copies_as_with_sparkpost(sink: LabSink, acme: Customer, log_in: Dial) -> None:
    said = wishes(
        campaign_id="june",
        cc=[{"email": "cc@example.com", "name": "Cee"}],
        bcc=["bcc@example.com"],
        archive=["ar@example.com"],
    )
    send(log_in(acme.api_key), WHOLE + said + BODY, "main@example.com")
    visible = b"Cc: Cee <cc@example.com>\r\n"
    for recipient in ("main@example.com", "cc@example.com", "ar@example.com"):
        assert arrived(sink, recipient) == visible + WHOLE + BODY
    assert arrived(sink, "bcc@example.com") == visible + b"Bcc: bcc@example.com\r\n" + WHOLE + BODY


def test_a_login_sends_as_with_smtpeter(sink: LabSink, acme: Customer, log_in: Dial) -> None:
    send(
        log_in(acme.login),
        WHOLE + b"x-smtpeter-tags: a, b\r\nx-smtpeter-new: c\r\n" + BODY,
        "peter@example.com",
    )
    assert arrived(sink, "peter@example.com") == WHOLE + BODY


def test_a_relay_host_sends_without_a_login(node: Node, sink: LabSink) -> None:
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        send(client, WHOLE + b"X-PM-Tag: a\r\nBcc: secret@example.com\r\n" + BODY, "relay@example.com")
    assert arrived(sink, "relay@example.com") == WHOLE + BODY


def test_a_large_message_loses_its_option_fields_too(sink: LabSink, acme: Customer, log_in: Dial) -> None:
    filling = b"0123456789\r\n" * 20_000
    said = wishes(campaign_id="big", bcc=["hidden@example.com"])
    text = WHOLE + said + b"Bcc: nobody@example.com\r\nX-PM-Tag: big\r\n" + BODY + filling
    send(log_in(acme.api_key), text, "large@example.com")
    assert arrived(sink, "large@example.com") == WHOLE + BODY + filling
    assert arrived(sink, "hidden@example.com") == b"Bcc: hidden@example.com\r\n" + WHOLE + BODY + filling


def test_one_mail_split_into_many_loses_none(sink: LabSink, acme: Customer, log_in: Dial) -> None:
    recipients = [f"split{n}@example.com" for n in range(30)]
    clients = [log_in(acme.login) for _ in range(3)]
    ids = {send(clients[n % 3], WHOLE + BODY, recipient) for n, recipient in enumerate(recipients)}
    assert len(ids) == 30
    for recipient in recipients:
        assert arrived(sink, recipient) == WHOLE + BODY


# --- mistakes

REFUSED = [
    (b"X-MSYS-API: {]\r\n", b"5.6.0 JSON parsing error in X-MSYS-API"),
    (wishes(metadata=[]), b"5.6.0 X-MSYS-API 'metadata' must be of type 'json object'"),
    (wishes(metadata={"k": "v" * 11_000}), b"5.6.0 X-MSYS-API 'metadata' is limited to 10240 bytes"),
    (wishes(campaign_id="c" * 65), b"5.6.0 X-MSYS-API 'campaign_id' is limited to 64 bytes"),
    (wishes(options={"ip_pool": "nowhere"}), b"5.6.0 X-MSYS-API 'ip_pool' names 'nowhere'"),
    (b"x-smtpeter-trackopens: maybe\r\n", b"5.6.0 x-smtpeter-trackopens must be true or false"),
]


@pytest.mark.parametrize(("fields", "sentence"), REFUSED)
def test_mistakes_in_the_words_of_those_who_refuse(
    node: Node, acme: Customer, log_in: Dial, fields: bytes, sentence: bytes
) -> None:
    client = log_in(acme.api_key)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(client, WHOLE + fields + BODY, "refused@example.com")
    assert (refused.value.smtp_code, refused.value.smtp_error[: len(sentence)]) == (550, sentence)
    node.program.wait_until(
        lambda: any(
            line["event"] == "refused"
            and sentence.decode() in line["reply"]
            and line["account"] == acme.account
            for line in node.events
        ),
        "log record",
    )
    send(client, WHOLE + BODY, "after@example.com")  # the session goes on


def words_of(report: SinkMessage) -> str:
    """Return the text of a report, its lines joined."""
    return " ".join(report.data.decode().split())


FAILED = [
    (
        b"X-PM-Metadata-" + b"k" * 21 + b": v\r\n",
        "550 5.6.0 Invalid metadata content. Field names are limited to 20",
    ),
    (b"X-PM-Tag: " + b"t" * 1001 + b"\r\n", "550 5.6.0 X-PM-Tag may have 1000 characters"),
    (
        b"X-PM-TrackLinks: all\r\n",
        "550 5.6.0 X-PM-TrackLinks must be None, HtmlAndText, HtmlOnly or TextOnly",
    ),
    (b"X-PM-Message-Stream: lost\r\n", "550 5.6.0 there is no stream 'lost'"),
    (b"X-PM-Message-Stream: old\r\n", "550 5.6.0 stream 'old' is archived"),
]


@pytest.mark.parametrize(("fields", "reply"), FAILED)
def test_mistakes_in_postmarks_words_are_taken_and_reported(
    node: Node, sink: LabSink, acme: Customer, log_in: Dial, fields: bytes, reply: str
) -> None:
    if not any(stream.id == "old" for stream in acme.store.streams.of_server(acme.server, archived=True)):
        acme.store.streams.create(acme.server, "old", "Old", "transactional", actor=ACTOR)
        acme.store.streams.archive(acme.server, "old", actor=ACTOR)
    client = log_in(acme.token)
    id = send(client, WHOLE + fields + BODY, "failed@example.com")
    line = record(node, "bounced", id)
    assert line["reply"].startswith(reply)
    assert (line["attempts"], line["note"]) == (0, "taken only to be reported as failed")
    assert record(node, "received", id)["refusal"] == line["reply"]
    send(client, WHOLE + BODY, "failed-after@example.com")
    sink.wait_for_mail_to("failed-after@example.com")
    assert sink.to("failed@example.com") == []
    sink.wait_for(lambda: any(reply in words_of(report) for report in sink.to("app@example.org")))


def test_a_server_may_refuse_what_postmark_takes(store: IdentityStore, log_in: Dial) -> None:
    strict = Customer(store, "strict", on_error="refuse")
    with pytest.raises(smtplib.SMTPResponseException, match="there is no stream 'lost'"):
        send(log_in(strict.token), WHOLE + b"X-PM-Message-Stream: lost\r\n" + BODY, "x@example.com")


def test_mail_without_an_author_is_refused(acme: Customer, log_in: Dial) -> None:
    with pytest.raises(smtplib.SMTPResponseException, match="write From: with the author's address"):
        send(log_in(acme.login), BODY, "x@example.com")


def test_a_sender_domain_that_is_not_verified_is_refused(
    node: Node, sink: LabSink, store: IdentityStore, log_in: Dial
) -> None:
    customer = Customer(store, "careful", limits=Limits(sender_domains="verified"))
    with pytest.raises(smtplib.SMTPResponseException, match=r"may not send from example\.org") as refused:
        send(log_in(customer.login), WHOLE + BODY, "x@example.com")
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (550, b"5.7.1")
    id = send(log_in(customer.token), WHOLE + BODY, "unsigned@example.com")
    assert "may not send from example.org" in record(node, "bounced", id)["reply"]
    assert sink.to("unsigned@example.com") == []


def test_copies_count_towards_the_daily_quota(store: IdentityStore, log_in: Dial) -> None:
    customer = Customer(store, "small", limits=Limits(daily_quota=3))
    client = log_in(customer.api_key)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(client, WHOLE + wishes(bcc=[f"q{n}@example.com" for n in range(3)]) + BODY, "q@example.com")
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (450, b"4.7.1")
    send(client, WHOLE + wishes(bcc=["q1@example.com", "q2@example.com"]) + BODY, "q@example.com")


def test_what_was_taken_to_fail_fails_although_the_node_died_at_once(
    lab: Lab, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    sink = lab.sink()
    with Node(CONFIG.format(port=sink.port), workers=1, folder=tmp_path) as node:
        token = Customer(store_of(node), "acme").token
        ids = []
        with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as client:
            client.login(*token)
            for n in range(20):
                text = WHOLE + b"X-PM-Message-Stream: lost\r\n" + BODY
                ids.append(send(client, text, f"dead{n}@example.com"))
            node.kill()
        node.start()
        for id in ids:
            node.program.wait_until(partial(has_bounced, ask, node, id), "its end")
        assert {to for message in sink.messages for to in message.recipients} <= {"app@example.org"}


def has_bounced(ask: Callable[..., Any], node: Node, id: str) -> bool:
    """Whether that is all that has become of a message."""
    return [event["type"] for event in ask(node, "message", id=id)["events"]] == ["bounced"]
