"""`docs/relay-for-postfix.md`, "With a login": set up as it says, Postfix hands its mail over, and to nobody else."""

import re
import uuid
from pathlib import Path

import pytest

from angarium.testing.peers import Postfix
from angarium.testing.service import Identity, Service
from angarium.testing.snippets import Block, changed, sections

CA = "/etc/ssl/angarium.pem"
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
MAIN, PASSWORDS, *CHANGES = sections("relay-for-postfix.md")["With a login"]
PUBLIC, PLAIN, PORT_465 = (change.text for change in CHANGES)
PUBLISHED = [MAIN, PASSWORDS]


class Reader:
    """Somebody who sets up a Postfix as the page says."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder
        self.who = service.identities["login"]
        self.ca = service.ca
        self.port = service.node.smtp_port

    def send(self, blocks: list[Block], status: str) -> str:
        """Send a mail to an address of its own, which is returned without its domain, and wait for *status*."""
        user = uuid.uuid4().hex
        main, passwords = (self._adapted(block.text) for block in blocks)
        file = self._folder / "angarium_login"
        file.touch(mode=0o600)
        file.write_text(passwords)
        lines = main.replace("/etc/postfix/angarium_login", str(file)).splitlines()
        with Postfix(settings=dict(line.split(" = ") for line in lines)) as postfix:
            recipients = [f"{user}@local.example.com"]
            postfix.sendmail("me@example.org", recipients, b"From: me@example.org\n\ntext\n")
            postfix.program.wait_for(rf"status={status}")
        return user

    def _adapted(self, text: str) -> str:
        ports = {"587": self.port, "465": self._service.tls_port}
        text = re.sub(r"\b(587|465)\b", lambda match: str(ports[match[1]]), text)
        text = text.replace("mail.example.com", "localhost").replace(CA, str(self.ca))
        text = text.replace(SYSTEM_CA, str(self.ca))
        return text.replace("your-user-name", self.who.user).replace("your-password", self.who.password)


@pytest.fixture
def reader(service: Service, tmp_path: Path) -> Reader:
    return Reader(service, tmp_path)


def test_the_blocks_are_those_of_the_two_files() -> None:
    assert [block.file for block in PUBLISHED] == ["/etc/postfix/main.cf", "/etc/postfix/angarium_login"]


@pytest.mark.parametrize("form", ["login", "server token", "SMTP token"])
def test_it_logs_in(reader: Reader, service: Service, form: str) -> None:
    reader.who = service.identities[form]
    user = reader.send(PUBLISHED, r"sent \(250 2")
    assert b"with ESMTPSA" in service.dovecot.messages(user, 1)[0]


@pytest.mark.parametrize("form", ["API key", "person"])
def test_it_logs_in_by_plain_where_nothing_else_will_do(reader: Reader, service: Service, form: str) -> None:
    reader.who = service.identities[form]
    reader.send(PUBLISHED, r"deferred \(SASL authentication failed; .* 535 5\.7\.8")
    user = reader.send(changed(PUBLISHED, PLAIN), r"sent \(250 2")
    assert service.mechanism_of(service.dovecot.messages(user, 1)[0]) == "PLAIN"


@pytest.mark.parametrize("change", [PUBLIC, PORT_465], ids=["public authority", "465"])
def test_it_logs_in_after_a_change(reader: Reader, service: Service, change: str) -> None:
    user = reader.send(changed(PUBLISHED, change), r"sent \(250 2")
    assert b"with ESMTPSA" in service.dovecot.messages(user, 1)[0]


def test_it_keeps_its_mail_from_a_stranger(reader: Reader, service: Service) -> None:
    reader.ca = service.authority  # which did not issue the certificate that is shown
    reader.send(PUBLISHED, r"deferred \(Server certificate not (trusted|verified)")


def test_it_keeps_its_mail_from_another_name(reader: Reader, service: Service) -> None:
    reader.ca, reader.port = service.authority, service.misnamed_port
    reader.send(PUBLISHED, r"deferred \(Server certificate not (trusted|verified)")


def test_a_refused_login_leaves_the_mail_in_its_queue(reader: Reader, service: Service) -> None:
    reader.who = Identity(reader.who.user, "wrong")
    reader.send(PUBLISHED, r"deferred \(SASL authentication failed")
