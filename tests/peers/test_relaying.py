"""Mail from real MTAs through the running node to real servers: what was sent arrives, byte for byte.

The configuration is the one in `docs/deliver-to-dovecot.md`, with this test's ports. Servers and node are there for all
tests, and each source for those it is in.
"""

import quopri
import re
import zlib
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


class SmartHost:
    """A Postfix that keeps mail for example.com, and hands it out once."""

    def __init__(self, postfix: Postfix) -> None:
        self._postfix = postfix
        self._seen = 0

    def next_messages(self, count: int) -> list[bytes]:
        """Wait for *count* more, and return them, oldest first."""
        messages = self._postfix.messages(self._seen + count)[self._seen :]
        self._seen += len(messages)
        return messages


@pytest.fixture(scope="module")
def dovecot() -> Iterator[DovecotLmtp]:
    with DovecotLmtp() as destination:
        yield destination


@pytest.fixture(scope="module")
def around(dovecot: DovecotLmtp) -> Iterator[tuple[SmartHost, Node]]:
    with Postfix() as postfix, Node(published_configuration(postfix.port, dovecot.port)) as node:
        yield SmartHost(postfix), node


@pytest.fixture(scope="module")
def smart_host(around: tuple[SmartHost, Node]) -> SmartHost:
    return around[0]


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


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest, around: tuple[SmartHost, Node]) -> Iterator[Source]:
    with SOURCES[request.param](around[1].smtp_port) as running:
        yield running


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Somebody whose mailbox is empty."""
    return f"user{zlib.crc32(request.node.name.encode()):x}"


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


def test_mail_for_anywhere_arrives_at_the_smart_host(source: Source, smart_host: SmartHost) -> None:
    hand_over(source, ["b@example.com"])
    assert bodies_by_subject(smart_host.next_messages(len(BODIES))) == BODIES


def test_mail_for_the_local_domain_arrives_by_lmtp(source: Source, dovecot: DovecotLmtp, user: str) -> None:
    hand_over(source, [f"{user}@local.example.com"])
    assert bodies_by_subject(dovecot.messages(user, len(BODIES))) == BODIES


def test_one_message_for_both_goes_both_ways(
    source: Source, smart_host: SmartHost, dovecot: DovecotLmtp, user: str
) -> None:
    recipients = [f"{user}@local.example.com", f"b{user}@local.example.com", "b@example.com"]
    source.sendmail("a@example.org", recipients, b"Subject: x\n\nfor three\n")
    arrived = [*smart_host.next_messages(1), *dovecot.messages(user, 1), *dovecot.messages(f"b{user}", 1)]
    assert [mail.partition(b"\n\n")[2] for mail in arrived] == [b"for three\n"] * 3


def test_the_node_adds_itself_to_the_trace(source: Source, dovecot: DovecotLmtp, user: str) -> None:
    source.sendmail("a@example.org", [f"{user}@local.example.com"], b"Subject: x\n\nend\n")
    received = re.findall(rb"^Received: (?:.|\n[ \t])*", dovecot.messages(user, 1)[0], re.MULTILINE)
    by_host = rb"by ((sendmail|exim|opensmtpd)\.example\.org|postfix\.example\.com)"
    assert len(received) == 3  # the source, the node, Dovecot: each above the one before
    assert re.search(by_host, received[2])
    assert not re.search(by_host, received[1])
