"""The engine of one worker in one piece: from what enters to what the peer gets, over a report, an end and a start."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.metrics import Counters
from angarium.core.records import Event, Message
from angarium.delivery.router import Router
from angarium.engine.engine import Engine
from angarium.spool.embedded import open_partition
from angarium.spool.port import Selection
from angarium.testing.engine import NoDns, engine_on
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S, free_port
from angarium.testing.sink import Sink
from angarium.testing.spool import SMALL, make_message

TEXT = b"Subject: hello\r\n\r\ntext\r\n"


@asynccontextmanager
async def engine_to(port: int, folder: Path) -> AsyncIterator[Engine]:
    """One run of an engine on the partition in *folder*, whose mail goes to *port* of this machine."""
    config = parse_config(f'Hostname = "mail.test"\nRoutes = ( "smtp://127.0.0.1?port={port}" )')
    spool = open_partition(folder, asyncio.get_running_loop(), SMALL)
    engine = await engine_on(spool, config, SystemClock(), kept_log(), Counters(), Router(NoDns(), config))
    _, recovered = engine.recover()
    engine.acceptance.add(recovered)
    yield engine
    await engine.drain.drain(PATIENCE_S)
    await spool.close()


async def enter(engine: Engine, message: Message) -> None:
    """Hand *message* in, and wait until it is durable."""
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    engine.acceptance.enter(message, TEXT, done.set_result)
    assert await done is None


async def events_of(engine: Engine, message: Message) -> list[Event]:
    """Return what has happened to *message*, as soon as something has."""
    while True:
        _, events = await engine.spool.history(message.id)
        if events:
            return events


def fresh_message() -> Message:
    return make_message("to.example", size=len(TEXT), received_at=SystemClock().now())


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(in_time())


def test_what_enters_leaves_and_its_end_is_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, engine_to(sink.address[1], tmp_path) as engine:
            message = fresh_message()
            await enter(engine, message)
            (event,) = await events_of(engine, message)
            assert (event.type, event.state, event.attempts) == ("delivered", "delivered", 1)
            (received,) = sink.messages
            assert (received.recipients, received.data) == (("r0@to.example",), TEXT)
            assert engine.scheduler.census.resident == 0

    play(story)


def test_the_sender_of_what_is_refused_gets_a_report(tmp_path: Path) -> None:
    async def story() -> None:
        script = "on rcpt to r0@*: reply 550 5.1.1 no such user"
        async with Sink(script) as sink, engine_to(sink.address[1], tmp_path) as engine:
            message = fresh_message()
            await enter(engine, message)
            (event,) = await events_of(engine, message)
            assert (event.type, str(event.reply)) == ("bounced", "550 5.1.1 no such user")
            await sink.wait_for_messages(1)
            (report,) = sink.messages
            assert (report.reverse_path, report.recipients) == ("", ("from@example.org",))

    play(story)


def test_what_one_run_could_not_deliver_the_next_one_does(tmp_path: Path) -> None:
    async def story() -> None:
        message = fresh_message()
        async with engine_to(free_port(), tmp_path) as engine:
            engine.scheduler.drain()  # nothing is tried
            await enter(engine, message)
        async with Sink() as sink, engine_to(sink.address[1], tmp_path) as engine:
            (event,) = await events_of(engine, message)
            assert event.type == "delivered"
            assert [each.data for each in sink.messages] == [TEXT]

    play(story)


def test_what_is_to_leave_later_waits_in_the_store_and_its_time_begins_then(tmp_path: Path) -> None:
    async def story() -> None:
        message = fresh_message()
        due_at = message.received_at + 10 * 86_400
        async with engine_to(free_port(), tmp_path) as engine:
            await enter(engine, replace(message, due_at=due_at))
            assert engine.scheduler.census.resident == 0
        async with engine_to(free_port(), tmp_path) as engine:
            (waiting,) = await engine.spool.select(Selection(message=message.id), None, 10)
            assert (waiting.due_at, waiting.state) == (due_at, "queued")
            assert engine.view.ends_at(waiting) > due_at

    play(story)


def test_mail_for_a_sandbox_ends_as_delivered_and_no_peer_hears_of_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, engine_to(sink.address[1], tmp_path) as engine:
            message = replace(fresh_message(), fate="sandbox")
            await enter(engine, message)
            (event,) = await events_of(engine, message)
            assert (event.state, event.attempt, event.note) == (
                "delivered",
                None,
                "its server is a sandbox: nothing was sent",
            )
            assert str(event.reply) == "250 2.0.0 [internal] delivered nowhere: a sandbox"
            assert sink.counters.connections == 0

    play(story)
