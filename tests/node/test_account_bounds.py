"""How much of an account may wait, seen from outside: over both workers, over a restart, until it is delivered."""

import base64
import smtplib
import ssl

import pytest

from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

CONFIG = """
Hostname = mx.test
Routes = ( "127.0.0.1:{sink}" )
Suspend_Delivery = {suspended}
"""
TEXT = b"From: a@here.test\r\nSubject: x\r\n\r\nx\r\n"


class Place:
    """A node on which mail waits until it may go, and an account whose mail may not wait in any number."""

    def __init__(self, folder, sink):
        self.sink = sink
        self.node = Node(CONFIG.format(sink=sink.port, suspended="true"), folder=folder, workers=2)
        self.first = self.node.cli("init")
        self.login = self.first["login"]

    def limits(self, **limits):
        options = [
            part for name, value in limits.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        return self.node.cli("accounts", "change", "default", *options)["limits"]

    def session(self):
        client = smtplib.SMTP("127.0.0.1", self.node.smtp_port, "client.test", timeout=PATIENCE_S)
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        token = base64.b64encode(f"\0{self.login['username']}\0{self.login['secret']}".encode()).decode()
        assert client.docmd("AUTH", f"PLAIN {token}")[0] == 235
        return client

    def sends(self, *recipients, size=0):
        """Send a mail in a session of its own; return the codes of MAIL, of each RCPT, and of the text."""
        with self.session() as client:
            codes = [client.docmd(f"MAIL FROM:<a@here.test> SIZE={size}")[0]]
            codes += [client.rcpt(recipient)[0] for recipient in recipients] if codes == [250] else []
            return [*codes, client.data(TEXT)[0]] if 250 in codes[1:] else codes


@pytest.fixture
def place(shared_lab, tmp_path):
    made = Place(tmp_path, shared_lab.sink())
    with made.node:
        yield made


def test_recipients_of_an_account_wait_in_no_greater_number_than_they_may(place):
    assert place.limits(max_queued_recipients=4)["max_queued_recipients"] == 4
    assert place.limits(max_queued_bytes=10**9)["max_queued_recipients"] == 4
    place.node.program.wait_until(
        lambda: place.sends("w0@far.test", "w1@far.test") == [250] * 4, "the limits"
    )
    assert place.sends("w2@far.test", "w3@far.test", "w4@far.test") == [250, 250, 250, 452, 250]
    for _ in range(4):  # on either worker
        assert place.sends("w5@far.test") == [452]
    place.node.restart()
    place.node.program.wait_until(lambda: place.sends("w5@far.test") == [452], "what waits to be counted")
    place.node.configure(CONFIG.format(sink=place.sink.port, suspended="false"))
    place.node.reload()
    for number in range(4):
        place.sink.wait_for_mail_to(f"w{number}@far.test")
    place.node.program.wait_until(lambda: place.sends("w6@far.test") == [250] * 3, "room again")


def test_bytes_of_an_account_wait_in_no_greater_number_than_they_may(place):
    place.limits(max_queued_bytes=1000)
    place.node.program.wait_until(lambda: place.sends("b@far.test", size=1001) == [452], "the limits")
    while 452 not in (said := place.sends("b@far.test")):
        assert said == [250] * 3
    with place.session() as client:
        code, text = client.docmd("MAIL FROM:<a@here.test>")
    assert (code, text) == (
        452,
        b"4.3.1 account default has as many bytes queued as it may; send again when some were delivered",
    )
