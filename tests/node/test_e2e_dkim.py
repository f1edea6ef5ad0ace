"""From `domains add` to mail that receivers find well signed; rotation, switching off, and what is converted."""

from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import dkim
import pytest

from angarium.mime.lines import has_long_line
from angarium.testing.lab import LabSink, submit
from angarium.testing.node import Node
from angarium.testing.opendkim import verdict
from angarium.testing.programs import ProgramFailed

pytestmark = pytest.mark.process

CONFIG = """
Hostname = "mail.sender.test"
DNS_Servers = ( "{dns}" )
Remote_SMTP_Port = {port}
MailerDaemon = "mailer-daemon@example.com"
Domain "unsigned.test" {{ OpenDKIM_Sign = false }}
Domain "old.test" {{ Remote_SMTP_Port = {old_port} }}
"""
HOSTS = "*.test A 127.0.0.1"
TEXT = "From: News <news@%s>\r\nSubject:  hello\r\n\r\nhällo  there \r\n%s\r\n"
BOTH = {"rsa-sha256": "pass", "ed25519-sha256": "pass"}


class Sending:
    """A node with example.com in its store, that domain's DNS, and two receivers, one of which takes 7 bit only."""

    def __init__(self, lab) -> None:
        self.dns = lab.dns(HOSTS)
        self.sink = lab.sink("on rcpt to gone@*: reply 550 5.1.1 no such user")
        self.old = lab.sink("withhold 8BITMIME SMTPUTF8")
        self.records: dict[str, str] = {}
        self.zone: list[str] = []
        self.added: dict[str, Any] = {}
        self.verified: dict[str, Any] = {}
        self.count = 0
        ports = {"port": self.sink.port, "old_port": self.old.port}
        self.node = Node(CONFIG.format(dns=self.dns.address, **ports))

    def publish(self, records: list[dict[str, str]]) -> None:
        """Do what the owner of the domain is told."""
        lines = [
            record["zone_line"].replace(" IN ", " ").replace("( ", "").replace(" )", "") for record in records
        ]
        self.records |= {record["name"]: record["value"] for record in records if record["purpose"] == "dkim"}
        self.zone = list(dict.fromkeys([*self.zone, *lines]))
        self.dns.set_zone("\n".join([HOSTS, *self.zone]))

    def send(
        self, recipient: str, domain: str = "example.com", more: str = "", sink: LabSink | None = None
    ) -> bytes:
        """Send a message, and return what its receiver got."""
        return self.send_text(recipient, (TEXT % (domain, more)).encode(), domain, sink)

    def send_text(
        self, recipient: str, text: bytes, domain: str = "example.com", sink: LabSink | None = None
    ) -> bytes:
        """Send *text*, and return what its receiver got."""
        self.count += 1
        local, _, host = recipient.partition("@")
        unique = f"{local}-{self.count}@{host}"
        submit(self.node.smtp_port, f"news@{domain}", [unique], text, mail=["BODY=8BITMIME"])
        return (sink or self.sink).wait_for_mail_to(unique)[0].data

    def send_until(self, condition) -> bytes:
        """Send one message after the other until one comes out so: workers hear of changes within a second."""
        for _ in range(1000):
            data = self.send("again@far.test")
            if condition(data):
                return data
        raise AssertionError("no message came out so")

    def verdicts(self, data: bytes) -> list[bool]:
        """What dkimpy says of each signature."""

        def ask(name: bytes, timeout: int = 5) -> bytes | None:
            text = self.records.get(name.decode().removesuffix("."))
            return text.encode() if text else None

        count = data.count(b"DKIM-Signature:")
        return [dkim.DKIM(data).verify(idx=index, dnsfunc=ask) for index in range(count)]


def selectors(data: bytes) -> set[bytes]:
    lines = data.partition(b"\r\nReceived:")[0].split(b" s=")
    return {line.partition(b";")[0] for line in lines[1:]}


def is_signed(data: bytes) -> bool:
    return data.startswith(b"DKIM-Signature:")


@pytest.fixture(scope="module")
def sending(shared_lab) -> Iterator[Sending]:
    place = Sending(shared_lab)
    with place.node as node:
        node.cli("init")
        place.added = node.cli("domains", "add", "example.com")
        assert not is_signed(place.send("before@far.test"))
        with pytest.raises(ProgramFailed, match="status 1"):
            node.cli("domains", "verify", "example.com")
        place.publish(place.added["records"])
        place.verified = node.cli("domains", "verify", "example.com")
        place.send_until(is_signed)
        yield place


def test_the_printed_records_are_found_once_they_are_published(sending: Sending) -> None:
    assert [check["status"] for check in sending.verified["checks"]] == ["found"] * 5
    assert {key["state"] for key in sending.verified["domain"]["keys"]} == {"active"}


def test_mail_of_a_verified_domain_is_well_signed_twice(sending: Sending) -> None:
    data = sending.send("you@far.test")
    assert sending.verdicts(data) == [True, True]
    assert data.index(b"a=rsa-sha256") < data.index(b"a=ed25519-sha256") < data.index(b"\r\nReceived: ")
    assert b"Date:Date:Message-ID:Message-ID:" in data.replace(b"\r\n\t", b"")  # what the node has put in


HEADER = (
    b"From: News <news@example.com>\r\nSubject: order 17\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n"
)
FILLING = b"more text\r\n" * 120_000  # a file of its own
ODD = {
    "a line of a mailbox file": (
        b"From news@example.com Mon Nov 30\r\n" + HEADER + b"\r\nHello\r\n",
        b"Hello\r\n",
    ),
    "a line without colon": (
        HEADER + b"wrapped\r\nDate: x\r\n\r\nHello\r\n",
        b"wrapped\r\nDate: x\r\n\r\nHello\r\n",
    ),
    "no blank line": (HEADER + b"Dear all,\r\nBcc: is how\r\n", b"Dear all,\r\nBcc: is how\r\n"),
    "a long line": (HEADER + b"\r\n" + b"<p>x" * 500 + b"\r\nend\r\n", b"<p>x" * 500 + b"\r\nend\r\n"),
}


@pytest.mark.parametrize("filling", [b"", FILLING], ids=["small", "large"])
@pytest.mark.parametrize(("text", "body"), ODD.values(), ids=ODD)
def test_odd_mail_is_signed_as_it_is_read(sending: Sending, text: bytes, body: bytes, filling: bytes) -> None:
    data = sending.send_text("you@far.test", text + filling)
    assert sending.verdicts(data) == [True, True]
    read = message_from_bytes(data)
    assert read["Subject"] == "order 17"
    assert read.get_payload(decode=True) == body + filling
    assert not has_long_line(data)


@pytest.mark.peer
def test_opendkim_says_so_too(sending: Sending) -> None:
    data = sending.send("you@far.test")
    assert verdict(data, sending.records) == BOTH
    assert set(verdict(data.replace(b"hello", b"hallo"), sending.records).values()) == {"fail"}


def test_a_large_message_is_signed(sending: Sending) -> None:
    data = sending.send("large@far.test", more="a line of text \r\n" * 200_000)
    assert len(data) > 3_000_000
    assert sending.verdicts(data) == [True, True]


def test_mail_of_another_domain_leaves_as_it_is(sending: Sending) -> None:
    assert not is_signed(sending.send("you@far.test", domain="example.net"))


def test_mail_to_where_signing_is_off_leaves_as_it_is(sending: Sending) -> None:
    assert not is_signed(sending.send("you@unsigned.test"))


def test_what_is_converted_to_7_bit_is_signed_as_it_leaves(sending: Sending) -> None:
    data = sending.send("you@old.test", sink=sending.old)
    assert data.isascii()
    assert b"quoted-printable" in data
    assert sending.verdicts(data) == [True, True]


def test_a_report_of_this_node_is_signed(sending: Sending) -> None:
    submit(sending.node.smtp_port, "sender@reports.test", ["gone@far.test"], b"From: a@b.test\r\n\r\n")
    [report] = sending.sink.wait_for_mail_to("sender@reports.test")
    assert b"<mailer-daemon@example.com>" in report.data
    assert sending.verdicts(report.data) == [True, True]


def test_a_mail_to_many_has_one_signature_for_all(sending: Sending) -> None:
    recipients = [f"many{number}@host{number % 7}.test" for number in range(40)]
    submit(sending.node.smtp_port, "news@example.com", recipients, (TEXT % ("example.com", "")).encode())
    copies = {sending.sink.wait_for_mail_to(recipient)[0].data for recipient in recipients}
    assert len(copies) == 1
    assert sending.verdicts(copies.pop()) == [True, True]


def test_new_keys_sign_when_they_are_published_and_not_before(sending: Sending) -> None:
    node = sending.node
    old = selectors(sending.send("you@far.test"))
    rotated = node.cli("domains", "rotate", "example.com")
    node.cli("domains", "verify", "example.com")  # the old ones are still found, the new are not there yet
    assert selectors(sending.send("you@far.test")) == old
    sending.publish(rotated["records"])
    node.cli("domains", "verify", "example.com")
    data = sending.send_until(lambda data: selectors(data) != old)
    assert len(selectors(data)) == 2
    assert not selectors(data) & old
    assert sending.verdicts(data) == [True, True]


def test_a_domain_that_is_switched_off_is_not_signed_until_it_is_on_again(sending: Sending) -> None:
    node = sending.node
    node.cli("domains", "disable", "example.com")
    sending.send_until(lambda data: not is_signed(data))
    node.cli("domains", "enable", "example.com")
    assert sending.verdicts(sending.send_until(is_signed)) == [True, True]
