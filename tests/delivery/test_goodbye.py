"""A connection has ended when its peer no longer counts it: told once, however it comes to that."""

from collections.abc import Awaitable, Callable

import pytest

from angarium.config.records import OutboundOptions
from angarium.core.clock import SystemClock
from angarium.delivery.connection import Connection
from angarium.queue.commands import Deliver
from angarium.queue.plan import Address
from angarium.testing.caller import BODY, LOOPS, OutboundCaller, a_message, run_on
from angarium.testing.sink import Sink

CLEAR = OutboundOptions(ehlo_hostname="me.test", quit_timeout=30)
TLS = OutboundOptions(ehlo_hostname="me.test", quit_timeout=30, tls="required")
SECURE = "tls starttls\n"

Act = Callable[[OutboundCaller], Awaitable[None]]


async def call_and_quit(caller: OutboundCaller) -> None:
    connection = await caller.call()
    assert connection is not None
    connection.quit()


async def call(caller: OutboundCaller) -> None:
    await caller.call()


async def lose_patience(caller: OutboundCaller) -> None:
    """Begin a transaction, and find its time over."""
    connection = await caller.open()
    assert connection is not None
    connection.deliver(Deliver(connection.id, connection.queue, [a_message()]), BODY, b"Received: x\r\n")
    await caller.heard("354 go ahead")
    connection.check(SystemClock().now() + 100_000)


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("options", "script", "act"),
    [
        pytest.param(CLEAR, "", call_and_quit, id="quit"),
        pytest.param(CLEAR, "on quit: delay 0.2", call_and_quit, id="quit answered late"),
        pytest.param(CLEAR, "on quit: drip 0.01", call_and_quit, id="quit answered in drips"),
        pytest.param(CLEAR, "on quit: close", call_and_quit, id="quit not answered"),
        pytest.param(TLS, SECURE, call_and_quit, id="quit, encrypted"),
        pytest.param(TLS, SECURE + "on quit: delay 0.2", call_and_quit, id="quit answered late, encrypted"),
        pytest.param(CLEAR, "on connect: reply 554 5.3.2 not here", call, id="refused by the greeting"),
        pytest.param(CLEAR, "on ehlo: reply 421 4.3.2 busy", call, id="refused at EHLO"),
        pytest.param(CLEAR, "on connect: close", call, id="closed instead of a greeting"),
        pytest.param(CLEAR, "on mail: reply 421 4.3.2 busy; close", call, id="421 in a transaction"),
        pytest.param(TLS, SECURE + "on mail: reply 421 4.3.2 busy; close", call, id="421, encrypted"),
        pytest.param(CLEAR, "withhold CHUNKING\non final: hang", lose_patience, id="time over"),
        pytest.param(TLS, SECURE + "on handshake: close", call, id="no handshake"),
    ],
)
def test_the_end_is_told_once_and_the_peer_counts_no_session_then(
    loop: str, options: OutboundOptions, script: str, act: Act
) -> None:
    async def work() -> None:
        async with Sink(script) as sink:
            caller = OutboundCaller(Address("mx1.test", *sink.address), options)
            await act(caller)
            await caller.until_ended(1)
            assert sink.counters.open_connections == 0
            connection = await caller.open()
            if connection is not None:
                connection.quit()
            await caller.until_ended(2)
            assert caller.ended == [1, 2]

    run_on(loop, work())


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("tls", "script"), [("no", ""), ("required", SECURE)])
def test_a_peer_that_does_not_answer_quit_is_waited_for_as_long_as_quit_timeout_says(
    loop: str, tls: str, script: str
) -> None:
    async def work() -> None:
        async with Sink(script + "on quit: hang") as sink:
            options = OutboundOptions(ehlo_hostname="me.test", quit_timeout=1, tls=tls)
            caller = OutboundCaller(Address("mx1.test", *sink.address), options)
            await call_and_quit(caller)
            assert caller.ended == []
            await caller.until_ended(1)
            await sink.wait_for(lambda: sink.counters.open_connections == 0)

    run_on(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_nobody_listens(loop: str) -> None:
    async def work() -> None:
        async with Sink() as sink:
            address = sink.address
        caller = OutboundCaller(Address("mx1.test", *address), CLEAR)
        assert await caller.open() is None
        assert caller.ended == [1]

    run_on(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_the_answer_to_quit_stands_in_the_trace(loop: str) -> None:
    async def work() -> None:
        async with Sink() as sink:
            caller = OutboundCaller(Address("mx1.test", *sink.address), CLEAR)
            await call_and_quit(caller)
            await caller.until_ended(1)
            assert caller.lines[-2:] == ["C: QUIT", "S: 221 2.0.0 bye"]

    run_on(loop, work())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_session_tried_in_another_way_is_begun_when_the_first_has_ended(loop: str) -> None:
    async def work() -> None:
        async with Sink(SECURE + "on handshake: close") as sink:
            options = OutboundOptions(ehlo_hostname="me.test", tls="ifavailable")
            caller = OutboundCaller(Address("mx1.test", *sink.address), options)
            connection = await caller.call()
            assert isinstance(connection, Connection)
            assert len(caller.retries) == 1
            assert caller.ended == []
            assert sink.counters.connections == 2
            assert sink.counters.most_connections == 1

    run_on(loop, work())
