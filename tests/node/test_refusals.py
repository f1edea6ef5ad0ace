"""The table of `docs/refusals.md`, row by row, with the running program: the answer, and the record it leaves."""

import datetime
import json
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from angarium.config.load import load_config
from angarium.core.ids import new_id
from angarium.identity.limits import Limits, Rate
from angarium.identity.records import SEND_GRANT, Credential
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.render.return_path import PURPOSE, SignedReturnPaths
from angarium.spool.files.reader import FileJournalReader
from angarium.testing.lab import Lab
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port

pytestmark = pytest.mark.process

PAGE = Path(__file__).parents[2] / "docs/refusals.md"
ME = {"actor": "test"}
CONFIG = """
    Hostname = mx.test
    Bounce_Domain = back.test
    Feedback_Per_Minute = 1
    Relay_Hosts = ( 127.0.0.9 )
    Routes = ( "127.0.0.1:{sink}" )
    Auth_Failure_Delay = 0
    Auth_Failures_To_Block = 0
    ESMTP_Listener "strict" {{ Require_Authentication = true Listen "127.0.0.1:{strict}" {{ }} }}
    ESMTP_Listener "guarded" {{ Auth_Failures_To_Block = 2 Listen "127.0.0.1:{guarded}" {{ }} }}
    ESMTP_Listener "certified" {{
        TLS_Verify_Mode = require TLS_Client_CA = "{ca}" Listen "127.0.0.1:{certified}" {{ }}
    }}
"""


def table() -> dict[str, tuple[str, list[str]]]:
    """What the page promises: by the first column the answer, and the words of the event."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {row[0]: (row[1], re.findall("`([^`]+)`", row[2])) for row in rows[1:] if "---" not in row[0]}


class Service:
    """A node, its store, and sessions with it."""

    def __init__(self, sink_port: int, folder: Path) -> None:
        self.ca, self.expired = folder / "ca.pem", folder / "expired.pem"
        make_certificate(self.ca, days=9)
        make_certificate(self.expired, days=-1, issuer=self.ca)
        self.ports = {name: free_port() for name in ("strict", "guarded", "certified")}
        self.node = Node(CONFIG.format(sink=sink_port, ca=self.ca, **self.ports))
        config = load_config(self.node.config_file)
        ring = KeyRing.load_or_create(key_file(config, self.node.data))
        self.store = IdentityStore(open_database(store_url(config, self.node.data)), ring, time.time)
        self._number = 0

    def account(self, **fields: Any) -> tuple[int, int]:
        """Make an account with a server; return both ids."""
        self._number += 1
        account = self.store.accounts.create(f"account{self._number}", **fields, **ME)
        return account.id, self.store.servers.create(account.id, "app", **ME).id

    def login(self, **fields: Any) -> tuple[str, str]:
        """Make a login of an account with *fields*."""
        made, secret = self.store.credentials.create_smtp_login(self.account(**fields)[1], "test", **ME)
        return made.username, secret

    def key(self, *grants: str) -> tuple[Credential, str]:
        """Make an API key."""
        return self.store.credentials.create_api_key(self.account()[0], "test", grants, **ME)

    def token(self) -> str:
        """Make a server token."""
        return self.store.credentials.create_server_token(self.account()[1], "test", **ME)[1]

    def session(self, listener: str = "", *, tls: bool = True, source: str = "127.0.0.1") -> smtplib.SMTP:
        """Open a session that has said EHLO."""
        port = self.ports[listener] if listener else self.node.smtp_port
        client = smtplib.SMTP(
            "127.0.0.1", port, "client.test", source_address=(source, 0), timeout=PATIENCE_S
        )
        if tls:
            client.starttls(context=self.context())
        client.ehlo()
        return client

    def context(self) -> ssl.SSLContext:
        """Return what believes the node's certificate."""
        return ssl.create_default_context(cafile=str(self.node.data / "tls/certificate.pem"))

    def log_in(
        self, user: str, secret: str, listener: str = "", source: str = "127.0.0.1"
    ) -> tuple[smtplib.SMTP, str]:
        """Open a session and log in; return it with the answer."""
        client = self.session(listener, source=source)
        client.user, client.password = user, secret
        try:
            return client, shown(client.auth("PLAIN", client.auth_plain))
        except smtplib.SMTPAuthenticationError as error:
            return client, shown((error.smtp_code, error.smtp_error))

    def mail(self, user: str, secret: str, *fields: str, author: str = "me@acme.test", to: int = 1) -> str:
        """Log in and send a mail; return the first answer that is not positive, else the last."""
        client, _ = self.log_in(user, secret)
        with client:
            answers = [client.docmd(f"MAIL FROM:<{author}>")]
            answers += [client.docmd(f"RCPT TO:<ann{number}@there.test>") for number in range(to)]
            if all(code < 400 for code, _ in answers):
                head = "".join(f"{field}\r\n" for field in (f"From: {author}", "Subject: x", *fields))
                answers.append(client.data(f"{head}\r\ntext\r\n"))
            return shown(next((each for each in answers if each[0] >= 400), answers[-1]))

    def waits_for(self, *words: str) -> None:
        """Wait until the log has a record that speaks of all *words*."""

        def is_there() -> bool:
            return any(all(word in json.dumps(record) for word in words) for record in self.node.events)

        self.node.program.wait_until(is_there, f"a record with {words}")


def shown(answer: tuple[int, bytes]) -> str:
    """Return code and enhanced code."""
    return f"{answer[0]} {answer[1].split()[0].decode()}"


def make_certificate(path: Path, days: int, issuer: Path | None = None) -> None:
    """Write a certificate with its key that ends in *days*; signed by itself, or by *issuer*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    signer, by = key, name
    if issuer is not None:
        pem = issuer.read_bytes()
        loaded = serialization.load_pem_private_key(pem, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, by = loaded, x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :]).subject
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(by, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(days=30))
    made = made.not_valid_after(now + datetime.timedelta(days=days))
    made = made.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    pem_format = serialization.Encoding.PEM
    private = key.private_bytes(pem_format, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.sign(signer, hashes.SHA256()).public_bytes(pem_format))


@pytest.fixture(scope="module")
def service(shared_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(shared_lab.sink().port, tmp_path_factory.mktemp("certificates"))
    with made.node:
        yield made


ROWS: dict[str, Callable[[Service], str]] = {}
Row = Callable[[Service], str]


def row(name: str) -> Callable[[Row], Row]:
    """Say which row of the page a function plays; it returns the answer it got."""

    def take(play: Row) -> Row:
        ROWS[name] = play
        return play

    return take


@row("wrong password")
def wrong_password(service: Service) -> str:
    return service.log_in(service.login()[0], "wrong")[1]


@row("unknown user name")
def unknown_name(service: Service) -> str:
    return service.log_in("nobody", "whatever")[1]


@row("revoked key")
def revoked_key(service: Service) -> str:
    key, secret = service.key(SEND_GRANT)
    service.store.credentials.change(key.id, enabled=False, **ME)
    return service.log_in("SMTP_Injection", secret)[1]


@row("revoked while logged in")
def revoked_meanwhile(service: Service) -> str:
    key, secret = service.key(SEND_GRANT)
    client, answer = service.log_in("SMTP_Injection", secret)
    assert answer == "235 2.7.0"
    service.store.credentials.delete(key.id, **ME)
    until = time.monotonic() + PATIENCE_S
    while (said := client.docmd("MAIL FROM:<me@acme.test>"))[0] == 250:
        assert time.monotonic() < until
        client.docmd("RSET")
        service.log_in("SMTP_Injection", secret)  # takes a while: a session may not say RSET for ever
    return shown(said)


@row("key without the grant")
def no_grant(service: Service) -> str:
    return service.log_in("SMTP_Injection", service.key("metrics/view")[1])[1]


@row("suspended account")
def suspended(service: Service) -> str:
    account, server = service.account()
    made, secret = service.store.credentials.create_smtp_login(server, "test", **ME)
    service.store.accounts.change(account, suspended=True, **ME)
    return service.log_in(made.username, secret)[1]


@row("too many failed logins")
def blocked(service: Service) -> str:
    user, _ = service.login()
    answers = [service.log_in(user, "wrong", "guarded", "127.0.0.77")[1] for _ in range(3)]
    return answers[-1]


@row("AUTH without TLS")
def without_tls(service: Service) -> str:
    return shown(service.session(tls=False).docmd("AUTH", "PLAIN AG5vYm9keQBzZWNyZXQ="))


@row("challenge that fails without TLS")
def challenge_without_tls(service: Service) -> str:
    client = service.session(tls=False)
    client.user, client.password = service.login()
    with pytest.raises(smtplib.SMTPAuthenticationError) as said:
        client.auth("CRAM-MD5", client.auth_cram_md5)
    return shown((said.value.smtp_code, bytes(said.value.smtp_error)))


@row("AUTH twice")
def twice(service: Service) -> str:
    client, _ = service.log_in(*service.login())
    with client:
        return shown(client.docmd("AUTH", "PLAIN AG5vYm9keQBzZWNyZXQ="))


@row("AUTH in mid transaction")
def in_transaction(service: Service) -> str:
    with service.session(source="127.0.0.9") as client:
        client.docmd("MAIL FROM:<me@acme.test>")
        return shown(client.docmd("AUTH", "PLAIN AG5vYm9keQBzZWNyZXQ="))


@row("commands behind STARTTLS")
def behind_starttls(service: Service) -> str:
    client = service.session(tls=False)
    client.send("STARTTLS\r\nMAIL FROM:<evil@acme.test>\r\n")
    return shown(client.getreply())


@row("not logged in where one must be")
def must_log_in(service: Service) -> str:
    with service.session("strict", source="127.0.0.9") as client:
        return shown(client.docmd("MAIL FROM:<me@acme.test>"))


@row("relaying without a login")
def relaying(service: Service) -> str:
    with service.session(tls=False) as client:
        client.docmd("MAIL FROM:<me@acme.test>")
        return shown(client.docmd("RCPT TO:<ann@there.test>"))


def named(service: Service, *recipients: str, size: int = 0) -> str:
    """What is said to the last of *recipients* of mail with the null sender."""
    with service.session(tls=False) as client:
        client.docmd(f"MAIL FROM:<> SIZE={size}" if size else "MAIL FROM:<>")
        return [shown(client.docmd(f"RCPT TO:<{recipient}>")) for recipient in recipients][-1]


@row("a return path that nobody here has made")
def altered_return_path(service: Service) -> str:
    return named(service, f"b-{'a' * 48}@back.test")


@row("a return path of old mail")
def old_return_path(service: Service) -> str:
    ring = KeyRing.load_or_create(service.node.data / "identity/secrets.key")
    paths = SignedReturnPaths(lambda: ring.all_derived(PURPOSE))
    return named(service, paths.address("bounce", new_id(time.time() - 31 * 86_400), 0, "back.test"))


@row("another address under `Bounce_Domain`")
def unknown_at_bounce_domain(service: Service) -> str:
    return named(service, "ann@back.test")


@row("a bounce with another recipient")
def bounce_for_others(service: Service) -> str:
    return named(service, "fbl@back.test", "ann@there.test")


@row("a bounce that is too large")
def large_bounce(service: Service) -> str:
    return named(service, "fbl@back.test", size=20_000_000)


@row("too many bounces from one address")
def many_bounces(service: Service) -> str:
    with service.session(tls=False, source="127.0.0.77") as client:
        client.sendmail("", ["fbl@back.test"], "Subject: x\r\n\r\nx\r\n")
        client.docmd("MAIL FROM:<>")
        return shown(client.docmd("RCPT TO:<fbl@back.test>"))


@row("a lone CR or LF in a message")
def lone_line_end(service: Service) -> str:
    with service.session(source="127.0.0.9") as client:
        for command in ("MAIL FROM:<me@acme.test>", "RCPT TO:<ann@there.test>", "DATA"):
            client.docmd(command)
        client.send(b"Subject: x\r\n\r\none\ntwo\r\n.\r\n")
        return shown(client.getreply())


@row("a command that ends with a lone LF behind a message")
def lone_lf_behind(service: Service) -> str:
    with service.session(source="127.0.0.9") as client:
        client.sendmail("me@acme.test", ["ann@there.test"], b"Subject: x\r\n\r\ntext\r\n")
        client.send(b"NOOP\n")
        return shown(client.getreply())


@row("an address without domain, not logged in")
def no_domain(service: Service) -> str:
    with service.session(tls=False) as client:
        return shown(client.docmd("MAIL FROM:<root>"))


@row("client certificate expired")
def client_certificate(service: Service) -> str:
    context = service.context()
    context.load_cert_chain(service.expired)
    client = service.session("certified", tls=False)
    client.starttls(
        context=context
    )  # with TLS 1.3 the refusal comes after the client's side of the handshake
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        client.docmd("NOOP")
    return "the handshake fails"


@row("header with broken JSON (`X-MSYS-API`)")
def broken_json(service: Service) -> str:
    return service.mail(*service.login(), "X-MSYS-API: {not json")


@row("metadata over limits (`X-MSYS-API`)")
def much_metadata(service: Service) -> str:
    return service.mail(*service.login(), f'X-MSYS-API: {{"metadata": {{"a": "{"x" * 20_000}"}}}}')


@row("metadata over limits (`X-PM-Metadata-…`)")
def much_pm_metadata(service: Service) -> str:
    token = service.token()
    return service.mail(token, token, f"X-PM-Metadata-colour: {'x' * 81}")


@row("unknown stream")
def unknown_stream(service: Service) -> str:
    token = service.token()
    return service.mail(token, token, "X-PM-Message-Stream: nowhere")


@row("archived stream")
def archived_stream(service: Service) -> str:
    _, server = service.account()
    service.store.streams.create(server, "letters", "Letters", "broadcast", **ME)
    service.store.streams.archive(server, "letters", **ME)
    token = service.store.credentials.create_server_token(server, "test", **ME)[1]
    return service.mail(token, token, "X-PM-Message-Stream: letters")


@row("sender domain not allowed")
def domain(service: Service) -> str:
    return service.mail(*service.login(limits=Limits(sender_domains="verified")))


@row("sender signature missing (Postmark token)")
def signature(service: Service) -> str:
    _, server = service.account(limits=Limits(sender_domains="verified"))
    token = service.store.credentials.create_server_token(server, "test", **ME)[1]
    return service.mail(token, token)


@row("bounces to another account's domain")
def foreign_bounces(service: Service) -> str:
    domain = service.store.domains.create(service.account()[0], "theirs.test", **ME)
    service.store.domains.mark_checked(domain.id, {key.id: True for key in domain.keys}, time.time())
    client, _ = service.log_in(*service.login())
    with client:
        return shown(client.docmd("MAIL FROM:<x@bounces.theirs.test>"))


@row("quota reached")
def quota(service: Service) -> str:
    return service.mail(*service.login(limits=Limits(rate=Rate(1, 3600))), to=2)


@row("as much of the account waits as may")
def much_waits(service: Service) -> str:
    return service.mail(*service.login(limits=Limits(max_queued_recipients=1)), to=2)


@row("too many recipients for the account")
def recipients(service: Service) -> str:
    return service.mail(*service.login(limits=Limits(max_recipients=2)), to=3)


@row("message too large for the account")
def large(service: Service) -> str:
    return service.mail(
        *service.login(limits=Limits(max_message_size=1000)), f"X-Padding: {'x' * 900}", "X: " + "y" * 200
    )


ELSEWHERE = {
    "peer's certificate expired, `TLS_Verify = ca`": "test_e2e_tls_out.py",
    "identity store out of reach": "test_e2e_auth.py",
}
"""Rows that need another set-up, and the file that has their test."""


def test_every_row_is_played() -> None:
    assert set(table()) == set(ROWS) | set(ELSEWHERE)


@pytest.mark.parametrize("name", ROWS)
def test_the_answer_and_the_record_are_those_of_the_page(service: Service, name: str) -> None:
    promised, words = table()[name]
    answer = ROWS[name](service)
    assert answer == ("250 2.0.0" if promised.startswith("250") else promised)
    event, *details = words
    bounce = re.search(r"bounced (\d{3} \d\.\d\.\d)", promised)
    service.waits_for(f'"event": "{event}"', *details[:1], *([bounce[1]] if bounce else []))


def test_a_refusal_and_a_failed_login_stand_in_the_journal(service: Service) -> None:
    user = service.login()[0]
    client, answer = service.log_in(user, "wrong", source="127.0.0.79")
    with client:
        refused = shown(client.docmd("MAIL FROM:<a@acme.test>"))
        if refused.startswith("250"):
            refused = shown(client.docmd("RCPT TO:<b@there.test>"))
    assert (answer[:3], refused[:1]) == ("535", "5")

    def stand_there() -> bool:
        facts = [
            fact
            for partition in (service.node.data / "spool").glob("p*")
            for _, fact in FileJournalReader(partition).facts()
            if str(fact.fields.get("peer")).startswith("127.0.0.79:")
        ]
        said = {fact.kind: fact.fields for fact in facts}
        return said.get("login_failed", {}).get("user") == user and said.get("refusal", {}).get(
            "reply", ""
        ).startswith(refused)

    service.node.program.wait_until(stand_there, "a fact of each")
