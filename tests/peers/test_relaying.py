"""Mail from real MTAs through the running node to real servers: what was sent arrives, byte for byte.

The configuration is the one in `docs/deliver-to-dovecot.md`, with this test's ports.
"""

import quopri
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from angarium.testing.guests import Exim, OpenSmtpd
from angarium.testing.node import Node
from angarium.testing.peers import DovecotLmtp, Postfix, Sendmail
from angarium.testing.snippets import sections

DOCS = Path(__file__).parents[2] / "docs"

BODIES = {
    "dots": b".\n..\n...\n.one\n\n.\nend\n",
    "empty": b"",
    "empty lines": b"\n\n\n",
    "long lines": b"".join(b"%c" % letter * 990 + b"\n" for letter in range(97, 123)),
    "8-bit": "Grüße — 送信 \N{ENVELOPE}\n".encode() + bytes(range(160, 256)) + b"\n",
    "SMTP in the text": b"QUIT\nDATA\nMAIL FROM:<x@example.org>\nRSET\n",
    "large": b"".join(b"line %06d of a large message\n" % number for number in range(20_000)),
}

CODE = re.compile(r"^```conf\n(.*?)^```", re.DOTALL | re.MULTILINE)


def published_configuration(smart_host: int, lmtp: int) -> str:
    """The block in the docs, with ports of 127.0.0.1 in place of its addresses."""
    found = CODE.search((DOCS / "deliver-to-dovecot.md").read_text())
    assert found
    config = found[1].replace("smarthost.example.net:25", f"127.0.0.1:{smart_host}")
    return config.replace("port=24", f"port={lmtp}")


@pytest.fixture
def node(postfix: Postfix, dovecot: DovecotLmtp) -> Iterator[Node]:
    with Node(published_configuration(postfix.port, dovecot.port)) as running:
        yield running


Source = Postfix | Sendmail | Exim | OpenSmtpd


def published(page: str, port: int) -> dict[str, str]:
    """The files that step 2 of a page has, with this node's port."""
    (step,) = (name for name in sections(page) if name.startswith("2. "))
    return {block.file: block.text.replace("2525", str(port)) for block in sections(page)[step]}


def settings_in(text: str) -> dict[str, str]:
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in text.splitlines())}


def exim(port: int) -> Exim:
    settings, router = published("relay-for-exim.md", port).items()
    assert settings[0] == "/etc/exim4/update-exim4.conf.conf"
    return Exim(settings_in(settings[1]), {router[0].removeprefix("/etc/"): router[1]})


def opensmtpd(port: int) -> OpenSmtpd:
    return OpenSmtpd(published("relay-for-opensmtpd.md", port)["/etc/smtpd.conf"])


SOURCES: dict[str, Callable[[int], Source]] = {
    "postfix": lambda port: Postfix(transport=f"smtp:[127.0.0.1]:{port}"),
    "sendmail": lambda port: Sendmail(relay_port=port),
    "exim": exim,
    "opensmtpd": opensmtpd,
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, node: Node) -> Iterator[Source]:
    with SOURCES[request.param](node.smtp_port) as running:
        yield running


def hand_over(source: Source, recipients: list[str]) -> None:
    for name, body in BODIES.items():
        header = f"From: a@example.org\nSubject: {name}\nX-Folded: one\n\ttwo\n\n".encode()
        source.sendmail("a@example.org", recipients, header + body)


def bodies_by_subject(mails: list[bytes]) -> dict[str, bytes]:
    found = {}
    for mail in mails:
        header, _, body = mail.partition(b"\n\n")
        assert b"\nX-Folded: one\n\ttwo" in header
        subject = re.search(rb"^Subject: (.*)$", header, re.MULTILINE)
        assert subject
        encoded = (
            b"\nContent-Transfer-Encoding: quoted-printable" in header
        )  # by OpenSMTPD, for lines so long
        found[subject[1].decode()] = quopri.decodestring(body) if encoded else body
    return found


def test_mail_for_anywhere_arrives_at_the_smart_host(source: Source, postfix: Postfix) -> None:
    hand_over(source, ["b@example.com"])
    assert bodies_by_subject(postfix.messages(len(BODIES))) == BODIES


def test_mail_for_the_local_domain_arrives_by_lmtp(source: Source, dovecot: DovecotLmtp) -> None:
    hand_over(source, ["ann@local.example.com"])
    assert bodies_by_subject(dovecot.messages("ann", len(BODIES))) == BODIES


def test_one_message_for_both_goes_both_ways(source: Source, postfix: Postfix, dovecot: DovecotLmtp) -> None:
    recipients = ["ann@local.example.com", "bob@local.example.com", "b@example.com"]
    source.sendmail("a@example.org", recipients, b"Subject: x\n\nfor three\n")
    arrived = [*postfix.messages(1), *dovecot.messages("ann", 1), *dovecot.messages("bob", 1)]
    assert [mail.partition(b"\n\n")[2] for mail in arrived] == [b"for three\n"] * 3


def test_the_node_adds_itself_to_the_trace(source: Source, dovecot: DovecotLmtp) -> None:
    source.sendmail("a@example.org", ["ann@local.example.com"], b"Subject: x\n\nend\n")
    received = re.findall(rb"^Received: (?:.|\n[ \t])*", dovecot.messages("ann", 1)[0], re.MULTILINE)
    by_host = rb"by ((sendmail|exim|opensmtpd)\.example\.org|postfix\.example\.com)"
    assert len(received) == 3  # the source, the node, Dovecot: each above the one before
    assert re.search(by_host, received[2])
    assert not re.search(by_host, received[1])
