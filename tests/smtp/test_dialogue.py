"""What was said in a session, put together after it: only what the recipient that it is told of has to do with."""

import pytest

from angarium.core.records import ForwardPath
from angarium.smtp.client.dialogue import MOST_CHARS, MOST_LINES, dialogue_lines
from angarium.smtp.client.events import (
    ClientAuth,
    ClientSettings,
    NotReady,
    Ready,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.smtp.sasl.client import PlainClient

BOTH = ("ann@example.com", "bob@example.com")


def a_mail(*to: str) -> Transaction:
    paths = [ForwardPath(address=each, domain="example.com") for each in to]
    return Transaction("a@example.org", paths, b"", b"secret text\r\n", 13)


def opened(banner: str, *answers: str, **settings: object) -> ClientMachine:
    machine = ClientMachine(ClientSettings(ehlo_name="me.example", **settings))  # type: ignore[arg-type]
    machine.start(0.0)
    hear(machine, banner, *answers)
    return machine


def hear(machine: ClientMachine, *answers: str) -> None:
    machine.receive("".join(f"{answer}\r\n" for answer in answers).encode(), 0.0)


def finished(machine: ClientMachine) -> TransactionFinished:
    (found,) = [each for each in machine.take_events() if isinstance(each, TransactionFinished)]
    return found


def told(machine: ClientMachine, index: int = 0) -> list[str]:
    dialogue = finished(machine).dialogue
    assert dialogue is not None
    return list(dialogue_lines(dialogue(index)))


def test_of_the_recipients_only_the_own_one_is_told() -> None:
    machine = opened("220 here", "250-here", "250 PIPELINING")
    machine.deliver(a_mail(*BOTH), 0.0)
    hear(machine, "250 ok", "550 5.1.1 no such user", "250 ok", "354 go", "250 2.0.0 queued as 1")
    dialogue = finished(machine).dialogue
    assert dialogue is not None
    assert dialogue_lines(dialogue(0)) == (
        "C: MAIL FROM:<a@example.org>",
        "S: 250 ok",
        "C: RCPT TO:<ann@example.com>",
        "S: 550 5.1.1 no such user",
    )
    assert dialogue_lines(dialogue(1)) == (
        "C: MAIL FROM:<a@example.org>",
        "S: 250 ok",
        "C: RCPT TO:<bob@example.com>",
        "S: 250 ok",
        "C: DATA",
        "S: 354 go",
        "C: [13 bytes of message]",
        "S: 250 2.0.0 queued as 1",
    )


def test_what_was_not_said_is_not_told() -> None:
    machine = opened("220 here", "250 here")
    machine.deliver(a_mail(*BOTH), 0.0)
    hear(machine, "451 4.7.1 come back later")
    assert told(machine, 1) == ["C: MAIL FROM:<a@example.org>", "S: 451 4.7.1 come back later"]


def test_a_command_that_was_never_answered_stands_at_the_end() -> None:
    machine = opened("220 here", "250 here")
    machine.deliver(a_mail("ann@example.com"), 0.0)
    hear(machine, "250 ok", "250 ok", "354 go")
    machine.connection_lost(1.0)
    assert told(machine)[-3:] == ["C: DATA", "S: 354 go", "C: [13 bytes of message]"]


def test_a_message_in_chunks_and_what_was_undone_before_it() -> None:
    machine = opened("220 here", "250-here", "250-PIPELINING", "250 CHUNKING")
    machine.deliver(a_mail("ann@example.com"), 0.0)
    hear(machine, "250 ok", "550 no", "554 nobody")
    machine.take_events()
    machine.deliver(a_mail("bob@example.com"), 0.0)
    hear(machine, "250 flushed", "250 ok", "250 ok", "554 5.7.1 spam")
    assert told(machine) == [
        "C: RSET",
        "S: 250 flushed",
        "C: MAIL FROM:<a@example.org>",
        "S: 250 ok",
        "C: RCPT TO:<bob@example.com>",
        "S: 250 ok",
        "C: BDAT [13 bytes of message]",
        "S: 554 5.7.1 spam",
    ]


def test_in_lmtp_each_has_its_own_answer_to_the_message() -> None:
    machine = opened("220 here", "250-here", "250 PIPELINING", method="LMTP")
    machine.deliver(a_mail(*BOTH), 0.0)
    hear(machine, "250 ok", "250 ok", "250 ok", "354 go", "250 ann has it", "452 4.2.2 bob is full")
    assert told(machine, 1)[-1] == "S: 452 4.2.2 bob is full"


def test_an_opening_is_told_without_the_login() -> None:
    auth = ClientAuth(
        mechanism="PLAIN", begin=lambda: PlainClient("user", "pa55word"), needs_tls=False, secret="pa55word"
    )
    machine = opened("220 here", "250-here", "250 AUTH PLAIN", "535 5.7.8 no pa55word", auth=auth)
    (failed,) = [each for each in machine.take_events() if isinstance(each, NotReady)]
    lines = dialogue_lines(failed.said)
    assert lines[:3] == ("S: 220 here", "C: EHLO me.example", "S: 250 here AUTH PLAIN")
    assert lines[3] == "C: AUTH PLAIN ***"
    assert lines[4].startswith("S: 535 5.7.8 no ")
    assert not any("pa55word" in line for line in lines)


def test_a_session_that_is_open_says_how_it_became_so() -> None:
    machine = opened("220 here", "250 here")
    (ready,) = [each for each in machine.take_events() if isinstance(each, Ready)]
    assert dialogue_lines(ready.said) == ("S: 220 here", "C: EHLO me.example", "S: 250 here")
    machine.quit(0.0)
    assert len(ready.said) == 3


@pytest.mark.parametrize("said", [["x" * 10_000], ["C"] * 1000])
def test_it_is_bounded(said: list[str]) -> None:
    lines = dialogue_lines(said)
    assert len(lines) <= MOST_LINES
    assert all(len(line) <= MOST_CHARS + 1 for line in lines)
