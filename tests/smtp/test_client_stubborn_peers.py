"""A peer that answers each command always in the same way has judged a message after a few sessions."""

from dataclasses import dataclass, replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientSettings,
    Method,
    NeedDowngrade,
    NeedPieces,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine

KEYWORDS = ["PIPELINING", "CHUNKING", "SIZE", "DSN", "8BITMIME", "SMTPUTF8", "LIMITS MAILMAX=1"]
REFUSALS = [
    *("500 what?", "501 what?", "502 5.5.1 what?", "503 what?", "504 what?", "555 5.5.4 what?"),
    *(
        "550 5.1.1 no",
        "552 no",
        "452 no",
        "451 4.4.2 no",
        "452 4.5.3 no",
        "421 no",
        "530 5.7.0 STARTTLS first",
    ),
    "",  # hangs up
]
YES = {
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    "BDAT": "250 ok",
    "RSET": "250 ok",
    ".": "250 done",
}
answers = st.fixed_dictionaries(
    {verb: st.one_of(st.just(yes), st.sampled_from(REFUSALS)) for verb, yes in YES.items()}
)
PATHS = [ForwardPath(address=f"{name}@to.example", domain="to.example", notify=2) for name in "abc"]
BODY = "Subject: x\r\n\r\n\u00e4\r\n".encode()


@dataclass
class Stubborn:
    """A peer without I/O. *taken* counts the messages to whose end it said yes. Where *most* is not 0, it says 421 to
    more recipients, and hangs up then if it *closes*.
    """

    offer: list[str]
    answers: dict[str, str]
    most: int = 0
    closes: bool = False
    taken: int = 0

    def session(self, settings: ClientSettings, transaction: Transaction) -> TransactionFinished:
        """Lead one session with one transaction; return how it ended."""
        machine = ClientMachine(settings)
        machine.start(0.0)
        ehlo = ["peer", *self.offer]
        machine.receive(b"220 peer\r\n", 0.0)
        machine.receive("".join(f"250-{line}\r\n" for line in ehlo[:-1]).encode(), 0.0)
        machine.receive(f"250 {ehlo[-1]}\r\n".encode(), 0.0)
        machine.take_output()
        machine.take_events()
        machine.deliver(transaction, 0.0)
        recipients = 0
        while True:
            for event in machine.take_events():
                if isinstance(event, TransactionFinished):
                    return event
                if isinstance(event, NeedDowngrade):
                    machine.deliver(msgspec.structs.replace(transaction, eight_bit=False), 0.0)
                elif isinstance(event, NeedPieces):
                    machine.feed(BODY, True, 0.0)
            for verb in self._heard(b"".join(machine.take_output())):
                recipients += verb == "RCPT"
                is_one_too_many = verb == "RCPT" and recipients > self.most > 0
                if is_one_too_many:
                    machine.receive(b"421 4.5.3 too many recipients\r\n", 0.0)
                if (is_one_too_many and self.closes) or not self.answers[verb]:
                    machine.connection_lost(0.0)
                    break
                if is_one_too_many:
                    continue
                self.taken += verb in (".", "BDAT") and self.answers[verb].startswith("2")
                machine.receive(f"{self.answers[verb]}\r\n".encode(), 0.0)

    def _heard(self, wire: bytes) -> list[str]:
        """The verbs in *wire*, which is read line by line; those of the text are none."""
        verbs = [line.partition(b" ")[0].decode("latin-1") for line in wire.split(b"\r\n")]
        return [verb for verb in verbs if verb in self.answers]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(KEYWORDS), unique=True), answers, st.booleans(), st.booleans(), st.booleans())
def test_a_message_is_judged_within_a_few_sessions(
    offer: list[str], answers: dict[str, str], eight_bit: bool, in_pieces: bool, wants_tls: bool
) -> None:
    peer = Stubborn(offer, answers)
    how = ClientSettings(ehlo_name="me", tls="ifavailable" if wants_tls else "no", bdat_at_once_bytes=10)
    waiting, distrusted = PATHS, frozenset[str]()
    for _ in range(8):
        message = Transaction(
            "s@from.example", waiting, b"", None if in_pieces else BODY, len(BODY), eight_bit
        )
        taken = peer.taken
        finished = peer.session(replace(how, distrusted=distrusted), message)
        distrusted |= finished.distrusts
        assert [result.index for result in finished.results] == list(range(len(waiting)))
        delivered = [result for result in finished.results if result.verdict == "delivered"]
        if peer.taken > taken and answers["MAIL"] == YES["MAIL"] and answers["RCPT"] == YES["RCPT"]:
            assert len(delivered) == len(waiting)  # what the peer has taken is never knowingly sent again
        again = [r for r in finished.results if r.verdict == "untried" and not r.session_fault]
        waiting = [waiting[result.index] for result in again]
        if not waiting:
            return
    raise AssertionError(f"still not judged: {finished.results}")


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(KEYWORDS), unique=True),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from(["ESMTP", "SMTP"]),
)
def test_a_peer_that_says_421_to_one_recipient_too_many_gets_the_message_at_once(
    offer: list[str], closes: bool, in_pieces: bool, most: int, method: Method
) -> None:
    peer = Stubborn(offer, YES, most, closes)
    how = ClientSettings(ehlo_name="me", method=method, bdat_at_once_bytes=10)
    waiting, distrusted = PATHS, frozenset[str]()
    for _ in range(4):
        message = Transaction("s@from.example", waiting, b"", None if in_pieces else BODY, len(BODY))
        finished = peer.session(replace(how, distrusted=distrusted), message)
        distrusted |= finished.distrusts
        assert {result.verdict for result in finished.results} <= {"delivered", "untried"}
        waiting = [waiting[result.index] for result in finished.results if result.verdict == "untried"]
        if not waiting:
            return
    raise AssertionError(f"still waiting: {waiting}")
