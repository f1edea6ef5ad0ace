"""Certificates by certbot, with the hook of the documentation, in a node that goes on serving."""

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.testing.acme import AcmeAuthority, Certbot
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S
from angarium.testing.snippets import sections

NAME = "mail.example.com"
PAGE = sections("certificates.md")


@pytest.fixture
def authority() -> Iterator[AcmeAuthority]:
    with AcmeAuthority() as running:
        yield running


def hook(installed: Path, data: Path) -> str:
    """The hook as the page has it, with the places of this test."""
    (block,) = [block for block in PAGE["certbot"] if "--deploy-hook" in block.text]
    command = block.text.partition("--deploy-hook '")[2].partition("'")[0]
    for written, meant in (
        ("angarium tls", f"{ANGARIUM} tls"),
        (f"/etc/angarium/tls/{NAME}.pem", str(installed)),
        ("/var/lib/angarium", str(data)),
    ):
        assert written in command
        command = command.replace(written, meant)
    return command


def client_of(node: Node) -> smtplib.SMTP:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=PATIENCE_S)
    client.starttls(context=context)
    return client


def shown_to(client: smtplib.SMTP) -> bytes:
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_shown_at_once_and_open_sessions_go_on(
    authority: AcmeAuthority, tmp_path: Path
) -> None:
    folder = tmp_path / "node"
    (folder / "tls").mkdir(parents=True)
    installed = folder / "tls" / f"{NAME}.pem"
    certbot = Certbot(authority, tmp_path / "certbot")
    certbot.obtain(NAME, hook(installed, folder / "data"))  # no node runs yet
    assert installed.stat().st_mode & 0o777 == 0o600
    config = f'Hostname = "{NAME}"\nESMTP_Listener "default" {{ TLS_Certificate = "{installed}" }}\n'
    with Node(config, workers=2, folder=folder) as node, client_of(node) as old:
        first = shown_to(old)
        assert "the node has read it" in certbot.renew()
        with client_of(node) as new:
            assert shown_to(new) != first
        assert shown_to(old) == first
        assert old.noop()[0] == 250
        (shown,) = [each for each in node.cli("tls", "show") if each["listener"] == "default"]
        assert shown["names"] == [NAME]
        assert "Pebble" in shown["issuer"]
