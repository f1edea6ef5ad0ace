"""What nobody foresaw ends an attempt or a connection, a fault of ours included: no mail stays in flight for good."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from angarium.config.records import OutboundOptions
from angarium.core.address import Address
from angarium.core.clock import SystemClock
from angarium.core.log import Log
from angarium.core.records import QueueKey
from angarium.delivery.connection import Connection
from angarium.delivery.handover import Handover
from angarium.queue.commands import Deliver, Result
from angarium.spool.port import LargeBody
from angarium.testing.caller import LOOPS, OutboundCaller, a_message, run_on
from angarium.testing.sink import Sink

LOGIN = OutboundOptions(
    ehlo_hostname="mail.test",
    outbound_smtp_auth_type="plain",
    outbound_smtp_auth_user="me",
    connect_timeout=1,
)


class Peer:
    """A connection as far as the handover knows it."""

    def __init__(self) -> None:
        self.id = 1
        self.is_over = False
        self.past_final_dot = False
        self.command = SimpleNamespace(options=LOGIN)
        self.recipient = a_message()
        self.message = self.recipient.message
        self.body: Any = b"text"
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def deliver(self, command: Deliver, body: bytes, head: bytes, return_path: str) -> None:
        raise KeyError("unforeseen")

    def quit(self) -> None:
        self.is_over = True

    def refuse_held(self, reply: object) -> None:
        self.ended.set_result(str(reply))


class Bodies:
    """A spool that has the bodies in memory, or fails to read them."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body

    def body_now(self, message: object) -> bytes | None:
        return self.body

    async def load_body(self, message: object) -> bytes:
        raise KeyError("unforeseen")


def hand_over(spool: Bodies, act: Callable[[Handover, Peer], Awaitable[None]]) -> list[tuple[str, bool]]:
    """Return the verdicts of what ended, and whether its connection could be used further."""
    ended: list[tuple[str, bool]] = []

    async def scene() -> None:
        news = asyncio.Event()

        def finished(conn: int, results: list[Result], usable: bool) -> None:
            ended.extend((result.verdict, usable) for result in results)
            news.set()

        log = Log(os.open(os.devnull, os.O_WRONLY))
        parts: Any = spool, None
        handover = Handover(*parts, SystemClock(), log, finished, lambda: None, None)
        peer = Peer()
        async with asyncio.timeout(20):
            await act(handover, peer)
            if not peer.ended.done():
                await news.wait()

    asyncio.run(scene())
    return ended


def start(handover: Handover, peer: Any) -> None:
    handover.deliver(Deliver(1, QueueKey("default", "to.test"), [peer.recipient]), peer)


@pytest.mark.parametrize("verdict", ["transient", "ambiguous"])
def test_a_transaction_that_cannot_be_begun_ends(verdict: str) -> None:
    async def act(handover: Handover, peer: Peer) -> None:
        peer.past_final_dot = verdict == "ambiguous"
        with pytest.raises(KeyError):
            start(handover, peer)
        assert peer.is_over

    assert hand_over(Bodies(b"text"), act) == [(verdict, False)]


def test_a_body_that_cannot_be_loaded_for_an_unforeseen_reason_ends_the_transaction() -> None:
    async def act(handover: Handover, peer: Peer) -> None:
        start(handover, peer)

    assert hand_over(Bodies(None), act) == [("transient", False)]


def test_a_large_body_that_cannot_be_opened_for_its_conversion_is_tried_later(tmp_path: Path) -> None:
    """There may be no descriptor for it at the moment."""

    async def act(handover: Handover, peer: Any) -> None:
        peer.body = LargeBody(tmp_path / "not there", 100)
        handover.convert(peer)
        assert (await peer.ended).startswith("451 4.3.0")

    assert hand_over(Bodies(b"text"), act) == []


class Broken:
    """A path that fails in an unforeseen way."""

    def open(self, mode: str) -> None:
        raise KeyError("unforeseen")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_that_fails_by_a_fault_of_ours_has_failed_for_its_owner(loop: str) -> None:
    async def work() -> None:
        async with Sink("") as sink:
            file: Any = Broken()
            options = replace(LOGIN, outbound_smtp_auth_pass_file=file)
            caller = OutboundCaller(Address("mx1.test", *sink.address), options)
            assert await caller.open() is None
            assert caller.failures[0].fault == "address"

    run_on(loop, work())


@pytest.mark.slow
def test_a_file_that_cannot_be_read_in_time_holds_no_connection(tmp_path: Path) -> None:
    fifo = tmp_path / "password"
    os.mkfifo(fifo)

    async def work() -> None:
        async with Sink("") as sink:
            caller = OutboundCaller(
                Address("mx1.test", *sink.address), replace(LOGIN, outbound_smtp_auth_pass_file=fifo)
            )
            assert await caller.open() is None
            assert caller.failures[0].fault == "site"
            os.close(os.open(fifo, os.O_RDWR))  # lets the thread end

    run_on("uvloop", work())


@pytest.mark.parametrize("loop", LOOPS)
def test_the_socket_to_a_peer_that_reads_no_further_is_closed_when_its_time_is_up(loop: str) -> None:
    """What it has not read would keep the socket for ever, and each further attempt another one."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stall.test\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 ok\r\n")
        writer.write(b"354 go on\r\n")
        await over.wait()
        writer.transport.abort()

    async def work() -> None:
        server = await asyncio.start_server(stall, "127.0.0.1", limit=1000)
        caller = OutboundCaller(
            Address("mx1.test", *server.sockets[0].getsockname()), OutboundOptions(ehlo_hostname="me.test")
        )
        connection = await caller.open()
        assert isinstance(connection, Connection)
        recipient = a_message()
        connection.deliver(Deliver(1, connection.queue, [recipient]), b"0123456789\r\n" * 2_000_000, b"")
        await caller.heard("354 go on")
        connection.check(SystemClock.now() + 100_000)
        assert len(caller.results) == 1
        await connection.gone.wait()
        over.set()
        server.close()

    over = asyncio.Event()
    run_on(loop, work())


@pytest.mark.parametrize(
    ("number", "bind", "fault"),
    [
        (errno.EMFILE, None, "local"),
        (errno.EADDRNOTAVAIL, "127.0.0.1", "local"),
        (errno.EADDRNOTAVAIL, None, "address"),
        (errno.EPERM, "127.0.0.1", "address"),
        (errno.EACCES, None, "address"),
        (errno.ECONNREFUSED, None, "address"),
    ],
)
def test_a_peer_that_our_machine_may_not_call_is_no_reason_to_call_nobody(
    number: int, bind: str | None, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter forbids one address; a lack of descriptors, or of the address to call from, forbids all."""

    async def connect(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    async def work() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect)
        caller = OutboundCaller(Address("mx1.test", "127.0.0.1", 25), OutboundOptions(bind_address=bind))
        assert await caller.open() is None
        assert caller.failures[0].fault == fault

    asyncio.run(work())


@pytest.mark.parametrize(
    ("script", "options", "fault", "on_terms"),
    [
        ("on connect: reply 554 5.7.1 your address is on a list; close", {}, "address", False),
        ("on connect: reply 521 5.3.2 no mail here; close", {}, "address", False),
        ("on connect: reply 421 4.7.0 too many; close", {}, "address", False),
        ("on connect: close", {}, "address", False),
        ("on ehlo: reply 550 5.7.1 not by that name", {}, "address", False),
        ("on ehlo: reply 550 5.7.1 not by that name", {"tls": "required"}, "address", True),
        ("", {"tls": "required"}, "address", True),
        ("", {"xclient": "required"}, "address", True),
        ("tls starttls\non starttls: reply 454 4.7.0 not now", {"tls": "required"}, "address", True),
    ],
)
def test_what_a_peer_says_speaks_against_its_address_and_for_all_or_for_those_who_want_more(
    script: str, options: dict[str, Any], fault: str, on_terms: bool
) -> None:
    async def work() -> None:
        async with Sink(script) as sink:
            settings = OutboundOptions(ehlo_hostname="me.test", **options)
            caller = OutboundCaller(Address("mx1.test", *sink.address), settings)
            assert await caller.open() is None
            [failure] = caller.failures
            assert (failure.fault, failure.on_terms) == (fault, on_terms)

    asyncio.run(work())
