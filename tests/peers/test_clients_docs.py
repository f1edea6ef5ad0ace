"""The snippets of `docs/clients/*.md` and `docs/clients.md`, run as they stand: mail arrives, strangers are refused.

Replaced are hosts, ports, addresses, file names and user names. What a `diff` block and a block with a
file name mean is in `angarium.testing.snippets`.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from angarium.testing.clients import JAVA_PATH, NODE_MODULES
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import DovecotLmtp
from angarium.testing.programs import PATIENCE_S, ProgramFailed, run
from angarium.testing.service import Identity, Service
from angarium.testing.snippets import DOCS, Block, changed, sections

COMMANDS = {
    "python": [sys.executable],
    "js": ["node"],
    "php": ["php"],
    "ruby": ["ruby"],
    "java": ["java", "-cp", JAVA_PATH],
    "perl": ["perl"],
    "sh": ["bash"],
}
OWN_CERTIFICATE = "/etc/ssl/angarium.pem"
PUBLIC = "With a certificate of a public authority"
OTHER_MECHANISM = "Another mechanism"
RAILS = "Action Mailer"

RAILS_STANDS_IN = """
require "mail"
require "ostruct"
module Rails
  def self.application = self
  def self.config = @config ||= OpenStruct.new(action_mailer: OpenStruct.new)
  def self.configure(&block) = instance_eval(&block)
end
"""
RAILS_SENDS = """
mailer = Rails.config.action_mailer
message = Mail.new(from: "shop@example.org", to: "ann@example.net", subject: "Your order", body: "It is on its way.")
message.delivery_method mailer.delivery_method, mailer.smtp_settings
message.deliver!
"""


def published(page: str, title: str = "") -> list[Block]:
    """Return the blocks of a page as somebody has them who followed the section *title*."""
    on_page = sections(f"clients/{page}.md")
    if title == RAILS:
        (rails,) = on_page[RAILS]
        return [rails._replace(text=RAILS_STANDS_IN + rails.text + RAILS_SENDS)]
    blocks = on_page[""]
    for change in on_page[title] if title else []:
        assert change.language == "diff"
        blocks = changed(blocks, change.text)
    return blocks


PAGES = sorted(path.stem for path in (DOCS / "clients").glob("*.md") if path.stem != "mail-programs")
SECTIONS = [(page, title) for page in PAGES for title in sections(f"clients/{page}.md") if title]
FORMS = ["login", "server token", "SMTP token", "API key", "person"]


class Reader:
    """Somebody who pastes what the docs say, on a machine with a home directory of its own."""

    def __init__(self, service: Service, home: Path) -> None:
        self._service = service
        self._home = home
        self.user = uuid.uuid4().hex
        self.who = service.identities["login"]
        self.ca = service.ca
        self.port = service.node.smtp_port
        self.authorities: Path | None = None
        """What the machine takes for a public authority; without it, that of the system."""

    def paste(self, blocks: list[Block]) -> bytes:
        """Do what the blocks say; return the mail that arrived. Raises ProgramFailed when a program fails."""
        for number, block in enumerate(blocks):
            if block.file:
                self._write(block)
            else:
                self._run(block, self._home / f"snippet{number}.{block.language}")
        return self._service.dovecot.messages(self.user, 1)[0]

    def _adapted(self, text: str) -> str:
        ports = {"587": self.port, "465": self._service.tls_port}
        text = re.sub(r"\b(587|465)\b", lambda match: str(ports[match[1]]), text)
        text = text.replace("mail.example.com", "localhost").replace(OWN_CERTIFICATE, str(self.ca))
        return text.replace("ann@example.net", f"{self.user}@local.example.com").replace(
            "your-user-name", self.who.user
        )

    def _write(self, block: Block) -> None:
        file = Path(block.file.replace("~", str(self._home)))
        file.touch(mode=0o600)
        file.write_text(self._adapted(block.text))

    def _run(self, block: Block, file: Path) -> None:
        file.write_text(self._adapted(block.text))
        done = subprocess.run(
            [*COMMANDS[block.language], file],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise ProgramFailed((done.stdout + done.stderr).decode())

    @property
    def _environment(self) -> dict[str, str]:
        found = {"PATH": os.environ["PATH"], "HOME": str(self._home), "NODE_PATH": str(NODE_MODULES)}
        found |= {"SMTP_USER": self.who.user, "SMTP_PASSWORD": self.who.password}
        if self.authorities:
            found |= dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), str(self.authorities))
            store = self._home / "authorities.jks"
            run(
                [
                    *("keytool", "-importcert", "-noprompt", "-storetype", "JKS", "-storepass", "changeit"),
                    *("-alias", "node", "-file", self.authorities, "-keystore", store),
                ]
            )
            found["JAVA_TOOL_OPTIONS"] = f"-Djavax.net.ssl.trustStore={store}"
        return found


@pytest.fixture
def reader(service: Service, tmp_path: Path) -> Reader:
    return Reader(service, tmp_path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_works_with_every_form_of_login(reader: Reader, page: str, form: str) -> None:
    reader.who = reader._service.identities[form]
    mail = reader.paste(published(page))
    assert b"with ESMTPSA" in mail
    assert b"It is on its way." in mail
    assert b"Subject: Your order" in mail


@pytest.mark.parametrize(("page", "title"), SECTIONS)
def test_a_further_section(reader: Reader, service: Service, page: str, title: str) -> None:
    if title == PUBLIC:
        reader.authorities = service.ca
    if title == OTHER_MECHANISM:
        reader.who = service.identities["login for challenges"]
    blocks = published(page, title)
    assert (OWN_CERTIFICATE in str(blocks)) == (title != PUBLIC)
    mail = reader.paste(blocks)
    assert b"with ESMTPSA" in mail
    if title == OTHER_MECHANISM:
        asked_for = sections(f"clients/{page}.md")[title][0].text.rpartition("+")[2]
        assert service.mechanism_of(mail).lower() in asked_for.lower()


REFUSED = re.compile(r"certificate|hostname|peer_name|altnames|identity of server", re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_not_told_the_password(reader: Reader, service: Service, page: str) -> None:
    reader.ca = service.authority  # which did not issue the certificate that is shown
    with pytest.raises(ProgramFailed, match=REFUSED):
        reader.paste(published(page))


@pytest.mark.parametrize("page", [page for page, title in SECTIONS if title == PUBLIC])
def test_the_nodes_own_certificate_is_not_believed_unasked(reader: Reader, page: str) -> None:
    with pytest.raises(ProgramFailed, match=REFUSED):
        reader.paste(published(page, PUBLIC))


@pytest.mark.parametrize("page", [page for page in PAGES if page != "swaks"])
def test_a_certificate_for_another_name_is_not_believed(reader: Reader, service: Service, page: str) -> None:
    reader.ca, reader.port = service.authority, service.misnamed_port
    with pytest.raises(ProgramFailed, match=REFUSED):
        reader.paste(published(page))


def test_swaks_does_not_look_at_the_name(reader: Reader, service: Service) -> None:
    reader.ca, reader.port = service.authority, service.misnamed_port
    assert b"with ESMTPSA" in reader.paste(published("swaks"))


IDENTITIES = {
    title: blocks for title, blocks in sections("clients.md").items() if "ini" in {b.language for b in blocks}
}


@pytest.mark.parametrize("title", IDENTITIES)
def test_each_form_of_login_is_made_and_used_as_shown(reader: Reader, service: Service, title: str) -> None:
    command, shown = (block.text for block in IDENTITIES[title])
    example = Identity(*re.findall(r"^SMTP_\w+=(.*)$", shown, re.MULTILINE))
    made = json.loads(
        run(
            [ANGARIUM, *command.split()[1:], "--data", service.node.data, "--json"],
            f"{example.password}\n".encode(),
        )
    )
    reader.who = as_shown(example, made.get("username", ""), made.get("secret", example.password))
    assert [len(text) for text in reader.who] == [len(text) for text in example]
    mail = reader.paste(published("smtplib"))
    assert b"with ESMTPSA" in mail


def as_shown(example: Identity, username: str, secret: str) -> Identity:
    """Return what was made, in the places where the example has it."""
    if example.user == example.password:
        return Identity(secret, secret)
    return Identity(username or example.user, secret)


def test_there_are_five_forms_of_login() -> None:
    assert len(IDENTITIES) == len(FORMS) == 5


@pytest.mark.parametrize(
    "block", sections("clients.md")["Without a login"], ids=lambda block: block.text.split()[0]
)
def test_without_a_login(block: Block, dovecot: DovecotLmtp, tmp_path: Path) -> None:
    with Node(f'Gateway = "127.0.0.1:{dovecot.port}"\nDelivery_Method = "LMTP"\n', workers=1) as node:
        snippet = tmp_path / "snippet"
        snippet.write_text(block.text.replace("2525", str(node.smtp_port)))
        run([*COMMANDS[block.language], snippet])
        assert b"with ESMTP" in dovecot.messages("you", 1)[0]


def test_every_page_is_in_the_index() -> None:
    named = set(re.findall(r"\(clients/([\w-]+)\.md\)", (DOCS / "clients.md").read_text()))
    assert named == {path.stem for path in (DOCS / "clients").glob("*.md")}
