"""Payload connections that log in, and that say whom they speak for, each against the sink."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from angarium.config.records import OutboundOptions
from angarium.config.values import Secret
from angarium.core.address import Address
from angarium.core.records import Origin
from angarium.testing.authority import CertificateAuthority, Issued
from angarium.testing.caller import OutboundCaller, a_message, run_on
from angarium.testing.sink import Sink

PASSWORD = "pa ss=wörd"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2")
RELAY = f"""
hostname relay.test
tls starttls
offer AUTH {" ".join(MECHANISMS)}
login me {PASSWORD}
"""


def logging_in(mechanism: str, password: str = PASSWORD, **more: object) -> OutboundOptions:
    options = OutboundOptions(
        outbound_smtp_auth_user="me",
        outbound_smtp_auth_pass=Secret(password),
        outbound_smtp_auth_unverified=True,  # the sink made its certificate itself
    )
    return replace(options, outbound_smtp_auth_type=mechanism, **more)  # type: ignore[arg-type]


def call(options: OutboundOptions, script: str = RELAY) -> tuple[OutboundCaller, Sink]:
    """Send one message, or fail to; return who did and who took it."""

    async def work() -> tuple[OutboundCaller, Sink]:
        async with Sink(script) as sink:
            caller = OutboundCaller(Address("relay.test", *sink.address), options)
            connection = await caller.call()
            if connection is not None:
                connection.quit()
            return caller, sink

    return run_on("uvloop", work())


def problem(caller: OutboundCaller) -> str:
    [failure] = caller.failures
    return f"{failure.fault}, {failure.attempt.stage}: {failure.reply}"


# -- AUTH


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_we_log_in_by_every_mechanism(mechanism: str) -> None:
    caller, sink = call(logging_in(mechanism))
    assert (sink.messages[0].login, sink.messages[0].tls != "") == ("me", True)
    assert "auth" in dict(caller.results[0].attempt.timings)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_holds_the_mail_for_the_whole_destination(mechanism: str) -> None:
    caller, sink = call(logging_in(mechanism, "guessed"))
    assert problem(caller) == "host, auth: 535 5.7.8 authentication failed"
    assert sink.messages == []


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("password", [PASSWORD, "guessed password"])
def test_a_transcript_shows_that_we_log_in_and_not_with_what(mechanism: str, password: str) -> None:
    caller, _ = call(logging_in(mechanism, password))
    [begun] = [line for line in caller.said("C") if line.startswith("AUTH")]
    assert begun in (f"AUTH {mechanism}", f"AUTH {mechanism} ***")
    assert "***" in " ".join(caller.said("C"))
    assert password not in " ".join(caller.lines)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize(
    "script",
    [
        "offer AUTH PLAIN LOGIN XOAUTH2",
        RELAY + "on starttls: reply 454 4.7.0 no",
        RELAY + "on handshake: close",
    ],
    ids=["not offered", "refused", "broken"],
)
def test_a_password_never_goes_in_clear_text(mechanism: str, script: str) -> None:
    caller, sink = call(logging_in(mechanism), script)
    assert sink.messages == []
    assert not [line for line in caller.said("C") if line.startswith("AUTH")]
    assert caller.failures[0].reply.enhanced in ("4.7.11", "4.7.5")
    assert (caller.failures[0].reply.code, caller.failures[0].fault) == (451, "address")


# -- who the peer is


def certified(issued: Issued) -> str:
    return f"""
hostname relay.test
tls starttls
certificate {issued.both}
offer AUTH {" ".join(MECHANISMS)}
login me {PASSWORD}
"""


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("verify", ["no", "optional", "ca", "host"])
def test_a_password_is_shown_to_a_relay_that_proves_its_name(
    tmp_path: Path, mechanism: str, verify: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    verified = {"outbound_smtp_auth_unverified": False, "tls_verify": verify, "tls_ca": authority.file}
    caller, sink = call(logging_in(mechanism, **verified), certified(authority.issue("relay.test")))
    assert (caller.failures, sink.messages[0].login) == ([], "me")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("verify", ["no", "optional", "host"])
@pytest.mark.parametrize("certificate", ["of a stranger", "for another name"])
def test_a_password_is_not_shown_to_whoever_answers_in_its_place(
    tmp_path: Path, mechanism: str, verify: str, certificate: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    verified = {"outbound_smtp_auth_unverified": False, "tls_verify": verify, "tls_ca": authority.file}
    script = RELAY if certificate == "of a stranger" else certified(authority.issue("other.test"))
    caller, sink = call(logging_in(mechanism, **verified), script)
    assert sink.messages == []
    assert not [line for line in caller.said("C") if line.startswith("AUTH")]
    assert problem(caller).startswith(
        "address, tls: 451 4.7.5 [internal] TLS negotiation failed: the certificate "
    )
    assert problem(caller).endswith(
        "; the password is not shown to it (TLS_CA, Outbound_SMTP_AUTH_Unverified)"
    )


def test_scram_shows_nothing_and_asks_nothing() -> None:
    assert call(logging_in("SCRAM-SHA-256", outbound_smtp_auth_unverified=False))[1].messages[0].login == "me"


def test_a_mechanism_that_hides_it_may() -> None:
    script = f"offer AUTH CRAM-MD5\nlogin me {PASSWORD}"
    assert call(logging_in("CRAM-MD5"), script)[1].messages[0].login == "me"


def test_a_token_is_read_from_its_file_for_each_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    options = replace(logging_in("XOAUTH2"), outbound_smtp_auth_pass=None, outbound_smtp_auth_pass_file=file)

    async def work() -> None:
        async with Sink(RELAY) as sink:
            caller = OutboundCaller(Address("relay.test", *sink.address), options)
            await caller.call()
            assert problem(caller) == (
                "site, connect: 451 4.7.0 [internal] Outbound_SMTP_AUTH_Pass_File cannot be read: "
                "no such file or directory"
            )
            await asyncio.to_thread(file.write_text, "outdated\n")
            await caller.call()
            assert str(caller.failures[1].reply) == "535 5.7.8 authentication failed"
            await asyncio.to_thread(file.write_text, f"{PASSWORD}\n")
            await caller.call()
            assert sink.messages[0].login == "me"

    run_on("uvloop", work())


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_with_something_else_than_one_line_will_not_do(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    options = replace(logging_in("PLAIN"), outbound_smtp_auth_pass=None, outbound_smtp_auth_pass_file=file)
    caller, _ = call(options)
    assert "Outbound_SMTP_AUTH_Pass_File must hold one line of UTF-8, the password" in problem(caller)
    assert str(file) not in problem(caller)


@pytest.mark.parametrize("name", ["outbound_smtp_auth_user", "outbound_smtp_auth_pass"])
def test_a_login_that_is_not_complete_says_what_is_missing(name: str) -> None:
    caller, sink = call(replace(logging_in("PLAIN"), **{name: None}))
    assert f"{name.removeprefix('outbound_smtp_auth_').title()} is not set" in problem(caller)
    assert sink.counters.connections == 0


# -- XCLIENT


def introducing(
    *messages: tuple[int, Origin, int], script: str = "", **more: object
) -> tuple[OutboundCaller, Sink]:
    """Hand messages over one connection, each with its origin and account."""
    options = replace(OutboundOptions(xclient="ifavailable", ehlo_hostname="node.test"), **more)  # type: ignore[arg-type]
    script = script or "offer XCLIENT NAME ADDR PORT PROTO HELO LOGIN"

    async def work() -> tuple[OutboundCaller, Sink]:
        async with Sink(script) as sink:
            caller = OutboundCaller(Address("relay.test", *sink.address), options)
            await caller.call(*(a_message(*each) for each in messages))
            return caller, sink

    return run_on("uvloop", work())


SOMEBODY = Origin(listener="default", peer="192.0.2.7:4711", helo="app.test", protocol="ESMTP")
SIX = Origin(listener="default", peer="[2001:db8::7]:4712", helo="six.test", protocol="SMTP")
CUSTOMER = Origin(listener="default", peer="192.0.2.8:4713", helo="shop.test", protocol="ESMTPSA")
OURS = Origin()


def test_the_peer_is_told_of_each_message_where_it_came_from() -> None:
    _, sink = introducing((1, SOMEBODY, 0), (2, SIX, 0), (3, CUSTOMER, 7))
    first, second, third = (dict(message.xclient) for message in sink.messages)
    assert first == {
        "NAME": "[UNAVAILABLE]",
        "ADDR": "192.0.2.7",
        "PORT": "4711",
        "PROTO": "ESMTP",
        "HELO": "app.test",
        "LOGIN": "[UNAVAILABLE]",
    }
    assert (second["ADDR"], second["PROTO"], second["HELO"]) == ("IPV6:2001:db8::7", "SMTP", "six.test")
    assert (third["ADDR"], third["LOGIN"]) == ("192.0.2.8", "account-7")
    assert {message.session for message in sink.messages} == {1}


def test_mail_made_here_comes_from_us() -> None:
    _, sink = introducing((1, SOMEBODY, 0), (2, OURS, 0))
    ours = dict(sink.messages[1].xclient)
    assert (ours["ADDR"], ours["HELO"], ours["LOGIN"]) == ("127.0.0.1", "node.test", "[UNAVAILABLE]")


def test_the_same_client_is_announced_once() -> None:
    caller, sink = introducing((1, SOMEBODY, 0), (2, SOMEBODY, 0), (3, CUSTOMER, 0))
    assert len([line for line in caller.said("C") if line.startswith("XCLIENT")]) == 2
    assert len(sink.messages) == 3


def test_only_what_the_peer_asks_for_is_said() -> None:
    _, sink = introducing((1, SOMEBODY, 0), script="offer XCLIENT ADDR DESTADDR")
    assert sink.messages[0].xclient == (("ADDR", "192.0.2.7"),)


def test_a_login_is_made_again_after_each_xclient() -> None:
    script = RELAY + "offer XCLIENT ADDR HELO"
    options = logging_in("SCRAM-SHA-256", xclient="required")

    async def work() -> None:
        async with Sink(script) as sink:
            caller = OutboundCaller(Address("relay.test", *sink.address), options)
            await caller.call(a_message(1, SOMEBODY), a_message(2, CUSTOMER))
            assert [message.login for message in sink.messages] == ["me", "me"]
            assert [dict(message.xclient)["ADDR"] for message in sink.messages] == ["192.0.2.7", "192.0.2.8"]
            assert sink.counters.handshakes == 1

    run_on("uvloop", work())


def test_without_xclient_nobody_is_told_anything() -> None:
    _, sink = introducing((1, SOMEBODY, 0), xclient="no")
    assert sink.messages[0].xclient == ()


def test_a_peer_that_does_not_trust_us_gets_the_mail_only_if_it_need_not_know() -> None:
    script = "offer XCLIENT ADDR\non xclient: reply 550 5.7.0 not you"
    _, sink = introducing((1, SOMEBODY, 0), script=script)
    assert len(sink.messages) == 1
    caller, sink = introducing((1, SOMEBODY, 0), script=script, xclient="required")
    [result] = caller.results
    assert (result.verdict, result.reply.enhanced, sink.messages) == ("transient", "4.7.6", [])
