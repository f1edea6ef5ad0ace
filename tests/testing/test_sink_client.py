"""The client machine and the sink over a real connection: what is sent is what arrives."""

import asyncio

import pytest

from angarium.core.records import ForwardPath
from angarium.smtp.client.events import (
    ClientEvent,
    ClientSettings,
    Closed,
    NeedPieces,
    Ready,
    Transaction,
    TransactionFinished,
)
from angarium.smtp.client.machine import ClientMachine
from angarium.testing.programs import PATIENCE_S
from angarium.testing.sink import Sink

HEAD = b"Received: by here\r\n"
BODIES = [
    b"Subject: x\r\n\r\nhello\r\n",
    b".\r\n..\r\n.\r\n",
    b"no line end",
    b"",
    b"Subject: large\r\n\r\n" + b"." * 100_000 + b"\r\n.end",
]


class Shell(asyncio.Protocol):
    """Delivers transactions one after another, bodies whole or in pieces of 999 bytes."""

    def __init__(self, machine: ClientMachine, bodies: list[bytes], in_pieces: bool) -> None:
        self.machine = machine
        self.bodies = bodies
        self.in_pieces = in_pieces
        self.sent = 0
        self.finished: list[TransactionFinished] = []
        self.closed = asyncio.get_running_loop().create_future()
        self.clock = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.machine.start(self.clock())

    def data_received(self, data: bytes) -> None:
        self.machine.receive(data, self.clock())
        self.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self.machine.connection_lost(self.clock())
        self.go_on()

    def go_on(self) -> None:
        self.transport.writelines(self.machine.take_output())
        for event in self.machine.take_events():
            self.obey(event)

    def obey(self, event: ClientEvent) -> None:
        now = self.clock()
        match event:
            case Ready():
                self.next(now)
            case NeedPieces():
                body = self.bodies[self.sent - 1]
                for at in range(0, len(body), 999):
                    self.machine.feed(body[at : at + 999], False, now)
                self.machine.feed(b"", True, now)
                self.go_on()
            case TransactionFinished():
                self.finished.append(event)
                if event.usable:
                    self.next(now)
            case Closed():
                self.transport.close()
                self.closed.set_result(None)

    def next(self, now: float) -> None:
        if self.sent == len(self.bodies):
            self.machine.quit(now)
        else:
            body = self.bodies[self.sent]
            paths = [
                ForwardPath(address="b@to.example", domain="to.example"),
                ForwardPath(address="c@to.example", domain="to.example"),
            ]
            whole = None if self.in_pieces else body
            self.machine.deliver(Transaction("a@from.example", paths, HEAD, whole, len(body)), now)
            self.sent += 1
        self.go_on()


async def deliver(
    sink: Sink, settings: ClientSettings, bodies: list[bytes], in_pieces: bool = False
) -> list[TransactionFinished]:
    async with asyncio.timeout(PATIENCE_S):
        _, shell = await asyncio.get_running_loop().create_connection(
            lambda: Shell(ClientMachine(settings), bodies, in_pieces), *sink.address
        )
        await shell.closed
        return shell.finished


@pytest.mark.parametrize("in_pieces", [False, True])
@pytest.mark.parametrize(
    "offer", ["", "withhold CHUNKING", "withhold PIPELINING", "withhold all", "protocol lmtp"]
)
def test_every_body_arrives_as_it_is(offer: str, in_pieces: bool) -> None:
    async def run() -> tuple[list[TransactionFinished], Sink]:
        async with Sink(offer) as sink:
            settings = ClientSettings(ehlo_name="me", method="LMTP" if "lmtp" in offer else "ESMTP")
            return await deliver(sink, settings, BODIES, in_pieces), sink

    finished, sink = asyncio.run(run())
    verdicts = [[result.verdict for result in end.results] for end in finished]
    assert verdicts == [["delivered", "delivered"]] * len(BODIES)
    wanted = [HEAD + body + (b"" if not body or body.endswith(b"\r\n") else b"\r\n") for body in BODIES]
    assert [message.data for message in sink.messages] == wanted


@pytest.mark.parametrize(
    ("script", "verdicts"),
    [
        ("on rcpt to b@*: reply 550 5.1.1 no", ["permanent", "delivered"]),
        ("on mail: reply 421 4.3.2 busy; close", ["transient", "transient"]),
        ("withhold CHUNKING\non data: close", ["transient", "transient"]),
        ("withhold CHUNKING\non body: close", ["ambiguous", "ambiguous"]),
        ("on final: keep; close", ["ambiguous", "ambiguous"]),
        ("on final: close", ["ambiguous", "ambiguous"]),
        ("on final: drip 0.0005; reply 451 4.3.0 later", ["transient", "transient"]),
        ("on connect: delay 0.01\non final: delay 0.01", ["delivered", "delivered"]),
    ],
)
def test_the_client_tells_what_the_script_did(script: str, verdicts: list[str]) -> None:
    async def run() -> list[TransactionFinished]:
        async with Sink(script) as sink:
            return await deliver(sink, ClientSettings(ehlo_name="me"), [b"x\r\n"])

    [end] = asyncio.run(run())
    assert [result.verdict for result in end.results] == verdicts
