"""Who may send, seen from outside: real clients log in to the real program, and everybody else does not."""

import base64
import json
import smtplib
import sqlite3
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from angarium.identity.limits import Limits, Rate
from angarium.identity.records import SEND_GRANT
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.identity.store.store import IdentityStore
from angarium.testing.lab import submit_over
from angarium.testing.node import Node
from angarium.testing.programs import PATIENCE_S, free_port
from angarium.testing.pulse import Pulse

pytestmark = pytest.mark.process

CONFIG = """
Hostname = mx.test
Relay_Hosts = ( 127.0.0.9 )
Routes = ( "127.0.0.1:{sink}" )
Auth_Failure_Delay = 0
Auth_Failures_To_Block = 0
Auth_Challenges_Beside_Passwords = true
ESMTP_Listener "strict" {{
  Require_Authentication = true
  Relay_Hosts = ( 127.0.0.0/8 )
  Listen "127.0.0.1:{strict}" {{ }}
}}
ESMTP_Listener "guarded" {{ Auth_Failures_To_Block = 4 Auth_Block_Time = 600 Listen "127.0.0.1:{guarded}" {{ }} }}
ESMTP_Listener "slow" {{ Auth_Failure_Delay = 1 Listen "127.0.0.1:{slow}" {{ }} }}
ESMTP_Listener "clear" {{ Auth_Without_TLS = true Listen "127.0.0.1:{clear}" {{ }} }}
"""
ME = {"actor": "test"}
TEXT = b"From: a@far.test\r\nSubject: x\r\n\r\nx\r\n"
MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5"]
WITHIN_S = 1.0


class Service:
    """A node that knows an account, and the store in which it does."""

    def __init__(self, sink):
        self.sink = sink
        self.ports = {name: free_port() for name in ("strict", "guarded", "slow", "clear")}
        self.node = Node(CONFIG.format(sink=sink.port, **self.ports), workers=2)
        config = self.node_config()
        database = open_database(store_url(config, self.node.data))
        self.store = IdentityStore(
            database, KeyRing.load_or_create(key_file(config, self.node.data)), time.time
        )
        self.account = self.store.accounts.create("acme", **ME)
        self.server = self.store.servers.create(self.account.id, "app", **ME)

    def node_config(self):
        from angarium.config.load import load_config

        return load_config(self.node.config_file)

    def login(self, **more):
        """A new SMTP login with its secret."""
        made, secret = self.store.credentials.create_smtp_login(
            self.server.id, "test", challenge=True, **more, **ME
        )
        return made, secret

    def other_account(self, name, **fields):
        """Another account with a server and a login, which may write as anybody."""
        limits = replace(fields.pop("limits", Limits()), sender_domains="any")
        account = self.store.accounts.create(name, limits=limits, **fields, **ME)
        server = self.store.servers.create(account.id, "app", **ME)
        made, secret = self.store.credentials.create_smtp_login(server.id, "test", **ME)
        return account, made.username, secret

    @contextmanager
    def encrypted(self, name=None, source="127.0.0.1"):
        """A session under TLS that has said EHLO."""
        port = self.ports[name] if name else self.node.smtp_port
        with smtplib.SMTP(
            "127.0.0.1", port, "client.test", source_address=(source, 0), timeout=PATIENCE_S
        ) as client:
            client.starttls(context=self.context())
            client.ehlo()
            yield client

    def context(self):
        return ssl.create_default_context(cafile=str(self.node.data / "tls/certificate.pem"))

    def log_in(self, client, user, secret, mechanism="PLAIN"):
        """Log in by one mechanism; return the code of the answer and its text."""
        client.user, client.password = user, secret
        method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
        try:
            return client.auth(mechanism, method)
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code, error.smtp_error

    def tries(self, user, secret, name=None, source="127.0.0.1"):
        """The code and enhanced code of one login in a session of its own."""
        with self.encrypted(name, source) as client:
            code, text = self.log_in(client, user, secret)
        return code, text.split()[0].decode()


@pytest.fixture(scope="module")
def service(shared_lab):
    made = Service(shared_lab.sink())
    with made.node:
        yield made


# -- who is let in


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_smtplib_logs_in_and_sends_anywhere(service, mechanism):
    made, secret = service.login()
    recipient = f"{mechanism.lower()}@far.test"
    with service.encrypted() as client:
        assert service.log_in(client, made.username, secret, mechanism)[0] == 235
        submit_over(client, "a@far.test", [recipient], TEXT)
    received = service.sink.wait_for_mail_to(recipient)[0].data.partition(b"\r\nDate:")[0]
    assert b"with ESMTPSA (TLSv1.3 " in received


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "DIGEST-MD5"])
@pytest.mark.peer
def test_swaks_logs_in(service, mechanism):
    made, secret = service.login()
    with tempfile.NamedTemporaryFile("w", suffix=".swaks") as settings:
        settings.write(
            f"--server 127.0.0.1:{service.node.smtp_port}\n--tls\n--auth {mechanism}\n"
            f"--auth-user {made.username}\n--auth-password {secret}\n"
            f"--from a@far.test\n--to swaks-{mechanism.lower()}@far.test\n"
        )
        settings.flush()
        done = subprocess.run(
            ["swaks", "--config", settings.name], capture_output=True, text=True, timeout=PATIENCE_S
        )
    assert done.returncode == 0, done.stdout
    assert service.sink.wait_for_mail_to(f"swaks-{mechanism.lower()}@far.test")


def test_every_form_of_identity_is_let_in(service):
    store, server = service.store, service.server
    _, token = store.credentials.create_server_token(server.id, **ME)
    access, secret = store.credentials.create_smtp_token(server.id, "outbound", **ME)
    _, key = store.credentials.create_api_key(service.account.id, "key", [SEND_GRANT], **ME)
    store.people.create(service.account.id, "ann@acme.test", "Ann", "correct horse battery", **ME)
    for user, password in (
        (token, token),
        (access.username, secret),
        ("SMTP_Injection", key),
        (f"SMTP_Injection:X-MSYS-SUBACCOUNT={service.account.id}", key),
        ("ann@acme.test", "correct horse battery"),
    ):
        assert service.tries(user, password) == (235, "2.7.0"), user


def test_everybody_else_gets_one_and_the_same_answer(service):
    made, secret = service.login()
    disabled, its_secret = service.login()
    service.store.credentials.change(disabled.id, enabled=False, **ME)
    expired, old_secret = service.login(expires_at=time.time() + 0.001)
    elsewhere, far_secret = service.login(networks=("192.0.2.0/24",))
    _, key = service.store.credentials.create_api_key(
        service.account.id, "no grant", ["templates/view"], **ME
    )
    answers = set()
    for user, password in (
        (made.username, "wrong"),
        ("nobody", secret),
        (disabled.username, its_secret),
        (expired.username, old_secret),
        (elsewhere.username, far_secret),
        ("SMTP_Injection", key),
        ("ann@nowhere.test", "x"),
    ):
        with service.encrypted() as client:
            answers.add(service.log_in(client, user, password))
    assert len(answers) == 1
    assert answers.pop()[1].startswith(b"5.7.8 authentication failed: check ")
    for reason in ("wrong", "unknown", "disabled", "expired", "network", "grant"):
        service.node.wait_for_event("auth_failed", reason=reason)


def test_nothing_of_a_secret_is_in_the_log(service):
    made, secret = service.login()
    service.tries(made.username, secret)
    service.tries(secret, secret)
    service.tries(made.username, f"{secret}!")
    service.node.program.wait_for(f'"login":"login {made.id} ')
    assert secret not in service.node.program.log


# -- when


def test_passwords_in_clear_text_are_refused_unless_an_option_says_otherwise(service):
    made, secret = service.login()
    plain = "PLAIN " + base64.b64encode(f"\0{made.username}\0{secret}".encode()).decode()
    for port, code in ((service.node.smtp_port, 538), (service.ports["clear"], 235)):
        with smtplib.SMTP("127.0.0.1", port, "client.test") as client:
            client.ehlo()
            assert client.docmd("AUTH", plain)[0] == code


def test_logging_in_is_for_once_and_before_the_mail(service):
    made, secret = service.login()
    with service.encrypted(source="127.0.0.9") as client:
        client.mail("a@far.test")
        assert client.docmd("AUTH", "LOGIN")[0] == 503
        client.rset()
        assert service.log_in(client, made.username, secret)[0] == 235
        assert client.docmd("AUTH", "LOGIN")[0] == 503


def test_where_it_is_required_relay_hosts_log_in_too(service):
    made, secret = service.login()
    with service.encrypted("strict") as client:
        assert client.mail("a@far.test")[0] == 530
        assert service.log_in(client, made.username, secret)[0] == 235
        assert client.mail("a@far.test")[0] == 250


def test_without_a_login_mail_is_for_relay_hosts(service):
    with service.encrypted() as client:
        client.mail("a@far.test")
        code, text = client.rcpt("b@far.test")
        assert (code, text[:20]) == (550, b"5.7.1 relaying denie")
        assert b"log in" in text


# -- what becomes of a session when the login goes


def refused_soon(service, client):
    """Send messages until one is refused; return how long that took, and the answer."""
    with Pulse() as pulse:
        while pulse.seconds < PATIENCE_S:
            try:
                submit_over(client, "a@far.test", ["until@far.test"], TEXT)
            except smtplib.SMTPResponseException as error:
                return pulse.seconds, error.smtp_code, error.smtp_error
    raise AssertionError(f"a login that is no more sent mail for {PATIENCE_S:.0f} seconds")


def test_a_revoked_login_is_refused_within_a_second_in_open_sessions_and_in_new_ones(service):
    made, secret = service.login()
    with service.encrypted() as client:
        assert service.log_in(client, made.username, secret)[0] == 235
        assert client.mail("a@far.test")[0] == 250
        client.rset()
        service.store.credentials.delete(made.id, **ME)
        took, code, text = refused_soon(service, client)
        assert took < WITHIN_S
        assert (code, text[:6]) == (535, b"5.7.8 "), text
        assert client.noop()[0] == 421
    assert service.tries(made.username, secret) == (535, "5.7.8")


def test_a_suspended_account_sends_nothing_more(service):
    account, user, secret = service.other_account("late payers")
    with service.encrypted() as client:
        assert service.log_in(client, user, secret)[0] == 235
        service.store.accounts.change(account.id, suspended=True, **ME)
        _, code, text = refused_soon(service, client)
        assert (code, b"late payers is suspended" in text) == (535, True)
        assert client.noop()[0] == 421
    assert service.tries(user, secret) == (535, "5.7.8")


def test_while_the_store_is_out_of_reach_nobody_gets_in_and_who_is_in_has_to_wait(service):
    made, secret = service.login()
    store = sqlite3.connect(service.node.data / "identity" / "identity.db", isolation_level=None)
    with service.encrypted() as client:
        assert service.log_in(client, made.username, secret)[0] == 235
        store.execute("ALTER TABLE generation RENAME TO gone")
        try:
            _, code, text = refused_soon(service, client)
            assert (code, text[:6]) == (454, b"4.7.0 ")
            assert service.tries(made.username, secret) == (454, "4.7.0")
        finally:
            store.execute("ALTER TABLE gone RENAME TO generation")
            store.close()
        client.rset()
        service.node.program.wait_until(lambda: client.mail("a@far.test")[0] == 250, "the store to answer")
    assert service.tries(made.username, secret) == (235, "2.7.0")


# -- how much


def begin(service, client):
    """Begin a message. On a busy machine a worker may not have heard from the store lately, and says 454."""
    service.node.program.wait_until(lambda: client.mail("a@far.test")[0] == 250, "a message to begin")


def test_limits_of_the_account_hold(service):
    limits = Limits(max_recipients=2, max_message_size=10_000, rate=Rate(3, 3600))
    _, user, secret = service.other_account("small", limits=limits)
    with service.encrypted() as client:
        service.log_in(client, user, secret)
        assert client.mail("a@far.test", ["SIZE=10001"])[0] == 552
        begin(service, client)
        assert [client.rcpt(f"small{n}@far.test")[0] for n in range(3)] == [250, 250, 452]
        assert client.data(TEXT)[0] == 250
        begin(service, client)
        assert client.rcpt("small3@far.test")[0] == 250
        code, answer = client.rcpt("small4@far.test")
        assert (code, answer[:6]) == (450, b"4.7.1 ")
        assert b"account small may send to 3 recipients a hour" in answer.replace(b"an hour", b"a hour")
        assert b"send again after 20" in answer
        client.rset()  # the third is given back
        begin(service, client)
        assert client.rcpt("small3@far.test")[0] == 250
        assert client.data(TEXT + b"x" * 10_000)[0] == 552


# -- who guesses


def test_guessing_is_answered_slowly(service):
    made, _ = service.login()
    with service.encrypted("slow", "127.0.0.21") as client:
        began = time.monotonic()
        assert service.log_in(client, made.username, "guess")[0] == 535
        first = time.monotonic()
        assert service.log_in(client, made.username, "guess again")[0] == 535
        assert first - began >= 1
        assert time.monotonic() - first >= 2
        code, text = service.log_in(client, made.username, "and again")
        assert (code, text[:6]) == (421, b"4.7.0 ")


def test_guessing_is_blocked_in_all_workers(service):
    victim, secret = service.login()
    guesser = "127.0.0.22"
    for _ in range(4):
        assert service.tries(victim.username, "guess", "guarded", guesser) == (535, "5.7.8")
    # Sessions are spread over both workers: that all of them refuse shows that each has heard of it.
    service.node.program.wait_until(
        lambda: all(service.tries("other", "x", "guarded", guesser)[0] == 421 for _ in range(4)), "a block"
    )
    with service.encrypted("guarded", guesser) as client:
        code, text = service.log_in(client, "other", "x")
        assert (code, b"too many failed logins; come back after 20" in text) == (421, True)
    service.node.program.wait_for('"reason":"blocked"')
    # who knows the password is let in elsewhere all the same, if later
    assert service.tries(victim.username, secret, "guarded", "127.0.0.23") == (235, "2.7.0")
    bystander, its_secret = service.login()
    assert service.tries(bystander.username, its_secret, "guarded", "127.0.0.23") == (235, "2.7.0")


# -- on whose behalf


def test_a_proxy_that_is_trusted_names_its_client(shared_lab):
    sink = shared_lab.sink()
    config = (
        f'XCLIENT_Hosts = ( 127.0.0.31 )\nRelay_Hosts = ( 127.0.0.9 )\nRoutes = ( "127.0.0.1:{sink.port}" )\n'
    )
    with Node(config, workers=1) as node:
        for source, offered in (("127.0.0.31", True), ("127.0.0.32", False)):
            with smtplib.SMTP(
                "127.0.0.1", node.smtp_port, "proxy.test", source_address=(source, 0)
            ) as client:
                client.ehlo()
                assert client.has_extn("xclient") is offered
                code = client.docmd("XCLIENT", "ADDR=127.0.0.9 PORT=4711 HELO=behind.test")[0]
                assert code == (220 if offered else 550)
                client.ehlo()
                assert not client.has_extn("xclient")  # not for those who were introduced
                if offered:
                    submit_over(client, "a@far.test", ["xclient@far.test"])
        received = sink.wait_for_mail_to("xclient@far.test")[0].data
        assert received.startswith(b"Received: from behind.test ([127.0.0.9])")
        node.program.wait_for('"via":"127.0.0.31:')
        story = json.loads(node.program.wait_for(r'\{.*"event":"received".*')[0][0])
        assert story["peer"] == "127.0.0.9:4711"


def test_the_store_and_its_key_are_for_the_node_alone(service):
    for path in (service.node.data / "identity").iterdir():
        assert not Path(path).stat().st_mode & 0o077, path
