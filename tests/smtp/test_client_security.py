"""What must not happen while a session is encrypted and logs in: nothing smuggled in, nothing secret shown."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.smtp.client.events import (
    ClientAuth,
    ClientEvent,
    ClientSettings,
    Closed,
    NeedTls,
    NotReady,
    Ready,
)
from angarium.smtp.client.machine import ClientMachine, LocalProtocolError
from angarium.smtp.sasl.client import client_exchange
from angarium.smtp.sasl.exchange import Challenge, NeedSecrets, Proved, Secrets
from angarium.smtp.sasl.scram import scram_verifier
from angarium.smtp.sasl.server import exchange_for

OFFER = b"220 peer\r\n250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 XOAUTH2\r\n"
ENCRYPTED_OFFER = b"250-peer\r\n250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 XOAUTH2\r\n"
PASSWORD = "correct horse battery"


def login(mechanism: str, password: str = PASSWORD) -> ClientAuth:
    return ClientAuth(
        mechanism=mechanism,
        begin=lambda: client_exchange(mechanism, "tim", password, "nonce"),
        secret=password,
    )


def at_starttls() -> ClientMachine:
    """A machine that has just said STARTTLS."""
    machine = ClientMachine(ClientSettings(ehlo_name="me", tls="ifavailable"))
    machine.start(0.0)
    machine.receive(OFFER, 0.0)
    assert b"".join(machine.take_output()).endswith(b"STARTTLS\r\n")
    return machine


def encrypted(auth: ClientAuth, lines: list[str] | None = None) -> ClientMachine:
    """A machine that has just said AUTH, encrypted."""

    def hear(direction: str, line: str) -> None:
        if lines is not None:
            lines.append(line)

    machine = ClientMachine(ClientSettings(ehlo_name="me", tls="required", auth=auth), hear)
    machine.start(0.0)
    machine.receive(OFFER + b"220 go\r\n", 0.0)
    machine.secured(0.0)
    machine.take_events()
    machine.take_output()
    machine.receive(ENCRYPTED_OFFER, 0.0)
    return machine


def said(machine: ClientMachine) -> str:
    return b"".join(machine.take_output()).decode()


def kinds(events: list[ClientEvent]) -> list[type]:
    return [type(event) for event in events]


# -- behind STARTTLS


@given(st.binary(min_size=1, max_size=80))
def test_whatever_comes_in_clear_text_with_the_go_ahead_ends_the_session(behind: bytes) -> None:
    machine = at_starttls()
    machine.receive(b"220 go ahead\r\n" + behind, 0.0)
    refusal, closed = machine.take_events()
    assert isinstance(refusal, NotReady)
    assert (refusal.reply.enhanced, refusal.stage, refusal.tls_failed) == ("4.7.5", "tls", False)
    assert isinstance(closed, Closed)
    assert said(machine) == ""


@given(st.binary(min_size=1, max_size=80))
def test_nor_is_it_believed_when_it_comes_before_the_handshake(behind: bytes) -> None:
    machine = at_starttls()
    machine.receive(b"220 go ahead\r\n", 0.0)
    machine.receive(behind, 0.0)
    wanted, refusal, closed = machine.take_events()
    assert isinstance(wanted, NeedTls)
    assert isinstance(refusal, NotReady)
    assert not refusal.tls_failed  # an attack is no reason to go on in clear text
    assert isinstance(closed, Closed)
    with pytest.raises(LocalProtocolError):
        machine.secured(0.0)


def test_an_unfinished_line_before_the_handshake_is_no_beginning_of_one_after_it() -> None:
    machine = at_starttls()
    machine.receive(b"220 go ahead\r\n250-we are", 0.0)
    assert kinds(machine.take_events()) == [NotReady, Closed]


def test_extensions_offered_in_clear_text_count_for_nothing_afterwards() -> None:
    machine = at_starttls()
    machine.receive(b"220 go ahead\r\n", 0.0)
    machine.secured(0.0)
    machine.receive(b"250 peer\r\n", 0.0)
    _, ready = machine.take_events()
    assert isinstance(ready, Ready)
    assert ready.extensions.auth == ()
    assert not ready.extensions.starttls


def test_a_handshake_is_made_when_it_is_wanted_and_at_no_other_time() -> None:
    machine = ClientMachine(ClientSettings(ehlo_name="me", tls="required"))
    machine.start(0.0)
    with pytest.raises(LocalProtocolError, match="at banner"):
        machine.secured(0.0)
    with pytest.raises(LocalProtocolError, match="at banner"):
        machine.tls_failed("why not", 0.0)


# -- logging in


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
def test_the_transcript_of_a_login_has_no_secret(mechanism: str) -> None:
    lines: list[str] = []
    machine = encrypted(login(mechanism), lines)
    sent = said(machine)
    while "235" not in lines[-1]:
        waiting = mechanism == "LOGIN" and len(lines) < 12
        machine.receive(b"334 VXNlcm5hbWU6\r\n" if waiting else b"235 2.7.0 welcome\r\n", 0.0)
        sent += said(machine)
    assert f"AUTH {mechanism}" in " ".join(lines)
    shown = " ".join(lines)
    assert "***" in shown
    tokens = [word for line in sent.splitlines() for word in line.split() if word not in ("AUTH", mechanism)]
    assert tokens
    assert not [token for token in tokens if token in shown]
    assert PASSWORD not in shown


def test_records_of_a_login_do_not_show_it() -> None:
    auth = login("PLAIN")
    settings = ClientSettings(ehlo_name="me", auth=auth)
    assert PASSWORD not in f"{auth} {settings!r}"


def test_an_initial_response_too_long_for_a_command_waits_until_it_is_asked_for() -> None:
    machine = encrypted(login("PLAIN", "x" * 500))
    assert said(machine) == "AUTH PLAIN\r\n"
    machine.receive(b"334 \r\n", 0.0)
    assert len(said(machine)) > 512
    machine.receive(b"235 2.7.0 welcome\r\n", 0.0)
    assert kinds(machine.take_events()) == [Ready]


def test_a_peer_that_asks_without_end_is_left() -> None:
    machine = encrypted(login("XOAUTH2"))
    answers = []
    for _ in range(20):
        machine.receive(b"334 e30=\r\n", 0.0)
        answers.append(said(machine))
    assert "*\r\n" in answers
    machine.receive(b"501 5.7.0 cancelled\r\n", 0.0)
    [refusal, _] = machine.take_events()
    assert isinstance(refusal, NotReady)
    assert refusal.reply.code == 454


@given(password=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=40))
def test_scram_lets_both_know_that_the_other_has_the_password(password: str) -> None:
    machine = encrypted(login("SCRAM-SHA-256", password))
    server = exchange_for("SCRAM-SHA-256", "peer", "serverNonce", 0.0)
    line = said(machine).removesuffix("\r\n").removeprefix("AUTH SCRAM-SHA-256 ")
    step = server.start(_decoded(line))
    while not isinstance(step, Proved):
        if isinstance(step, NeedSecrets):
            step = server.supply(Secrets(scram=scram_verifier(password, b"salt salt")))
        else:
            assert isinstance(step, Challenge)
            machine.receive(b"334 " + _encoded(step.data) + b"\r\n", 0.0)
            step = server.respond(_decoded(said(machine).removesuffix("\r\n")))
    machine.receive(b"235 2.7.0 welcome\r\n", 0.0)
    assert kinds(machine.take_events()) == [Ready]


def _decoded(text: str) -> bytes:
    return b64decode(text)


def _encoded(data: bytes) -> bytes:
    return b64encode(data)
