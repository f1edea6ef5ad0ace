"""What becomes of each recipient when the session breaks at any point, and when the peer talks nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientEvent,
    ClientSettings,
    Closed,
    Method,
    NeedPieces,
    NotReady,
    Ready,
    RecipientResult,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine, LocalProtocolError
from angarium.smtp.envelope import encode_xtext
from angarium.smtp.xtext import decode_orcpt, decode_xtext

PATHS = [ForwardPath(address=f"{name}@to.example", domain="to.example") for name in "abc"]
EHLO = {
    "plain": b"250 peer\r\n",
    "pipelining": b"250-peer\r\n250 PIPELINING\r\n",
    "chunking": b"250-peer\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
    "size": b"250-peer\r\n250-PIPELINING\r\n250 SIZE\r\n",
}


def transaction(body: bytes | None = b"Subject: x\r\n\r\nhello\r\n") -> Transaction:
    return Transaction("s@from.example", PATHS, b"", body, len(body or b""))


def opened(offer: str = "pipelining", method: Method = "ESMTP") -> ClientMachine:
    machine = ClientMachine(ClientSettings(ehlo_name="me", method=method))
    machine.start(0.0)
    machine.receive(b"220 peer\r\n" + EHLO[offer], 0.0)
    assert isinstance(machine.take_events()[0], Ready)
    machine.take_output()
    return machine


def finished(events: list[ClientEvent]) -> TransactionFinished:
    """Return the one TransactionFinished, with its promises checked."""
    found = [event for event in events if isinstance(event, TransactionFinished)]
    assert len(found) == 1
    assert [result.index for result in found[0].results] == list(range(len(PATHS)))
    return found[0]


def talk(method: Method) -> list[bytes]:
    """The replies of a transaction with one refused recipient; b is accepted, as is c."""
    finals = [b"250 2.0.0 took it\r\n"] * (2 if method == "LMTP" else 1)
    return [b"250 ok\r\n", b"550 5.1.1 no a\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", *finals]


def verdicts(results: list[RecipientResult]) -> list[str]:
    return [result.verdict for result in results]


@pytest.mark.parametrize("offer", ["plain", "pipelining"])
@pytest.mark.parametrize("method", ["ESMTP", "LMTP"])
@pytest.mark.parametrize("how", ["lost", "timeout", "421"])
def test_a_break_at_any_point_leaves_the_right_verdicts(offer: str, method: Method, how: str) -> None:
    replies = talk(method)
    for heard in range(len(replies)):
        machine = opened(offer, method)
        machine.deliver(transaction(), 0.0)
        for reply in replies[:heard]:
            machine.receive(reply, 1.0)
        if how == "lost":
            machine.connection_lost(2.0)
        elif how == "timeout":
            machine.timed_out(machine.deadline or 0.0)
        else:
            machine.receive(b"421 4.3.2 stopping\r\n", 2.0)
            machine.connection_lost(3.0)
        events = machine.take_events()
        end = finished(events)
        assert isinstance(events[-1], Closed)
        assert not end.usable
        a, b, c = end.results
        assert a.verdict == ("permanent" if heard >= 2 else "transient")
        assert a.session_fault == (heard < 2)
        if heard < 5:
            expected = ["transient", "transient"]
        elif heard == 5:
            first = "transient" if how == "421" else "ambiguous"
            expected = [first, "transient" if how == "421" and method == "ESMTP" else "ambiguous"]
        else:
            expected = ["delivered", "transient" if how == "421" else "ambiguous"]
        assert [b.verdict, c.verdict] == expected
        assert c.session_fault


def test_a_break_with_a_message_that_went_with_its_envelope_is_ambiguous_from_the_start() -> None:
    replies = [b"250 ok\r\n", b"550 5.1.1 no a\r\n", b"250 ok\r\n", b"250 ok\r\n"]
    for heard in range(len(replies) + 1):
        machine = opened("chunking")
        machine.deliver(transaction(), 0.0)
        for reply in replies[:heard]:
            machine.receive(reply, 1.0)
        machine.connection_lost(2.0)
        a = "permanent" if heard >= 2 else "ambiguous"
        assert verdicts(finished(machine.take_events()).results) == [a, "ambiguous", "ambiguous"]


def test_a_lost_session_that_had_served_before_has_not_tried_the_next_message() -> None:
    machine = opened()
    machine.deliver(transaction(), 0.0)
    for reply in talk("ESMTP"):
        machine.receive(reply, 1.0)
    assert finished(machine.take_events()).usable
    machine.deliver(transaction(), 2.0)
    machine.connection_lost(3.0)
    assert verdicts(finished(machine.take_events()).results) == ["untried"] * 3


@given(st.data())
def test_nonsense_never_raises_and_every_transaction_ends_once(data: st.DataObject) -> None:
    offer = data.draw(st.sampled_from(sorted(EHLO)))
    method: Method = data.draw(st.sampled_from(["ESMTP", "LMTP"]))
    body = data.draw(st.sampled_from([b"x\r\n", None]))
    machine = opened(offer, method)
    machine.deliver(transaction(body), 0.0)
    events = machine.take_events()
    noise = st.one_of(
        st.binary(max_size=20),
        st.builds(
            lambda code, mark: f"{code}{mark}x\r\n".encode(), st.integers(200, 599), st.sampled_from(" -")
        ),
        st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"421 bye\r\n", b"550 no\r\n", b"501 no\r\n"]),
    )
    for piece in data.draw(st.lists(noise, max_size=12)):
        machine.receive(piece, 1.0)
        news = machine.take_events()
        events += news
        if any(isinstance(event, NeedPieces) for event in news):
            machine.feed(b"piece\r\n", data.draw(st.booleans()), 1.0)
    machine.connection_lost(2.0)
    events += machine.take_events()
    finished(events)
    assert sum(isinstance(event, Closed) for event in events) == 1
    assert isinstance(events[-1], Closed)
    machine.receive(b"250 ok\r\n", 3.0)
    machine.connection_lost(3.0)
    machine.quit(3.0)
    assert machine.take_events() == []
    assert machine.deadline is None


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_nonsense_instead_of_a_greeting_ends_in_not_ready(noise: list[bytes]) -> None:
    machine = ClientMachine(ClientSettings(ehlo_name="me"))
    machine.start(0.0)
    for piece in noise:
        machine.receive(piece, 1.0)
    machine.connection_lost(2.0)
    events = machine.take_events()
    assert isinstance(events[-1], Closed)
    assert sum(isinstance(event, NotReady | Ready) for event in events) == 1


@given(
    st.lists(
        st.sampled_from([b".", b"..", b"\r\n.", b"\r\n", b"\r", b"\n", b"x", b"\r\n.\r\n", b""]), max_size=9
    )
)
def test_a_body_in_pieces_is_one_message_for_the_peer(pieces: list[bytes]) -> None:
    """Whatever the pieces: one end of data, and unstuffed it is the body with its line end."""
    machine = opened()
    machine.deliver(transaction(None), 0.0)
    machine.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", 1.0)
    machine.take_output()
    for piece in pieces:
        assert machine.feed(piece, False, 1.0)
    assert not machine.feed(b"", True, 1.0)
    wire = b"\r\n" + b"".join(machine.take_output())
    body = b"".join(pieces)
    assert wire.count(b"\r\n.\r\n") == 1
    assert wire.endswith(b"\r\n.\r\n")
    assert b"\n.\n" not in wire
    whole = opened()
    whole.deliver(transaction(body), 0.0)
    whole.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", 1.0)
    assert b"\r\n" + b"".join(whole.take_output()[1:]) == wire
    if b"\n" not in body.replace(b"\r\n", b""):  # a dot after a bare LF is doubled too, against smuggling
        assert wire[:-3].replace(b"\r\n..", b"\r\n.")[2:] == with_line_end(body)


def with_line_end(body: bytes) -> bytes:
    if not body or body.endswith(b"\r\n"):
        return body
    return body + (b"\n" if body.endswith(b"\r") else b"\r\n")


def test_the_body_is_a_buffer_of_its_own_and_not_copied() -> None:
    machine = opened()
    given_body = b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n"
    machine.deliver(transaction(given_body), 0.0)
    machine.take_output()
    machine.receive(b"250 ok\r\n" * 4 + b"354 go\r\n", 1.0)
    assert any(buffer is given_body for buffer in machine.take_output())


@pytest.mark.parametrize(
    "address", ["a@b.example>\r\nRSET", "a\n@b.example", "a\x00@b.example", "\ud800@b.example"]
)
def test_an_address_cannot_carry_a_command(address: str) -> None:
    machine = opened()
    given_paths = [ForwardPath(address=address, domain="b.example"), PATHS[1]]
    machine.deliver(Transaction("s@from.example", given_paths, b"", b"x\r\n", 3), 0.0)
    assert (
        b"".join(machine.take_output()) == b"MAIL FROM:<s@from.example>\r\nRCPT TO:<b@to.example>\r\nDATA\r\n"
    )
    machine.connection_lost(1.0)
    [event, _] = machine.take_events()
    assert isinstance(event, TransactionFinished)
    assert event.results[0].reply.enhanced == "5.1.3"
    machine = opened()
    machine.deliver(Transaction(address, PATHS, b"", b"x\r\n", 3), 0.0)
    assert machine.take_output() == []
    assert {result.reply.enhanced for result in finished(machine.take_events()).results} == {"5.1.7"}


def test_the_machine_is_asked_only_for_what_it_can_do() -> None:
    machine = ClientMachine(ClientSettings(ehlo_name="me"))
    machine.start(0.0)
    with pytest.raises(LocalProtocolError, match="deliver while the session is at banner"):
        machine.deliver(transaction(), 0.0)
    machine = opened()
    machine.deliver(transaction(), 0.0)
    with pytest.raises(LocalProtocolError):
        machine.deliver(transaction(), 0.0)
    assert machine.feed(b"x", True, 0.0) is False


def test_timings_say_how_long_each_stage_was_waited_for() -> None:
    machine = opened()
    machine.deliver(transaction(), 10.0)
    for at, reply in zip((11.0, 11.5, 11.5, 12.0, 12.0, 15.0), talk("ESMTP"), strict=True):
        machine.receive(reply, at)
    end = finished(machine.take_events())
    assert end.timings == (("mail", 1000.0), ("rcpt", 1000.0), ("data", 0.0), ("final", 3000.0))


def test_a_dripped_reply_does_not_move_the_deadline() -> None:
    machine = opened()
    machine.deliver(transaction(), 0.0)
    for at in range(1, 20):
        machine.receive(b"2" if at == 1 else b"5", float(at))
    assert machine.deadline == 300.0


def test_bytes_sent_counts_what_was_written() -> None:
    machine = opened()
    machine.deliver(transaction(b".\r\n"), 0.0)
    written = b"".join(machine.take_output())
    for reply in talk("ESMTP"):
        machine.receive(reply, 1.0)
    written += b"".join(machine.take_output())
    assert finished(machine.take_events()).bytes_sent == len(written)


def test_the_transcript_has_each_line_and_sums_up_the_message() -> None:
    lines: list[str] = []
    machine = opened()
    machine.trace = lambda side, line: lines.append(f"{side}: {line}")
    machine.deliver(transaction(b"x\r\n"), 0.0)
    for reply in talk("ESMTP"):
        machine.receive(reply, 1.0)
    assert lines[0] == "C: MAIL FROM:<s@from.example>"
    assert lines[5:] == [
        "S: 250 ok",
        "S: 550 5.1.1 no a",
        "S: 250 ok",
        "S: 250 ok",
        "S: 354 go",
        "C: [6 bytes of message]",
        "S: 250 2.0.0 took it",
    ]


def test_a_giant_refusal_is_kept_short() -> None:
    machine = opened()
    machine.deliver(transaction(), 0.0)
    machine.receive(b"550 5.7.1 " + b"x" * 3000 + b"\r\n" + b"503 no\r\n" * 4, 1.0)
    [result, *_] = finished(machine.take_events()).results
    assert (result.verdict, len(result.reply.text)) == ("permanent", 1001)


@given(st.text(max_size=40))
def test_xtext_is_read_back_as_it_was(text: str) -> None:
    wire = encode_xtext(text)
    assert wire.isascii()
    assert " " not in wire
    if text.isascii() and text.isprintable():
        assert decode_xtext(wire) == text


@given(st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20))
def test_an_internationalised_original_recipient_is_read_back_as_it_was(address: str) -> None:
    machine = ClientMachine(ClientSettings(ehlo_name="me"))
    machine.start(0.0)
    machine.receive(b"220 peer\r\n250-peer\r\n250-PIPELINING\r\n250 DSN\r\n", 0.0)
    machine.take_output()
    path = ForwardPath(address="a@to.example", domain="to.example", orcpt=f"utf-8;{address}")
    machine.deliver(Transaction("s@from.example", [path], b"", b"x\r\n", 3), 0.0)
    wire = b"".join(machine.take_output()).decode("ascii")
    assert decode_orcpt(wire.split("ORCPT=")[1].split("\r\n")[0]) == f"utf-8;{address}"
