"""The real program, as somebody meets it who means harm: stalls, lockouts, keys that are revoked half-way."""

import base64
import http.client
import json
import smtplib
import socket
import ssl
import time

import pytest

from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import free_port, run

CONFIG = """
Auth_Failure_Delay = 0
Auth_Failures_To_Block = 3
Auth_Block_Time = 600
Routes = ( "127.0.0.1:{sink}" )
ESMTP_Listener "implicit" {{ Sessions_Per_Peer = 2 Listen "127.0.0.1:{implicit}" {{ Use_SSL = true }} }}
"""
WITHIN_S = 1.0
TEXT = b"From: a@here.test\r\nSubject: x\r\n\r\n"


class Place:
    """A node on which `angarium init` was run."""

    def __init__(self, folder, sink):
        self.implicit = free_port()
        self.first = json.loads(run([ANGARIUM, "init", "--data", str(folder / "data"), "--json"]))
        self.node = Node(CONFIG.format(sink=sink.port, implicit=self.implicit), folder=folder, workers=2)

    def session(self, source="127.0.0.1"):
        client = smtplib.SMTP(
            "127.0.0.1", self.node.smtp_port, "client.test", timeout=30, source_address=(source, 0)
        )
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        return client

    def log_in(self, client, user, secret):
        token = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
        return client.docmd("AUTH", f"PLAIN {token}")[0]


@pytest.fixture(scope="module")
def place(shared_lab, tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("node"), shared_lab.sink())
    with made.node:
        yield made


def test_guesses_at_api_keys_do_not_lock_their_owners_out(place):
    """All API keys have the same user name."""
    for number in range(20, 28):
        with place.session(f"127.0.0.{number}") as client:
            assert place.log_in(client, "SMTP_Injection", "0" * 40) == 535
    for number in (30, 31, 32, 33):  # on either worker
        with place.session(f"127.0.0.{number}") as client:
            assert place.log_in(client, "SMTP_Injection", place.first["key"]["secret"]) == 235


def test_a_login_that_is_revoked_while_its_text_comes_sends_nothing(place):
    """The text goes on coming for as long as a revocation may take to be heard of."""
    login = place.node.cli("logins", "create", "short-lived")
    client = place.session()
    assert place.log_in(client, login["username"], login["secret"]) == 235
    client.mail("a@here.test")
    client.rcpt("b@there.test")
    assert client.docmd("DATA")[0] == 354
    client.send(TEXT)
    place.node.cli("logins", "delete", str(login["id"]), "--yes")
    heard_at = time.monotonic() + WITHIN_S
    while time.monotonic() < heard_at:
        client.send(b"and so on\r\n" * 1000)
        time.sleep(0.02)  # the pace of a slow client
    client.send(b".\r\n")
    assert client.getreply()[0] == 535
    assert client.getreply()[0] == 421
    client.close()


def test_handshakes_that_stall_count_against_their_peer(place):
    """A session that is one too many is not encrypted first."""
    address = ("127.0.0.1", place.implicit)
    stalled = [socket.create_connection(address) for _ in range(2)]
    try:
        with socket.create_connection(address, timeout=20) as third:
            assert third.recv(1) == b""
    finally:
        for each in stalled:
            each.close()


def test_no_anonymous_request_holds_the_node_up(place):
    web = http.client.HTTPConnection("127.0.0.1", place.node.http_port, timeout=20)
    web.request("POST", "/autodiscover/autodiscover.xml", b"<EMailAddress>" + b" " * 60_000)
    assert web.getresponse().status == 400
