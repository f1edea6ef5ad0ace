"""Our client machine and our server machine in one room: each understands what the other means."""

from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientEvent,
    ClientSettings,
    NeedPieces,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.testing.server_peer import ServerPeer

ALL = ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE", "DSN", "CHUNKING", "LIMITS"]
offers = st.lists(st.sampled_from(ALL), unique=True).map(lambda names: f"option extensions {' '.join(names)}")
lines = st.sampled_from([b"", b".", b"..", b".end", b"From here", b"x" * 90, "grüße".encode()])
bodies = st.lists(lines, max_size=8).map(lambda found: b"".join(line + b"\r\n" for line in found))


class Room:
    """Carries bytes between the two, *step* at a time, until both are silent."""

    def __init__(self, *settings: str, step: int = 65_536) -> None:
        self.server = ServerPeer(*settings)
        self.client = ClientMachine(ClientSettings(ehlo_name="me.example", eight_bit="send"))
        self.step = step
        self.events: list[ClientEvent] = []
        self.client.start(0.0)
        self.carry()

    def carry(self) -> None:
        while True:
            there, back = b"".join(self.client.take_output()), self.server.take_output()
            if not there and not back:
                break
            for at in range(0, len(there), self.step):
                self.server.send(there[at : at + self.step])
            for at in range(0, len(back), self.step):
                self.client.receive(back[at : at + self.step], 0.0)
        self.events += self.client.take_events()

    def finished(self) -> list[TransactionFinished]:
        return [event for event in self.events if isinstance(event, TransactionFinished)]


def transaction(body: bytes | None) -> Transaction:
    paths = [
        ForwardPath(address=f"{name}@to.example", domain="to.example", notify=2, orcpt="rfc822;a+b@c")
        for name in "ab"
    ]
    size = len(body or b"")
    return Transaction("s@from.example", paths, b"Received: x\r\n", body, size, eight_bit=True, envid="x=y")


@given(offers, bodies, st.integers(1, 40), st.booleans())
def test_a_message_arrives_as_it_is_whatever_is_offered(
    offer: str, body: bytes, step: int, in_pieces: bool
) -> None:
    room = Room(offer, step=step)
    room.client.deliver(transaction(None if in_pieces else body), 0.0)
    room.carry()
    if in_pieces:
        assert isinstance(room.events[-1], NeedPieces)
        for at in range(0, len(body), 7):
            room.client.feed(body[at : at + 7], False, 0.0)
        room.client.feed(b"", True, 0.0)
        room.carry()
    [end] = room.finished()
    assert [result.verdict for result in end.results] == ["delivered", "delivered"]
    assert end.usable
    assert room.server.handler.bodies == [b"Received: x\r\n" + body]
    room.client.quit(0.0)
    room.carry()
    assert room.client.stage == "closed"
    assert room.server.closing


@given(offers)
def test_a_refused_envelope_leaves_a_session_that_works(offer: str) -> None:
    room = Room(
        offer,
        "answer mail s@from.example: 451 4.7.1 later",
        "answer rcpt a@to.example: 550 5.1.1 no",
        "answer rcpt b@to.example: 550 5.1.1 no",
    )
    room.client.deliver(transaction(b"1\r\n"), 0.0)
    room.carry()
    refused = transaction(b"2\r\n")
    refused.reverse_path = "other@from.example"
    room.client.deliver(refused, 0.0)
    room.carry()
    good = Transaction(
        "t@from.example", [ForwardPath(address="c@to.example", domain="to.example")], b"", b"3\r\n", 3
    )
    room.client.deliver(good, 0.0)
    room.carry()
    verdicts = [[result.verdict for result in end.results] for end in room.finished()]
    assert verdicts == [["transient"] * 2, ["permanent"] * 2, ["delivered"]]
    assert room.server.handler.bodies == [b"3\r\n"]
