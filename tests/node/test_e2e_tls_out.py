"""The whole program sending encrypted: what peers see, what the log and `angarium message` say, and what waits."""

from types import SimpleNamespace

import pytest

from angarium.cli.client import ControlClient
from angarium.testing.authority import CertificateAuthority
from angarium.testing.lab import submit
from angarium.testing.node import Node
from angarium.testing.programs import free_port

pytestmark = pytest.mark.process

PASSWORD = "correct-horse-battery"
ZONE = """
mx1.test A 127.0.0.1
mx2.test A 127.0.0.2
plain.test A 127.0.0.3
broken.test A 127.0.0.4
relay.test A 127.0.0.5

good.test MX 10 mx1.test
large.test MX 10 mx1.test
twin.test MX 10 mx1.test
strict.test MX 10 mx1.test
misnamed.test MX 10 mx2.test
looked.test MX 10 mx2.test
clear.test MX 10 plain.test
required.test MX 10 plain.test
second.test MX 10 plain.test
second.test MX 20 mx1.test
fallen.test MX 10 broken.test
nofile.test MX 10 mx1.test
sibling.test MX 10 mx1.test
"""
CONFIG = """
Hostname = node.test
DNS_Servers = ( "{dns}" )
Remote_SMTP_Port = {port}
Host_Failure_Retry = 0
Idle_Timeout = 0
Retry_Interval = 1000
TLS_CA = "{ca}"

Domain "strict.test" {{ TLS = required TLS_Verify = host }}
Domain "misnamed.test" {{ TLS = required TLS_Verify = host }}
Domain "looked.test" {{ TLS_Verify = optional }}
Domain "required.test" {{ TLS = required }}
Domain "second.test" {{ TLS = required }}
Domain "nofile.test" {{ TLS = required TLS_Certificate = "/nowhere/ours.pem" }}
Domain "relayed.test" {{ Gateway = "relay.test" }}
Domain "relay.test" {{
  TLS = required
  TLS_Verify = host
  XCLIENT = required
  Outbound_SMTP_AUTH_Type = SCRAM-SHA-256
  Outbound_SMTP_AUTH_User = "me"
  Outbound_SMTP_AUTH_Pass = "{password}"
}}
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def peers(shared_lab, authority):
    hosts = [f"127.0.0.{number}" for number in range(1, 6)]
    port = free_port(*hosts)
    mx1, mx2, relay = (authority.issue(name) for name in ("mx1.test", "mx.elsewhere.test", "relay.test"))
    scripts = {
        "mx1": f"tls starttls\ncertificate {mx1.both}",
        "mx2": f"tls starttls\ncertificate {mx2.both}",
        "plain": "",
        "broken": "tls starttls\non handshake: close",
        "relay": f"tls starttls\ncertificate {relay.both}\nlogin me {PASSWORD}\n"
        "offer AUTH SCRAM-SHA-256 PLAIN\noffer XCLIENT ADDR PORT PROTO HELO LOGIN",
    }
    sinks = {
        name: shared_lab.sink(script, host=host, port=port)
        for (name, script), host in zip(scripts.items(), hosts, strict=True)
    }
    return SimpleNamespace(dns=shared_lab.dns(ZONE), port=port, **sinks)


@pytest.fixture(scope="module")
def node(peers, authority):
    config = CONFIG.format(dns=peers.dns.address, port=peers.port, ca=authority.file, password=PASSWORD)
    with Node(config, workers=1) as running:
        yield running


@pytest.fixture
def send(node):
    return lambda domain: submit(node.smtp_port, "me@from.test", [f"you@{domain}"])


@pytest.fixture
def attempt(node, ask):
    """The last attempt at a message that was delivered, as the operator sees it."""

    def seen(message):
        node.program.wait_for(f'"delivered".*{message}')
        return ask(node, "message", id=message)["events"][-1]["attempt"]

    return seen


def test_mail_is_encrypted_and_the_attempt_says_how(send, peers, attempt):
    message = send("good.test")
    [seen] = peers.mx1.wait_for_mail_to("you@good.test")
    assert seen.tls.startswith("TLSv1.3 ")
    shown = attempt(message)
    assert shown["tls"] == seen.tls
    assert shown["tls_facts"]["names"] == ["mx1.test"]


def test_a_message_too_large_for_memory_is_encrypted_as_well(node, peers):
    text = b"Subject: large\r\n\r\n" + b"".join(b"%06d %s\r\n" % (line, b"x" * 70) for line in range(40_000))
    submit(node.smtp_port, "me@from.test", ["you@large.test"], text)
    [seen] = peers.mx1.wait_for_mail_to("you@large.test")
    assert seen.tls.startswith("TLSv1.3 ")
    assert seen.data.endswith(text.partition(b"\r\n\r\n")[2])


def test_the_next_connection_resumes_the_session(send, peers):
    for count in (1, 2):
        send("twin.test")
        peers.mx1.wait_for_mail_to("you@twin.test", count)
    assert peers.mx1.to("you@twin.test")[1].resumed


def test_a_certificate_that_proves_the_host_will_do(send, peers):
    send("strict.test")
    assert peers.mx1.wait_for_mail_to("you@strict.test")[0].tls


def test_mail_for_a_host_with_another_certificate_waits_and_says_why(node, send, peers, queue_row):
    send("misnamed.test")
    row = queue_row(node, "misnamed.test", lambda row: row and row["delayed"] == 1)
    assert row["last_reply"].startswith("451 4.7.5 [internal] TLS negotiation failed: ")
    assert "for mx2.test or misnamed.test but for mx.elsewhere.test" in row["last_reply"]
    assert peers.mx2.to("you@misnamed.test") == []


def test_where_it_is_only_looked_at_the_mail_goes(send, peers):
    send("looked.test")
    assert peers.mx2.wait_for_mail_to("you@looked.test")[0].tls


def test_without_an_offer_the_mail_goes_in_clear_text_or_waits(node, send, peers, queue_row):
    send("clear.test")
    assert peers.plain.wait_for_mail_to("you@clear.test")[0].tls == ""
    send("required.test")
    row = queue_row(node, "required.test", lambda row: row and row["delayed"] == 1)
    assert row["last_reply"] == "451 4.7.6 [internal] STARTTLS required but not advertised"
    assert peers.plain.to("you@required.test") == []


def test_another_host_may_encrypt_where_the_best_does_not(send, peers):
    send("second.test")
    assert peers.mx1.wait_for_mail_to("you@second.test")[0].tls


def test_a_broken_handshake_costs_one_connection_and_no_attempt(node, send, peers, attempt):
    for count in (1, 2):
        message = send("fallen.test")
        peers.broken.wait_for_mail_to("you@fallen.test", count)
        shown = attempt(message)
        assert shown["tls"] == ""
        assert shown["tls_facts"]["problem"].startswith("sent in clear text: TLS negotiation failed: ")
    [retried] = node.wait_for_event("connection", domain="fallen.test")
    assert (retried["result"], retried["stage"]) == ("retried", "tls")
    assert retried["reply"].startswith("451 4.7.5 [internal] TLS negotiation failed: ")
    delivered = node.wait_for_event("delivered", 2, domain="fallen.test")
    assert [line["attempts"] for line in delivered] == [1, 1]
    assert peers.broken.counters.connections == 3


def test_a_file_of_ours_that_is_missing_holds_the_mail_and_is_named_in_the_log(node, send, queue_row):
    send("nofile.test")
    row = queue_row(node, "nofile.test", lambda row: row and row["delayed"] == 1)
    wanted = "TLS_Certificate cannot be read: no such file or directory"
    assert row["last_reply"] == f"451 4.7.5 [internal] {wanted}"
    at_start, error = node.wait_for_event("tls", 2, level="error")
    assert at_start["error"].endswith(f": {wanted} (/nowhere/ours.pem)")
    assert (error["path"], error["error"]) == ("/nowhere/ours.pem", wanted)


def test_a_relay_is_logged_in_to_and_told_of_the_client(node, send, peers):
    with ControlClient(node.data) as client:
        shown = client.stream("trace", {"domain": "relay.test"}, kind=dict)
        assert next(shown)["tracing"]
        send("relayed.test")
        said = []
        for item in shown:
            said.append(item["line"])
            if item["line"].startswith("MAIL FROM"):
                break
    [seen] = peers.relay.wait_for_mail_to("you@relayed.test")
    assert (seen.login, seen.tls != "") == ("me", True)
    told = dict(seen.xclient)
    assert (told["ADDR"], told["HELO"], told["PROTO"]) == ("127.0.0.1", "client.test", "ESMTP")
    assert said.count("AUTH SCRAM-SHA-256 ***") == 2  # again after XCLIENT
    assert said.count("***") >= 2
    assert PASSWORD not in " ".join(said)
    assert PASSWORD not in node.program.log
