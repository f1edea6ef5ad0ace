"""A node on which only those who have logged in can send, in front of a Dovecot, with a login of every form."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.testing.authority import CertificateAuthority
from angarium.testing.clients import Job, Send
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import DovecotLmtp
from angarium.testing.programs import free_port, run

_CONFIG = """
Require_Authentication = true
Auth_Failure_Delay = 0  # all tests come from one address
Auth_Failures_To_Block = 0
Gateway = "127.0.0.1:{lmtp}"
Delivery_Method = "LMTP"
ESMTP_Listener "smtps" {{ Use_SSL = true Listen "127.0.0.1:{smtps}" {{ }} }}
ESMTP_Listener "challenges" {{
    Auth_Challenges_Beside_Passwords = true
    Listen "127.0.0.1:{challenges}" {{ }}
}}
ESMTP_Listener "misnamed" {{ TLS_Certificate = "{misnamed_file}" Listen "127.0.0.1:{misnamed}" {{ }} }}
"""
DOMAIN = "example.org"
"""Where mail is sent from: a verified domain of the account."""
_PERSON = f"ann@{DOMAIN}"


class Identity(NamedTuple):
    """User name and password of one who may send."""

    user: str
    password: str


@dataclass(frozen=True)
class Service:
    """The running node, where its mail arrives, and its *identities* by their form.

    At *challenges_port* every mechanism is offered. At *misnamed_port* it shows a certificate of the *authority*
    that is for another name. *records* are what the DNS of `DOMAIN` would hold, value by name.
    """

    node: Node
    dovecot: DovecotLmtp
    tls_port: int
    challenges_port: int
    misnamed_port: int
    authority: Path
    identities: dict[str, Identity]
    records: dict[str, str]

    @property
    def ca(self) -> Path:
        """The certificate that the node has signed itself, which names `localhost`."""
        return self.node.data / "tls" / "certificate.pem"

    def job(self, identity: str = "login for challenges", **more: object) -> Job:
        """Return a mail to send with STARTTLS by one of the identities; *more* are fields of the job."""
        who = self.identities[identity]._asdict()
        return Job(**{"port": self.node.smtp_port, "ca": self.ca, **who, **more})  # type: ignore[arg-type]

    def sent_by(
        self, send: Send, drivers: Path, identity: str = "login for challenges", **more: object
    ) -> bytes:
        """Send a mail with a client to a fresh address; return what arrived there."""
        user = uuid.uuid4().hex
        send(self.job(identity, recipients=(f"{user}@local.example.com",), **more), drivers)
        return self.dovecot.messages(user, 1)[0]

    def received(self, mail: bytes) -> dict[str, Any]:
        """Return what the node's log says of how it took a mail that has arrived."""
        found = re.search(rb"with ESMTPSA.*\n\tid (\w+)", mail)
        message = found[1].decode() if found else "mail without a login"
        self.node.program.wait_for(rf'"event":"received".*"message":"{message}"')
        return self._event(event="received", message=message)

    def mechanism_of(self, mail: bytes) -> str:
        """Return the mechanism by which the sender of an arrived mail had logged in, as the node's log says."""
        login = self._event(event="auth", session=self.received(mail)["session"])
        return str(login["mechanism"])

    def _event(self, **fields: str) -> dict[str, Any]:
        return next(event for event in self.node.events if fields.items() <= event.items())


@contextmanager
def running_service(folder: Path) -> Iterator[Service]:
    """Start it, with its files in *folder*."""
    identities = _make_identities(folder / "data")
    records = _make_domain(folder / "data")
    authority = CertificateAuthority(folder)
    misnamed_file = authority.issue("other.example.com").both
    ports = {name: free_port() for name in ("smtps", "challenges", "misnamed")}
    with DovecotLmtp() as dovecot:
        config = _CONFIG.format(lmtp=dovecot.port, misnamed_file=misnamed_file, **ports)
        with Node(config, folder=folder) as node:
            yield Service(
                node=node,
                dovecot=dovecot,
                tls_port=ports["smtps"],
                challenges_port=ports["challenges"],
                misnamed_port=ports["misnamed"],
                authority=authority.file,
                identities=identities,
                records=records,
            )


def _make_identities(data: Path) -> dict[str, Identity]:
    def make(*arguments: str, stdin: bytes = b"") -> dict[str, str]:
        made: dict[str, str] = json.loads(run([ANGARIUM, *arguments, "--data", data, "--json"], stdin))
        return made

    make("init")
    one = ("--server", "1")
    password = "correct horse battery staple"
    make("people", "create", _PERSON, stdin=f"{password}\n".encode())
    token = make("tokens", "create", *one)["secret"]
    key = make("keys", "create", "clients", "--grant", "smtp/inject")["secret"]
    named = {
        "login": make("logins", "create", "clients", *one),
        "login for challenges": make("logins", "create", "challenged", *one, "--challenge"),
        "SMTP token": make("tokens", "create", *one, "--stream", "outbound"),
    }
    return {
        **{form: Identity(made["username"], made["secret"]) for form, made in named.items()},
        "server token": Identity(token, token),
        "API key": Identity("SMTP_Injection", key),
        "person": Identity(_PERSON, password),
    }


def _make_domain(data: Path) -> dict[str, str]:
    """Add the domain that mail is sent from, and let its keys count as seen in the DNS; return its records."""
    made = json.loads(run([ANGARIUM, "domains", "add", DOMAIN, "--data", data, "--json"]))
    found = {key["id"]: True for key in made["domain"]["keys"]}
    database = open_database(f"sqlite:///{data}/identity/identity.db")
    store = IdentityStore(database, KeyRing.load_or_create(data / "identity/secrets.key"), time.time)
    store.domains.mark_checked(made["domain"]["id"], found, time.time())
    database.close()
    return {record["name"]: record["value"] for record in made["records"]}
