"""Clients of other people, logged in under TLS: each mechanism with at least one that was not written here."""

import json
import smtplib
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from angarium.testing.clients import CLIENTS, Job, Send, relaying_postfix
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import DovecotLmtp
from angarium.testing.programs import ProgramFailed, free_port, run

DRIVERS = Path(__file__).parent / "clients"
MECHANISMS = {
    "nodemailer": ["PLAIN", "LOGIN", "CRAM-MD5"],
    "phpmailer": ["PLAIN", "LOGIN", "CRAM-MD5"],
    "ruby-mail": ["PLAIN", "LOGIN", "CRAM-MD5"],
    "net-smtp": ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"],
    "jakarta-mail": ["PLAIN", "LOGIN", "DIGEST-MD5"],
    "swaks": ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"],
    "msmtp": ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"],
}
IN_FULL = [(client, mechanism) for client, mechanisms in MECHANISMS.items() for mechanism in mechanisms]


@dataclass(frozen=True)
class Service:
    """A node that lets nobody send who has not logged in, and one login of it."""

    node: Node
    dovecot: DovecotLmtp
    tls_port: int
    user: str
    password: str

    @property
    def ca(self) -> Path:
        return self.node.data / "tls" / "certificate.pem"

    def job(self, **more: object) -> Job:
        given = {"port": self.node.smtp_port, "user": self.user, "password": self.password, "ca": self.ca}
        return Job(**{**given, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    data = ["--data", str(folder / "data"), "--json"]
    server = json.loads(run([ANGARIUM, "init", *data]))["server"]["id"]
    login = json.loads(
        run([ANGARIUM, "logins", "create", "clients", "--server", str(server), "--challenge", *data])
    )
    tls_port = free_port()
    with DovecotLmtp() as dovecot:
        config = f"""
            Require_Authentication = true
            Gateway = "127.0.0.1:{dovecot.port}"
            Delivery_Method = "LMTP"
            ESMTP_Listener "smtps" {{ Use_SSL = true Listen "127.0.0.1:{tls_port}" {{ }} }}
        """
        with Node(config, folder=folder) as node:
            yield Service(node, dovecot, tls_port, login["username"], login["secret"])


def sent_by(send: Send, service: Service, **more: object) -> bytes:
    """Send a mail with a client to an address of its own; return what arrived there."""
    user = uuid.uuid4().hex
    send(service.job(recipients=(f"{user}@local.example.com",), **more), DRIVERS)
    return service.dovecot.messages(user, 1)[0]


@pytest.mark.parametrize(("client", "mechanism"), IN_FULL)
def test_a_client_logs_in_after_starttls(service: Service, client: str, mechanism: str) -> None:
    mail = sent_by(CLIENTS[client], service, mechanism=mechanism, text="a few words")
    assert b"with ESMTPSA" in mail
    assert b"a few words" in mail


@pytest.mark.parametrize("client", MECHANISMS)
def test_a_client_logs_in_where_tls_begins_at_once(service: Service, client: str) -> None:
    mail = sent_by(CLIENTS[client], service, port=service.tls_port, tls="tls")
    assert b"with ESMTPSA" in mail


@pytest.mark.parametrize("client", MECHANISMS)
def test_a_client_sees_that_its_password_is_wrong(service: Service, client: str) -> None:
    wrong = service.job(password="wrong", user=uuid.uuid4().hex)  # a name of its own: names get blocked
    with pytest.raises(ProgramFailed, match=r"535|[Aa]uthentic"):
        CLIENTS[client](wrong, DRIVERS)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_postfix_relays_everything_logged_in(service: Service, mechanism: str) -> None:
    user = uuid.uuid4().hex
    with relaying_postfix(service.job(mechanism=mechanism)) as postfix:
        text = b"From: me@example.org\nSubject: relayed\n\ntext\n"
        postfix.sendmail("me@example.org", [f"{user}@local.example.com"], text)
        postfix.program.wait_for(r"status=sent \(250 2")
    assert b"with ESMTPSA" in service.dovecot.messages(user, 1)[0]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib(service: Service, mechanism: str) -> None:
    def send(job: Job, _: Path) -> str:
        with smtplib.SMTP("localhost", job.port) as client:
            client.starttls(context=ssl.create_default_context(cafile=str(job.ca)))
            client.user, client.password = job.user, job.password
            client.ehlo()
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"))
            client.sendmail(job.sender, job.recipients, job.mail().replace(b"\n", b"\r\n"))
        return ""

    assert b"with ESMTPSA" in sent_by(send, service)
