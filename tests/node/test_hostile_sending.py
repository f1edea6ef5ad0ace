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
from angarium.testing.programs import PATIENCE_S, free_port, run

pytestmark = pytest.mark.process

CONFIG = """
Auth_Failure_Delay = 0
Auth_Failures_To_Block = 3
Auth_Block_Time = 600
Routes = ( "127.0.0.1:{sink}" )
ESMTP_Listener "implicit" {{ Sessions_Per_Peer = 2 Listen "127.0.0.1:{implicit}" {{ Use_SSL = true }} }}
"""
TEXT = b"From: a@here.test\r\nSubject: x\r\n\r\n"


class Place:
    """A node on which `angarium init` was run."""

    def __init__(self, folder, sink):
        self.implicit = free_port()
        self.first = json.loads(run([ANGARIUM, "init", "--data", str(folder / "data"), "--json"]))
        self.node = Node(CONFIG.format(sink=sink.port, implicit=self.implicit), folder=folder, workers=2)

    def session(self, source="127.0.0.1"):
        client = smtplib.SMTP(
            "127.0.0.1", self.node.smtp_port, "client.test", timeout=PATIENCE_S, source_address=(source, 0)
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


def test_a_wrong_key_locks_the_right_ones_behind_its_address_out_neither_now_nor_after_a_restart(place):
    key, source = place.first["key"]["secret"], "127.0.0.60"

    def answers(secret, times):
        found = []
        for _ in range(times):
            with place.session(source) as client:
                found.append(place.log_in(client, "SMTP_Injection", secret))
        return found

    assert answers(key, 1) == [235]
    for _ in range(2):
        while 421 not in answers("0" * 40, 1):  # until the workers that are met have heard of the block
            pass
        assert answers(key, 4) == [235] * 4
        place.node.restart()


def sessions_of_one_worker(place, login):
    """Log in until a worker has two sessions; return these."""
    by_worker = {}
    for count in range(1, 4):
        client = place.session()
        assert place.log_in(client, login["username"], login["secret"]) == 235
        said = place.node.program.wait_for(rf'{{.*"event":"auth",.*"login":"login {login["id"]} .*', count)
        worker = json.loads(said[-1][0])["worker"]
        if worker in by_worker:
            return by_worker[worker], client
        by_worker[worker] = client
    raise AssertionError("three sessions on two workers")


def test_a_login_that_is_revoked_while_its_text_comes_sends_nothing(place):
    """The text goes on coming until its worker has heard of the revocation."""
    login = place.node.cli("logins", "create", "short-lived")
    client, witness = sessions_of_one_worker(place, login)
    client.mail("a@here.test")
    client.rcpt("b@there.test")
    assert client.docmd("DATA")[0] == 354
    client.send(TEXT)
    place.node.cli("logins", "delete", str(login["id"]), "--yes")
    until = time.monotonic() + PATIENCE_S
    while witness.mail("a@here.test")[0] == 250:
        assert time.monotonic() < until
        witness.rset()
        client.send(b"and so on\r\n" * 1000)
        time.sleep(0.05)  # the pace of a slow client
    client.send(b".\r\n")
    assert client.getreply()[0] == 535
    assert client.getreply()[0] == 421
    client.close()


def stalled_handshake(address):
    """Connect, have the other side answer the first words of a handshake, and say nothing more."""
    words = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), words).do_handshake()
    client = socket.create_connection(address, timeout=PATIENCE_S)
    client.sendall(words.read())
    assert client.recv(1)
    return client


def test_handshakes_that_stall_count_against_their_peer(place, sessions_are):
    """A session that is one too many is not encrypted first."""
    address = ("127.0.0.1", place.implicit)
    sessions_are(place.node, 0)  # those of the tests before count as well, until they have ended
    stalled = [stalled_handshake(address) for _ in range(2)]
    try:
        with socket.create_connection(address, timeout=PATIENCE_S) as third:
            assert third.recv(1) == b""
    finally:
        for each in stalled:
            each.close()


def test_no_anonymous_request_holds_the_node_up(place):
    web = http.client.HTTPConnection("127.0.0.1", place.node.http_port, timeout=PATIENCE_S)
    web.request("POST", "/autodiscover/autodiscover.xml", b"<EMailAddress>" + b" " * 60_000)
    assert web.getresponse().status == 400
