"""AUTH and STARTTLS: what the shell sees, limits, and that no bytes whatever let anybody in."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.smtp.server.exchange import MAX_RESPONSE_LINE
from angarium.smtp.server.options import ServerLimits, ServerOptions
from angarium.testing.server_peer import ServerPeer

ALL = "option auth SCRAM-SHA-256 DIGEST-MD5 CRAM-MD5 PLAIN LOGIN"
PLAIN = b64encode(b"\0alice\0secret")
LET_PIPELINE = "option refuse_unauthorised_pipelining false"


def greeted(*options: str) -> ServerPeer:
    peer = ServerPeer(ALL, "user alice secret", *options)
    said(peer, b"EHLO client.example\r\n")
    return peer


def said(peer: ServerPeer, data: bytes) -> bytes:
    peer.send(data)
    return peer.take_output()


@pytest.mark.parametrize(
    ("size", "code"), [(4000, b"501"), (MAX_RESPONSE_LINE - 14, b"501"), (12_288, b"500 5.5.6")]
)
def test_an_initial_response_may_be_longer_than_other_commands(size: int, code: bytes) -> None:
    peer = greeted()
    line = b"AUTH PLAIN " + b"YWJj" * (size // 4)
    assert said(peer, line + b"\r\n").startswith(code)
    assert said(peer, b"NOOP " + b"x" * 4000 + b"\r\n").startswith(b"500 5.5.2")
    assert said(peer, b"AUTH PLAIN " + PLAIN + b"\r\n").startswith(b"235")


def test_where_auth_is_not_offered_it_is_no_longer_than_other_commands() -> None:
    peer = ServerPeer()
    said(peer, b"EHLO client.example\r\n")
    assert said(peer, b"AUTH PLAIN " + b"YWJj" * 1000 + b"\r\n").startswith(b"500 5.5.2")


def test_a_response_of_12288_bytes_is_taken_and_a_longer_one_ends_the_exchange() -> None:
    peer = greeted()
    said(peer, b"AUTH LOGIN\r\n")
    assert said(peer, b"YWJj" * 3072 + b"\r\n").startswith(b"334")
    assert said(peer, b"YWJj" * 3073 + b"\r\n").startswith(b"500 5.5.6")
    assert peer.take_events()[-1] == "cancelled"
    assert said(peer, b"AUTH PLAIN " + PLAIN + b"\r\n").startswith(b"235")


def test_an_endless_response_is_not_hoarded() -> None:
    peer = greeted("limit swallow_limit 50000")
    said(peer, b"AUTH LOGIN\r\n")
    for _ in range(7):
        peer.send(b"x" * 10_000)
        assert peer.machine.buffered <= MAX_RESPONSE_LINE
    assert peer.closing


def test_the_machine_knows_who_has_come_in() -> None:
    peer = greeted("option starttls true")
    machine = peer.machine
    assert not machine._commands.exchange.is_done
    said(peer, b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert machine._commands.exchange.is_done
    assert not machine.is_encrypted
    said(peer, b"STARTTLS\r\n")
    assert (machine.state, machine.wants_read, machine.wait_s) == ("tls", False, None)
    machine.secured(0.0)
    assert (machine.state, machine.wants_read) == ("command", True)
    assert (machine.is_encrypted, machine._commands.exchange.is_done, machine.helo_name) == (True, False, "")


def test_what_came_behind_starttls_is_counted_and_never_obeyed() -> None:
    peer = greeted("option starttls true", "option starttls_injection discard")
    said(peer, b"STARTTLS\r\nRSET\r\n")
    peer.send(b"NOOP\r\n")
    peer.machine.secured(0.0)
    assert peer.take_output() == b""
    assert peer.machine.injected == len(b"RSET\r\nNOOP\r\n")
    assert peer.machine.counters.commands == 2


def test_a_handshake_and_a_challenge_come_only_when_due() -> None:
    peer = greeted()
    with pytest.raises(RuntimeError):
        peer.machine.secured(0.0)
    with pytest.raises(RuntimeError):
        peer.machine.challenge(b"")
    peer = greeted("answer mail: later")
    said(peer, b"MAIL FROM:<alice@example.org>\r\n")
    with pytest.raises(RuntimeError):
        peer.machine.challenge(b"")


def test_what_comes_for_a_connection_that_is_gone_is_ignored() -> None:
    peer = greeted("option starttls true", "answer auth: later")
    said(peer, b"AUTH LOGIN\r\n")
    peer.machine.connection_lost()
    peer.machine.challenge(b"Username:")
    peer.machine.secured(0.0)
    assert peer.take_output() == b""
    assert not peer.machine.is_encrypted


def test_options_change_between_messages_only() -> None:
    peer = greeted()
    said(peer, b"MAIL FROM:<alice@example.org>\r\n")
    with pytest.raises(RuntimeError):
        peer.machine.set_options(ServerOptions(hostname="mx.test"))
    said(peer, b"RSET\r\n")
    smaller = ServerLimits(max_message_size=5)
    peer.machine.set_options(ServerOptions(hostname="other.test", extensions=("SIZE",)), smaller)
    assert said(peer, b"EHLO client.example\r\n") == b"250-other.test \r\n250 SIZE 5\r\n".replace(
        b" \r", b"\r"
    )
    said(peer, b"MAIL FROM:<alice@example.org>\r\n")
    said(peer, b"RCPT TO:<bob@example.net>\r\n")
    said(peer, b"DATA\r\n")
    assert said(peer, b"too long\r\n.\r\n").startswith(b"552")


def test_other_options_hold_at_once() -> None:
    peer = greeted()
    said(peer, b"HELO client.example\r\n")
    tolerant = ServerOptions(hostname="mx.test", refuse_unauthorised_pipelining=False)
    peer.machine.set_options(tolerant)
    assert said(peer, b"RSET\r\nRSET\r\n").count(b"250") == 2
    peer.machine.set_options(ServerOptions(hostname="mx.test"))
    assert said(peer, b"RSET\r\nRSET\r\n").startswith(b"503 5.5.0")


LINES = st.sampled_from(
    [
        b"AUTH PLAIN",
        b"AUTH LOGIN",
        b"AUTH CRAM-MD5",
        b"AUTH DIGEST-MD5",
        b"AUTH SCRAM-SHA-256",
        b"AUTH GSSAPI",
        b"*",
    ]
)
WORDS = st.sampled_from(
    [b"alice", b"\0", b"\0alice\0", b"n,,", b"n=alice", b",r=", b"p=", b"c=biws", b"nonce", b"realm=", b'"', b",",
     b"username=\"alice\"", b"response=", b"0" * 32, b"alice ", b"=", b"\xff", b"v=", b"y,a=alice,", b"m=x,"]
)  # fmt: skip
RESPONSES = (
    st.lists(WORDS | st.binary(max_size=8), max_size=8)
    .map(b"".join)
    .filter(lambda data: b"secret" not in data)
)


@st.composite
def auth_lines(draw: st.DrawFn) -> bytes:
    """A line of an exchange, or of none."""
    response = draw(RESPONSES)
    coded = draw(st.sampled_from([b64encode(response), b64encode(response)[:-1], response]))
    command = draw(LINES)
    return draw(st.sampled_from([command, command + b" " + coded, coded, coded])) + b"\r\n"


@pytest.mark.slow
@settings(max_examples=600)
@given(st.lists(auth_lines(), max_size=10), st.booleans())
def test_no_bytes_without_the_password_let_anybody_in(lines: list[bytes], may_pipeline: bool) -> None:
    peer = greeted(
        "limit max_errors 0", f"option refuse_unauthorised_pipelining {str(not may_pipeline).lower()}"
    )
    for line in lines:
        assert not said(peer, line).startswith(b"235")
    assert not peer.machine._commands.exchange.is_done
    assert not [event for event in peer.take_events() if event.startswith("authenticated")]


@settings(max_examples=200)
@given(st.lists(auth_lines() | st.just(b"AUTH PLAIN " + PLAIN + b"\r\n"), max_size=8), st.data())
def test_reads_may_end_anywhere_in_an_exchange(lines: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(lines)
    whole, pieces = greeted(LET_PIPELINE), greeted(LET_PIPELINE)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        pieces.send(wire[start:end])
    whole.send(wire)
    assert pieces.take_output() == whole.take_output()
    assert pieces.take_events() == whole.take_events()


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=100), st.binary(max_size=100), st.sampled_from(["reject", "discard"]))
def test_whatever_stands_behind_starttls_is_never_a_command(behind: bytes, later: bytes, policy: str) -> None:
    peer = greeted("option starttls true", f"option starttls_injection {policy}")
    peer.take_events()
    output = said(peer, b"STARTTLS\r\n" + behind)
    peer.send(later)
    if policy == "reject":
        assert (output[:9], peer.closing) == (b"503 5.5.1", True)
    else:
        peer.machine.secured(0.0)
        assert (peer.machine.injected, peer.machine.buffered) == (len(behind) + len(later), 0)
    assert peer.machine.counters.commands == 2
    assert set(peer.take_events()) <= {"starttls"}
