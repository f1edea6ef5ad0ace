"""The table of commands: in each phase, each command is taken or refused as it says, and leads where it says."""

import gc
import weakref

import pytest

from angarium.core.reply import Reply
from angarium.smtp.server.order import RULES, Phase
from angarium.testing.server_peer import ServerPeer

SETTINGS = (
    "option refuse_unauthorised_pipelining false",
    "option auth PLAIN",
    "option starttls true",
    "option xclient NAME",
    "answer auth: 235 2.7.0 welcome",
    "answer rcpt no@example.net: 550 5.1.1 no such user",
)
EHLO, MAIL = b"EHLO client.example\r\n", b"MAIL FROM:<alice@example.org>\r\n"
WAYS: dict[Phase, bytes] = {
    "start": b"",
    "ready": EHLO,
    "sender": EHLO + MAIL,
    "nobody": EHLO + MAIL + b"RCPT TO:<no@example.net>\r\n",
    "recipients": EHLO + MAIL + b"RCPT TO:<bob@example.net>\r\n",
    "chunks": EHLO + MAIL + b"RCPT TO:<bob@example.net>\r\nBDAT 1\r\nx",
}
COMMANDS = {
    "HELO": b"HELO client.example",
    "EHLO": b"EHLO client.example",
    "MAIL": b"MAIL FROM:<carol@example.org>",
    "RCPT": b"RCPT TO:<dave@example.net>",
    "DATA": b"DATA",
    "BDAT": b"BDAT 0",
    "RSET": b"RSET",
    "VRFY": b"VRFY alice",
    "HELP": b"HELP",
    "NOOP": b"NOOP",
    "AUTH": b"AUTH PLAIN eA==",
    "STARTTLS": b"STARTTLS",
    "XCLIENT": b"XCLIENT NAME=app",
}
STATES = {"DATA": "data", "STARTTLS": "tls"}


def phase_of(peer: ServerPeer) -> Phase:
    return peer.machine._commands.transaction.phase


def at(phase: Phase) -> ServerPeer:
    peer = ServerPeer(*SETTINGS)
    peer.send(WAYS[phase])
    peer.take_output()
    assert phase_of(peer) == phase
    return peer


@pytest.mark.parametrize("phase", WAYS)
@pytest.mark.parametrize("word", COMMANDS)
def test_a_command_is_in_order_where_the_table_says_so(word: str, phase: Phase) -> None:
    peer, rule = at(phase), RULES[word]
    peer.send(COMMANDS[word] + b"\r\n")
    said = peer.take_output()
    refusal = rule.refused.get(phase)
    if phase == "start" and word in ("AUTH", "BDAT"):  # only EHLO offers them
        assert said[:3] in (b"502", b"503")
    elif refusal is not None:
        assert said == refusal.encode()
        assert phase_of(peer) == ("ready" if word == "BDAT" else phase)  # RFC 3030 §2
    else:
        assert said[:1] in b"23"
        assert peer.machine.state == STATES.get(word, "command")
        rest = "start" if phase == "start" else "ready"
        assert phase_of(peer) == (rule.onward or (rest if rule.back == "rest" else rule.back or phase))


@pytest.mark.parametrize("phase", WAYS)
def test_what_leads_back_from_a_transaction_is_told_to_the_handler(phase: Phase) -> None:
    is_open = phase not in ("start", "ready")
    for command in (b"RSET\r\n", EHLO):
        peer = at(phase)
        peer.take_events()
        peer.send(command)
        assert peer.take_events().count("reset") == is_open


def test_every_command_has_its_place() -> None:
    assert RULES.keys() == COMMANDS.keys() | {"QUIT", ""}


@pytest.mark.parametrize("word", ["EHLO", "MAIL", "RCPT", "DATA", "AUTH", "XCLIENT"])
def test_a_handler_may_answer_before_it_returns(word: str) -> None:
    phase: Phase = {"EHLO": "start", "RCPT": "sender", "DATA": "recipients"}.get(word, "ready")  # type: ignore[assignment]
    peer = at(phase)
    usual = peer.handler._answer

    def answer_at_once(what: str, about: str, reply: Reply) -> Reply | None:
        said = usual(what, about, reply)
        assert said is not None
        peer.machine.answer(said)
        return None

    peer.handler._answer = answer_at_once  # type: ignore[method-assign]
    peer.send(COMMANDS[word] + b"\r\nNOOP\r\n" if word != "DATA" else b"DATA\r\n")
    assert peer.take_output()[:1] in b"23"
    assert phase_of(peer) == (RULES[word].onward or RULES[word].back or phase)


@pytest.mark.parametrize("last", [b"", b"DATA\r\nhalf", b"AUTH LOGIN\r\n", b"QUIT\r\n"])
def test_nothing_holds_itself_when_the_peer_is_gone(last: bytes) -> None:
    """The handler has the machine: that must not have the handler, or both would wait for the collector of garbage."""
    peer = ServerPeer("option auth LOGIN", "option refuse_unauthorised_pipelining false", "user alice secret")
    peer.send(WAYS["recipients"] if last.startswith(b"DATA") else EHLO)
    peer.send(last)
    peer.machine.connection_lost()
    peer.handler._auth = None
    machine, handler = peer.machine, weakref.ref(peer.handler)
    gc.disable()
    try:
        del peer
        assert handler() is None
    finally:
        gc.enable()
    machine.answer(Reply(250))  # late, and of no consequence
    machine.cut_off(Reply(421))
    assert machine.closing
