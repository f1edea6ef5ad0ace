"""Opens and clicks from one end to the other: mail by SMTP, the link in it, its redirection, and the event."""

import email
import http.client
import json
import re
import smtplib
import subprocess
import time
from collections.abc import Iterator
from email import policy
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.core.fields import Attachment, Fields, NamedMailbox
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.mime.build.message import compose
from angarium.render.html.links import html_links
from angarium.testing.lab import Lab, LabSink, submit_over
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

CONFIG = """
ESMTP_Listener "default" {{ Auth_Without_TLS = true }}
Routes = ( "127.0.0.1:{port}" )
Tracking_Domain = "clicks.example.com"
"""
HOST = "https://clicks.example.com"
TARGET = "http://shop.example/sale?a=1&b=[2]#top"
FIELDS = (("X-PM-TrackOpens", "true"), ("X-PM-TrackLinks", "HtmlOnly"), ("X-PM-Tag", "sale"))


@pytest.fixture(scope="module")
def sink(shared_lab: Lab) -> LabSink:
    return shared_lab.sink()


@pytest.fixture(scope="module")
def node(sink: LabSink) -> Iterator[Node]:
    with Node(CONFIG.format(port=sink.port), workers=2) as running:
        yield running


def send(node: Node, *recipients: str, fields: Any = FIELDS) -> str:
    html = f'<html><body><a href="{TARGET.replace("&", "&amp;")}">é</a></body></html>'
    mail = compose(
        Fields(
            author=(NamedMailbox("shop@shop.example"),),
            subject="Sale",
            text=TARGET,
            html=html,
            headers=fields,
        ),
        seed="s",
    )
    with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as client:
        return submit_over(client, "shop@shop.example", list(recipients), mail)


def urls(sink: LabSink, recipient: str) -> tuple[str, str]:
    """What the link in the mail of *recipient* leads to, and where its picture is."""
    (message,) = sink.wait_for_mail_to(recipient)
    html = message.data.replace(b"=\r\n", b"").replace(b"=3D", b"=")
    (link,) = html_links(html[html.index(b"<html>") :], "utf-8")
    return link.target, html.split(b'<img src="')[1].split(b'"')[0].decode()


def ask(
    node: Node, url: str, method: str = "GET", agent: str = "Mozilla/5.0 (X11) Firefox/140"
) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=PATIENCE_S)
    client.request(method, url.removeprefix(HOST), headers={"User-Agent": agent})
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer


def test_each_recipient_has_links_of_his_own_that_lead_where_the_sender_said(
    node: Node, sink: LabSink
) -> None:
    message = send(node, "ann@one.example", "bob@two.example")
    ann, _ = urls(sink, "ann@one.example")
    bob, picture = urls(sink, "bob@two.example")
    assert ann != bob
    assert all(url.startswith(f"{HOST}/t/") for url in (ann, bob, picture))
    for url in (ann, bob):
        answer = ask(node, url)
        assert (answer.status, answer.getheader("location")) == (302, TARGET)
    answer = ask(node, picture)
    assert (answer.status, answer.getheader("content-type")) == (200, "image/gif")
    node.program.wait_until(lambda: len(clicks(node, message)) == 2, "both clicks")
    assert clicks(node, message) == {("ann@one.example", TARGET), ("bob@two.example", TARGET)}
    (opened,) = opens(node, message)
    assert opened["address"] == "bob@two.example"


def clicks(node: Node, message: str) -> set[tuple[str, str]]:
    found = [each for each in kept(node, message) if each["type"] == "click"]
    return {(each["address"], each["details"]["url"]) for each in found}


def opens(node: Node, message: str) -> list[dict[str, Any]]:
    return [each for each in kept(node, message) if each["type"] == "open"]


def kept(node: Node, message: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(ANGARIUM), "events", "--data", str(node.data), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in found if each["message"] == message]


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 90


def test_a_picture_leaves_the_mail_and_is_answered(node: Node, sink: LabSink) -> None:
    news = Fields(
        author=(NamedMailbox("shop@shop.example"),),
        html='<style>p{color:red}</style><p><img src="cid:logo">',
        headers=(("x-smtpeter-images", "hosted"), ("x-smtpeter-inlinecss", "true")),
        attachments=(Attachment("logo.png", "image/png", PNG, "logo"),),
    )
    with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as client:
        submit_over(client, "shop@shop.example", ["see@one.example"], compose(news, seed="s"))
    (message,) = sink.wait_for_mail_to("see@one.example")
    html = message.data.replace(b"=\r\n", b"").replace(b"=3D", b"=")
    assert b"PNG" not in html
    assert b'<p style="color: red;">' in html
    url = html.split(b'<img src="')[1].split(b'"')[0].decode()
    answer = ask(node, url)
    assert (answer.status, answer.getheader("content-type")) == (200, "image/png")
    assert int(answer.getheader("content-length") or 0) == len(PNG)


def test_mail_that_does_not_ask_is_not_changed(node: Node, sink: LabSink) -> None:
    send(node, "plain@one.example", fields=())
    (message,) = sink.wait_for_mail_to("plain@one.example")
    assert b"/t/" not in message.data


def test_an_altered_address_leads_nowhere(node: Node, sink: LabSink) -> None:
    send(node, "eve@one.example")
    link, _ = urls(sink, "eve@one.example")
    answer = ask(node, link.replace("shop.example", "evil.example"))
    assert (answer.status, answer.getheader("location")) == (404, None)


def test_addresses_hold_over_a_restart(node: Node, sink: LabSink) -> None:
    send(node, "later@one.example")
    link, _ = urls(sink, "later@one.example")
    node.restart()
    assert ask(node, link).getheader("location") == TARGET


@pytest.fixture(scope="module")
def newsletter(node: Node) -> tuple[str, str]:
    """A login that sends on a broadcast stream."""
    config = parse_config("", "angarium.conf")
    ring = KeyRing.load_or_create(key_file(config, node.data))
    store = IdentityStore(open_database(store_url(config, node.data)), ring, time.time)
    account = store.accounts.create("acme", limits=Limits(sender_domains="any"), actor="test").id
    server = store.servers.create(account, "app", actor="test").id
    credential, secret = store.credentials.create_smtp_login(server, "l", actor="test")
    return credential.username, secret


def mail_out(node: Node, login: tuple[str, str], recipient: str) -> str:
    html = "<p>News</p>"
    fields = (("X-PM-Message-Stream", "broadcast"),)
    news = Fields(author=(NamedMailbox("a@shop.example"),), subject="News", html=html, headers=fields)
    mail = compose(news, seed="s")
    with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S) as client:
        client.login(*login)
        return submit_over(client, "a@shop.example", [recipient], mail)


def test_one_click_unsubscribes_and_the_next_mail_is_not_sent(
    node: Node, sink: LabSink, newsletter: tuple[str, str]
) -> None:
    first = mail_out(node, newsletter, "fed@up.example")
    (message,) = sink.wait_for_mail_to("fed@up.example")
    read = email.message_from_bytes(message.data, policy=policy.default)
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = read["List-Unsubscribe"].strip("<>")
    assert url in read.get_content()
    assert ask(node, url).status == 200
    assert kept_of(node, first, "unsubscribe") == []
    assert ask(node, url, "POST").status == 200
    node.program.wait_until(lambda: bool(kept_of(node, first, "unsubscribe")), "the unsubscription")
    (unsubscribed,) = kept_of(node, first, "unsubscribe")
    assert unsubscribed["address"] == "fed@up.example"
    node.program.wait_until(lambda: is_suppressed(node, "fed@up.example"), "the suppression")
    second = mail_out(node, newsletter, "fed@up.example")
    node.program.wait_until(lambda: bool(kept_of(node, second, "suppressed")), "the end of the second mail")
    assert len(sink.to("fed@up.example")) == 1

    back = re.search(r'action="(/t/r[^"]+)"', body_of(node, url, "POST"))
    assert back is not None
    assert ask(node, back[1]).status == 200
    assert is_suppressed(node, "fed@up.example")
    assert ask(node, back[1], "POST").status == 200
    node.program.wait_until(lambda: not is_suppressed(node, "fed@up.example"), "that it is taken back")
    mail_out(node, newsletter, "fed@up.example")
    node.program.wait_until(lambda: len(sink.to("fed@up.example")) == 2, "the third mail")
    assert ask(node, url, "POST").status == 200
    node.program.wait_until(lambda: is_suppressed(node, "fed@up.example"), "that it means it")


def body_of(node: Node, url: str, method: str) -> str:
    client = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=PATIENCE_S)
    client.request(method, url.removeprefix(HOST))
    body = client.getresponse().read().decode()
    client.close()
    return body


def is_suppressed(node: Node, address: str) -> bool:
    done = subprocess.run(
        [str(ANGARIUM), "suppressions", "show", address, "--data", str(node.data)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def kept_of(node: Node, message: str, type_: str) -> list[dict[str, Any]]:
    return [each for each in kept(node, message) if each["type"] == type_]
