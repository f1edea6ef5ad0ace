"""The sink's encryption, logins and XCLIENT, met by Python's smtplib, which was not written here."""

import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.testing.authority import CertificateAuthority
from angarium.testing.lab import Lab, LabSink, submit_over
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink.script import ScriptError, parse_script

LOGINS = "offer AUTH PLAIN LOGIN CRAM-MD5\nlogin me secret word\n"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(sink: LabSink) -> smtplib.SMTP:
    return smtplib.SMTP(sink.host, sink.port, "client.test", timeout=PATIENCE_S)


def test_a_message_behind_starttls_says_how_it_came(lab: Lab) -> None:
    sink = lab.sink("tls starttls")
    with connect(sink) as client:
        client.starttls(context=unchecked())
        client.ehlo()
        assert not client.has_extn("starttls")
        submit_over(client, "me@x.test", ["you@y.test"])
    [message] = sink.wait_for_messages(1)
    assert message.tls.startswith("TLSv1.3 ")
    assert (message.resumed, message.login, message.xclient) == (False, "", ())
    assert sink.counters.handshakes == 1


def test_encryption_from_the_first_byte(lab: Lab) -> None:
    sink = lab.sink("tls implicit")
    with smtplib.SMTP_SSL(
        sink.host, sink.port, "client.test", timeout=PATIENCE_S, context=unchecked()
    ) as client:
        submit_over(client, "me@x.test", ["you@y.test"])
    assert sink.wait_for_messages(1)[0].tls.startswith("TLSv1.3 ")


def test_a_certificate_is_shown_as_the_script_says(lab: Lab, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue("127.0.0.1")
    sink = lab.sink(f"tls starttls\ncertificate {issued.certificate} {issued.key}")
    with connect(sink) as client:
        client.starttls(context=ssl.create_default_context(cafile=authority.file))


def test_a_handshake_that_fails_is_counted(lab: Lab) -> None:
    sink = lab.sink("tls starttls")
    with pytest.raises(ssl.SSLCertVerificationError), connect(sink) as client:
        client.starttls(context=ssl.create_default_context())
    sink.wait_for(lambda: sink.counters.failed_handshakes == 1)


@pytest.mark.parametrize("rule", ["on starttls: close", "on handshake: close"])
def test_a_script_spoils_the_handshake(lab: Lab, rule: str) -> None:
    sink = lab.sink(f"tls starttls\n{rule}")
    client = connect(sink)
    with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
        client.starttls(context=unchecked())
    client.close()


def test_starttls_can_be_refused(lab: Lab) -> None:
    with connect(lab.sink("tls starttls\non starttls: reply 454 4.7.0 not now")) as client:
        client.ehlo()
        assert client.docmd("STARTTLS")[0] == 454
        assert client.noop()[0] == 250


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_who_has_logged_in_is_noted(lab: Lab, mechanism: str) -> None:
    sink = lab.sink(f"offer AUTH {mechanism}\nlogin me secret word")
    with connect(sink) as client:
        client.login("me", "secret word")
        submit_over(client, "me@x.test", ["you@y.test"])
    assert sink.wait_for_messages(1)[0].login == "me"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_password_that_is_not_in_the_script_is_refused(lab: Lab, mechanism: str) -> None:
    sink = lab.sink(f"offer AUTH {mechanism}\nlogin me secret word")
    with connect(sink) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("me", "guessed")


def test_without_logins_in_the_script_every_password_will_do(lab: Lab) -> None:
    with connect(lab.sink("offer AUTH PLAIN")) as client:
        assert client.login("anybody", "anything")[0] == 235


def test_a_script_refuses_whom_it_wants(lab: Lab) -> None:
    sink = lab.sink(LOGINS + "on auth: reply 454 4.7.0 later")
    with connect(sink) as client, pytest.raises(smtplib.SMTPAuthenticationError, match="later"):
        client.login("me", "secret word")


def test_a_login_can_be_broken_off(lab: Lab) -> None:
    with connect(lab.sink(LOGINS)) as client:
        client.ehlo()
        assert client.docmd("AUTH", "LOGIN")[0] == 334
        assert client.docmd("*")[0] == 501
        assert client.docmd("AUTH", "PLAIN %")[0] == 501
        assert client.docmd("AUTH", "NTLM")[0] == 504
        assert client.noop()[0] == 250


def test_xclient_is_taken_over_and_the_session_begins_anew(lab: Lab) -> None:
    sink = lab.sink("offer XCLIENT ADDR HELO")
    with connect(sink) as client:
        client.ehlo()
        assert client.docmd("XCLIENT", "ADDR=192.0.2.7 HELO=a+2Bb")[0] == 220
        assert client.docmd("MAIL", "FROM:<me@x.test>")[0] == 503
        client.ehlo()
        submit_over(client, "me@x.test", ["you@y.test"])
        assert client.docmd("XCLIENT", "ADDR")[0] == 501
    assert dict(sink.wait_for_messages(1)[0].xclient) == {"ADDR": "192.0.2.7", "HELO": "a+b"}


def test_xclient_is_not_for_those_it_was_not_offered_to(lab: Lab) -> None:
    with connect(lab.sink()) as client:
        client.ehlo()
        assert client.docmd("XCLIENT", "ADDR=192.0.2.7")[0] == 503


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("tls", "tls is starttls or implicit"),
        ("tls on", "tls is starttls or implicit"),
        ("certificate", "certificate needs a file"),
        ("certificate a b c", "certificate needs a file"),
        ("login me", "login needs a user name and a password"),
    ],
)
def test_what_has_no_meaning_is_said(line: str, problem: str) -> None:
    with pytest.raises(ScriptError, match=problem):
        parse_script(line)
