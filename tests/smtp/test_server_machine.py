"""What the shell sees of the server machine, beside the dialog."""

import pytest

from angarium.core.reply import Reply
from angarium.smtp.server.machine import MAX_BUFFERED, ServerMachine
from angarium.smtp.server.options import ServerLimits, ServerOptions
from angarium.testing.server_peer import ScriptedHandler, ServerPeer

ENVELOPE = b"MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\n"


def greeted(*settings: str) -> ServerPeer:
    peer = ServerPeer(*settings)
    peer.send(b"EHLO client.example\r\n")
    peer.take_output()
    return peer


def test_a_pipelined_burst_is_answered_in_one_write() -> None:
    peer = greeted()
    peer.send(ENVELOPE + b"DATA\r\n")
    assert peer.take_output().count(b"\r\n") == 3
    assert peer.take_output() == b""


def test_reading_stops_when_too_much_waits_for_an_answer() -> None:
    peer = greeted("answer data: later")
    peer.send(ENVELOPE + b"BDAT 1000000 LAST\r\n")
    assert peer.machine.wants_read
    peer.send(b"x" * MAX_BUFFERED)
    assert peer.machine.buffered == MAX_BUFFERED
    assert not peer.machine.wants_read
    peer.machine.answer(Reply(354))
    assert peer.machine.buffered == 0
    assert peer.machine.wants_read


def test_a_body_is_held_until_it_is_answered_or_handed_over() -> None:
    peer = greeted("answer message: later", "limit spill_threshold 100000")
    assert peer.machine.held_bytes == 0
    peer.send(ENVELOPE + b"DATA\r\n")
    peer.send(b"x" * 500 + b"\r\n")
    assert peer.machine.held_bytes == 500
    peer.send(b".\r\n")
    assert peer.machine.held_bytes == 502
    peer.machine.answer(Reply(250))
    assert peer.machine.held_bytes == 0
    peer.send(ENVELOPE + b"DATA\r\n")
    peer.send((b"x" * 78 + b"\r\n") * 10_000)
    assert peer.machine.held_bytes == 100_000


def test_the_machine_says_how_long_the_peer_may_take() -> None:
    limits = ServerLimits(command_timeout_s=10, data_timeout_s=20)
    handler = ScriptedHandler({"message": "later"})
    machine = ServerMachine(handler, ServerOptions(hostname="mx.test"), limits, 0.0)
    assert machine.wait_s is None
    machine.greet(0.0)
    assert machine.wait_s == 10
    machine.receive(b"EHLO client.example\r\n", 0.0)
    machine.receive(ENVELOPE + b"DATA\r\n", 0.0)
    assert machine.wait_s == 20
    machine.receive(b".\r\n", 0.0)
    assert machine.wait_s is None


def test_no_answer_may_be_given_that_was_not_asked_for() -> None:
    with pytest.raises(RuntimeError):
        greeted().machine.answer(Reply(250))


def test_the_counters_tell_what_happened() -> None:
    peer = greeted("answer rcpt gone@example.net: 550 5.1.1 no such user")
    peer.send(ENVELOPE + b"RCPT TO:<gone@example.net>\r\nDATA\r\n")
    peer.send(b"text\r\n.\r\n")
    counters = peer.machine.counters
    assert (counters.commands, counters.errors, counters.bodies) == (5, 1, 1)


def test_the_machine_knows_whether_the_peer_said_ehlo() -> None:
    peer = ServerPeer("answer helo other.example: 550 5.7.1 no")
    peer.send(b"HELO client.example\r\n")
    peer.send(b"EHLO other.example\r\n")
    assert (peer.machine.helo_name, peer.machine.is_esmtp) == ("client.example", False)
    peer.send(b"EHLO client.example\r\n")
    assert peer.machine.is_esmtp


def test_an_idle_connection_keeps_no_input_alive() -> None:
    peer = greeted()
    peer.send(ENVELOPE + b"DATA\r\n")
    peer.send(b"x" * 100_000 + b"\r\n.\r\n")
    assert peer.machine._input.data == b""
    assert peer.machine._body._reader.pieces == []


def test_the_number_of_recipients_refused_above_the_limit_is_bounded() -> None:
    peer = greeted("limit max_recipients 1", "limit max_errors 5")
    peer.send(ENVELOPE + b"RCPT TO:<bob@example.net>\r\n" * 1000)
    assert not peer.closing
    peer.send(b"RCPT TO:<bob@example.net>\r\n" * 10)
    assert peer.closing


def test_a_wrong_setting_is_not_passed_over() -> None:
    for setting in ("limit max_sise 3", "colour red"):
        with pytest.raises(ValueError):
            ServerPeer(setting)
