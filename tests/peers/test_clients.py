"""The clients of `docs/clients.md` against the running node."""

import smtplib
from collections.abc import Iterator

import pytest

from angarium.testing.node import Node
from angarium.testing.peers import DovecotLmtp, msmtp, swaks
from angarium.testing.programs import ProgramFailed

RECIPIENT = "ann@local.example.com"


@pytest.fixture
def node(dovecot: DovecotLmtp) -> Iterator[Node]:
    with Node(f'Gateway = "127.0.0.1:{dovecot.port}"\nDelivery_Method = "LMTP"\n') as running:
        yield running


def body_of(mail: bytes) -> bytes:
    return mail.partition(b"\n\n")[2]


def test_smtplib(node: Node, dovecot: DovecotLmtp) -> None:
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        client.sendmail("me@example.org", [RECIPIENT], "Subject: hello\r\n\r\nfrom smtplib\r\n")
    assert body_of(dovecot.messages("ann", 1)[0]) == b"from smtplib\n"


def test_smtplib_several_messages_in_one_session(node: Node, dovecot: DovecotLmtp) -> None:
    texts = [f"number {number}\r\n" for number in range(20)]
    with smtplib.SMTP("127.0.0.1", node.smtp_port) as client:
        for text in texts:
            client.sendmail("me@example.org", [RECIPIENT], f"Subject: hello\r\n\r\n{text}")
    arrived = {body_of(mail) for mail in dovecot.messages("ann", len(texts))}
    assert arrived == {text.replace("\r\n", "\n").encode() for text in texts}


def test_swaks(node: Node, dovecot: DovecotLmtp) -> None:
    addresses = ["--from", "me@example.org", "--to", RECIPIENT]
    for options in ([], ["--pipeline"]):
        swaks(node.smtp_port, *addresses, "--body", "from swaks", *options)
    assert [body_of(mail).strip() for mail in dovecot.messages("ann", 2)] == [b"from swaks"] * 2


def test_swaks_shows_a_refusal(node: Node) -> None:
    with pytest.raises(ProgramFailed, match=r"<\*\* 5\d\d "):
        swaks(node.smtp_port, "--from", "me@example.org", "--to", "no-at-sign@")


def test_msmtp(node: Node, dovecot: DovecotLmtp) -> None:
    msmtp(node.smtp_port, "me@example.org", [RECIPIENT], b"Subject: hello\n\nfrom msmtp\n.\nend\n")
    assert body_of(dovecot.messages("ann", 1)[0]) == b"from msmtp\n.\nend\n"
