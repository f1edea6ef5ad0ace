"""One outbound connection after another, as a worker makes them, with no scheduler and no spool around.

caller = Caller(Address("mx.test", *sink.address), OutboundOptions(tls="required"))
await caller.call()
caller.results[0].attempt.tls
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop

from angarium.config.records import OutboundOptions
from angarium.core.address import Address
from angarium.core.clock import SystemClock
from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import ForwardPath, Message, Origin, QueueKey, Recipient
from angarium.delivery.connection import Connection
from angarium.delivery.dialing import Dialer
from angarium.engine.trace import TraceHub
from angarium.queue.commands import Connect, ConnectFailure, Deliver, Result
from angarium.queue.plan import Method
from angarium.testing.programs import PATIENCE_S

T = TypeVar("T")
BODY = b"Subject: hello\r\n\r\ntext\r\n"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


_CLIENT = Origin(listener="default", peer="192.0.2.7:4711", helo="app.test", protocol="ESMTP")


def run_on(loop: str, work: Awaitable[T]) -> T:
    """Run *work* on a fresh loop of that kind; TimeoutError if it takes too long."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await work

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(bounded())


def a_message(number: int = 1, origin: Origin = _CLIENT, account: int = 0) -> Recipient:
    """A recipient whose message came from *origin*."""
    made = Message(
        id=MessageId(number.to_bytes(16, "big")),
        received_at=1000.0,
        reverse_path="me@from.test",
        recipients=(ForwardPath(address="you@to.test", domain="to.test"),),
        binding="default",
        lane=0,
        tenant="a",
        trace=b"Received: x\r\n",
        body_size=len(BODY),
        origin=origin,
        account=account,
    )
    return Recipient(made, 0, "default", "to.test")


@dataclass
class OutboundCaller:
    """Opens connections to *address* under *options*, and hands messages over. What came of it is noted."""

    address: Address
    options: OutboundOptions
    method: Method = "ESMTP"
    domain: str = "to.test"
    failures: list[ConnectFailure] = field(default_factory=list)
    retries: list[ConnectFailure] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.traces = TraceHub()
        self.traces.start("test", self.domain, None, self._hear)
        self.counters = Counters()
        self.dialer = Dialer(self, self.traces, SystemClock(), Log(2, level="error"), self.counters)
        self._changed = asyncio.Event()
        self._opened: Connection | None = None
        self._number = 0

    # -- what a test does

    async def call(self, *recipients: Recipient) -> Connection | None:
        """Open a connection and hand *recipients* over, one by one; return it, None if it did not open."""
        connection = await self.open()
        for recipient in recipients or (a_message(),):
            if connection is not None:
                await self.deliver(connection, recipient)
        return connection

    async def open(self) -> Connection | None:
        """Open a connection; None if it failed."""
        self._number += 1
        self._opened = None
        before = len(self.failures)
        queue = QueueKey("default", self.domain)
        self.dialer.connect(Connect(self._number, queue, self.address, self.method, self.options))
        await self._until(lambda: self._opened is not None or len(self.failures) > before)
        return self._opened

    async def deliver(self, connection: Connection, recipient: Recipient) -> Result:
        """Hand one message over; return what came of it."""
        before = len(self.results)
        connection.deliver(Deliver(connection.id, connection.queue, [recipient]), BODY, b"Received: x\r\n")
        await self._until(lambda: len(self.results) > before)
        return self.results[-1]

    def said(self, direction: str) -> list[str]:
        """The lines of one side, C or S."""
        return [line[3:] for line in self.lines if line.startswith(direction)]

    async def heard(self, line: str) -> None:
        """Return once the peer has said *line*."""
        await self._until(lambda: line in self.said("S"))

    async def until_ended(self, conn: int) -> None:
        """Return once the socket of connection *conn* has ended."""
        await self._until(lambda: conn in self.ended)

    def _hear(self, record: dict[str, Any]) -> None:
        self.lines.append(f"{record['direction']}: {record['line']}")
        self._changed.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # -- connection.Owner

    def connection_opened(self, connection: Connection) -> None:
        """See connection.Owner. It is ready for mail."""
        self._opened = connection
        self._changed.set()

    def connection_failed(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner. It never became ready."""
        self.failures.append(failure)
        self._changed.set()

    def connection_retried(self, connection: Connection, failure: ConnectFailure) -> None:
        """See connection.Owner. It is opened again."""
        self.retries.append(failure)
        self.dialer.connect_again(connection, failure)

    def transaction_finished(self, connection: Connection, results: list[Result], usable: bool) -> None:
        """See connection.Owner. A transaction has ended."""
        self.results += results
        self._changed.set()

    def connection_closed(self, connection: Connection) -> None:
        """See connection.Owner. It was idle."""
        self._changed.set()

    def connection_ended(self, connection: Connection) -> None:
        """See connection.Owner. Its socket has ended."""
        self.ended.append(connection.id)
        self._changed.set()

    def body_wanted(self, connection: Connection) -> None:
        """See connection.Owner. Not asked for here."""
        raise AssertionError("the body was given whole")

    def downgrade_wanted(self, connection: Connection) -> None:
        """See connection.Owner. Not asked for here."""
        raise AssertionError("the body is 7-bit")
