"""Crash tests of the spool: a day in a partition's life, broken at every disk call in every way, then
recovered.

What must hold, whatever happened:

- a message that was acknowledged is there, whole, or its recipients' ends had been recorded;
- a message that was refused, or never offered, is not there;
- of messages that were offered together all are there or none, but for those whose ends had been recorded;
- a recipient whose end is durable does not come back;
- a recipient is in no older state than the last one that was durable, nor in one that was never recorded;
- a bounce message that was accepted before the event of its cause is there when the event is;
- a spool that lives on after a failure says of each flow what the settled store holds;
- all this stays so when the partition is recovered again, also when that recovery is broken off.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from msgspec.structs import replace as replace_fields

from angarium.core.ids import MessageId, new_id
from angarium.core.records import TERMINAL, Event, Fact, ForwardPath, Message, Origin, Recipient
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import Body, LargeBody, Selection, SpoolError, Then
from angarium.testing.disk import FAILURES, FailingDisk, Failure
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, SMALL, make_content, recipients_of

SETTINGS = replace(
    SMALL,
    segment_bytes=16 << 10,
    resident_body_bytes=8 << 10,
    max_resident=12,
    store_reserve_bytes=0,
    store_sync_delay_s=0.02,
)


class BrokenPromise(AssertionError):
    """The spool lost, invented or damaged something."""


class Died(Exception):
    """The disk is gone: the process would be, too."""


@dataclass(slots=True)
class CrashReport:
    """What a run of the matrix did. *broken* has a sentence for each promise that did not hold."""

    runs: int = 0
    calls: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Fate:
    """What was said of one recipient: the highest seq recorded, the highest durable, and the events by
    seq.
    """

    recipient: Recipient
    durable: int = 0
    events: dict[int, Event] = field(default_factory=dict)


@dataclass(slots=True)
class CrashLedger:
    """What the spool was told and what it answered."""

    bodies: dict[MessageId, bytes] = field(default_factory=dict)
    acknowledged: set[MessageId] = field(default_factory=set)
    refused: set[MessageId] = field(default_factory=set)
    fates: dict[tuple[MessageId, int], Fate] = field(default_factory=dict)
    causes: dict[MessageId, tuple[MessageId, int]] = field(default_factory=dict)
    data: dict[MessageId, bytes] = field(default_factory=dict)
    groups: list[list[MessageId]] = field(default_factory=list)


class Day:
    """One partition's day, with every answer noted in the ledger."""

    def __init__(self, partition: Partition, ledger: CrashLedger, died: asyncio.Event, seed: int) -> None:
        self.partition = partition
        self.ledger = ledger
        self.died = died
        self.random = Random(seed)
        self._clock = NOW

    def message(self, recipients: int, size: int, origin: Origin | None = None) -> Message:
        """Make a message with a body of *size* bytes, known to the ledger."""
        self._clock += 1
        paths = tuple(
            ForwardPath(address=f"r{n}@to{n}.example", domain=f"to{n}.example") for n in range(recipients)
        )
        origin = origin or Origin(
            listener="listener", peer="192.0.2.1:1", helo="x", protocol="ESMTP", session="s"
        )
        message_id = new_id(self._clock)
        message = Message(
            id=message_id,
            received_at=self._clock,
            reverse_path="a@from.example",
            recipients=paths,
            binding="default",
            lane=0,
            tenant="tenant",
            trace=b"",
            body_size=size,
            origin=origin,
        )
        self.ledger.bodies[message_id] = self.random.randbytes(size)
        return message

    async def _wait(self, answers: "list[asyncio.Future[SpoolError | None]]") -> None:
        death = asyncio.ensure_future(self.died.wait())
        everything = asyncio.gather(*answers)
        await asyncio.wait((death, everything), return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
        death.cancel()
        if self.died.is_set():
            everything.cancel()
            await asyncio.gather(death, everything, return_exceptions=True)
            raise Died
        if not everything.done():
            raise BrokenPromise("the spool did not answer in time")

    def _accept(self, message: Message, body: Body, settled: bool) -> "asyncio.Future[SpoolError | None]":
        answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self.partition.accept(message, body, self._offered([message], answer), settled=settled)
        return answer

    def _offered(self, messages: Sequence[Message], answer: "asyncio.Future[SpoolError | None]") -> Then:
        """Note that messages are offered; return what is to be told the answer."""
        ledger, ids = self.ledger, {message.id for message in messages}
        for r in (r for message in messages for r in recipients_of(message)):
            ledger.fates[r.key] = Fate(r)

        def then(error: SpoolError | None) -> None:
            if error is None:
                ledger.acknowledged |= ids
            elif not self.died.is_set():
                ledger.refused |= ids
            if not answer.done():
                answer.set_result(error)

        return then

    async def together(
        self, count: int, *, data_bytes: int, body: bytes = b"", large: bool = False
    ) -> list[Message]:
        """Offer messages together, all or none: of *data_bytes* each, or with so much beside a *body* that they share.

        Return them if they were taken.
        """
        messages = [self.message(1, data_bytes) for _ in range(count)]
        shared = make_content(body)
        if body:
            messages = [replace_fields(m, content=shared.content.id, body_size=len(body)) for m in messages]
            self.ledger.data.update((m.id, self.ledger.bodies[m.id]) for m in messages)
        offers: list[tuple[Message, Body]] = [(m, self.ledger.bodies[m.id]) for m in messages]
        if body:
            self.ledger.bodies.update((m.id, body) for m in messages)
        if large:
            writer = self.partition.large_body(shared.content.id)
            try:
                await writer.write(body)
                shared = shared._replace(body=await writer.finish())
            except SpoolError:
                writer.discard()
                return []
        self.ledger.groups.append([m.id for m in messages])
        answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        then = self._offered(messages, answer)
        self.partition.accept_all(offers, then, contents=[shared] if body else [])
        await self._wait([answer])
        return [m for m in messages if m.id in self.ledger.acknowledged]

    async def accept(self, *messages: Message, settled: bool = False) -> list[Message]:
        """Offer messages together; return those that were taken."""
        await self._wait([self._accept(m, self.ledger.bodies[m.id], settled) for m in messages])
        return [m for m in messages if m.id in self.ledger.acknowledged]

    async def accept_large(self, message: Message) -> None:
        """Offer a message with a large body."""
        writer = self.partition.large_body(message.id)
        body = self.ledger.bodies[message.id]
        try:
            for start in range(0, len(body), 1000):
                await writer.write(body[start : start + 1000])
            large = await writer.finish()
        except SpoolError:
            writer.discard()
            return
        await self._wait([self._accept(message, large, False)])

    def tell(
        self, message: Message, index: int, state: str, wait: bool
    ) -> "asyncio.Future[SpoolError | None]":
        """Record an event of a recipient: an end, or a delay."""
        fate, answer = self.ledger.fates[message.id, index], asyncio.get_running_loop().create_future()
        r = fate.recipient
        if state in TERMINAL:
            event = r.event("bounced" if state == "bounced" else "delivered", NOW, state)  # type: ignore[arg-type]
        else:
            event = r.event("delayed", NOW, "queued", due_at=NOW + r.seq, attempts=r.attempts + 1)
        r.apply(event)
        fate.events[event.seq] = event

        def then(error: SpoolError | None) -> None:
            if error is None:
                fate.durable = max(fate.durable, event.seq)
            if not answer.done():
                answer.set_result(error)

        self.partition.record([event], then if wait else None)
        if not wait:
            answer.set_result(None)
        return answer

    async def record(self, message: Message, index: int, state: str, *, wait: bool = True) -> None:
        """Record an event of an accepted message's recipient."""
        if message.id in self.ledger.acknowledged:
            await self._wait([self.tell(message, index, state, wait)])

    async def settle(self, *keys: tuple[Message, int]) -> None:
        """Settle recipients."""
        given = [self.ledger.fates[m.id, n].recipient for m, n in keys if m.id in self.ledger.acknowledged]
        answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()

        def then(error: SpoolError | None) -> None:
            if not answer.done():
                answer.set_result(error)

        self.partition.settle(given, then)
        await self._wait([answer])

    async def page(self) -> None:
        """Take settled recipients of every flow into memory, end one of two, delay the others and give them
        back.
        """
        for flow in list(self.partition.flows()):
            try:
                paged = await asyncio.wait_for(self.partition.page(flow, NOW * 2, 3), PATIENCE_S)
            except SpoolError:
                continue
            for number, recipient in enumerate(paged):
                self.ledger.fates[recipient.key].recipient = recipient
                await self.record(recipient.message, recipient.index, "queued" if number % 2 else "delivered")
            await self.settle(*[(r.message, r.index) for number, r in enumerate(paged) if number % 2])

    async def bounce(self, cause: Message) -> None:
        """Accept a bounce message and record the bounce behind it, without waiting in between."""
        if cause.id in self.ledger.acknowledged:
            bounce = self.message(1, 300, Origin())
            self.ledger.causes[bounce.id] = (cause.id, 0)
            accepted = self._accept(bounce, self.ledger.bodies[bounce.id], False)
            await self._wait([accepted, self.tell(cause, 0, "bounced", True)])

    async def live(self) -> None:
        """The day: enough of everything for segments to be filled, released, used again and relieved."""
        straggler = await self.accept(self.message(2, 500))
        first = [m for size in (0, 200, 3000) for m in await self.accept(self.message(1, size))]
        group = await self.accept(*[self.message(2, 700) for _ in range(4)])
        for m in first[:2]:
            await self.record(m, 0, "delivered", wait=False)
        for m in group:
            await self.record(m, 0, "queued")
            await self.record(m, 1, "queued", wait=m is group[0])
        await self.settle(*[(m, n) for m in group[:3] for n in (0, 1)])
        crowd = await self.together(4, data_bytes=200, body=self.random.randbytes(1500))
        for m in crowd[:1]:
            await self.record(m, 0, "delivered", wait=False)
        await self.settle(*[(m, 0) for m in crowd[1:2]])
        await self.page()
        await self.accept(self.message(3, 900), settled=True)
        for m in (await self.together(2, data_bytes=9, body=self.random.randbytes(9000), large=True))[:1]:
            await self.record(m, 0, "delivered", wait=False)
        large = self.message(1, 20_000), self.message(2, 9_000)
        for m in large:
            await self.accept_large(m)
        await self.record(large[0], 0, "delivered")
        await self.settle((large[1], 0))
        for m in first[2:]:
            await self.bounce(m)
        for number in range(9):
            self.partition.note([Fact(kind="refusal", id=new_id(NOW), at=NOW, fields={"reply": "550 no"})])
            if number % 3:
                some = await self.accept(*[self.message(1, 2500) for _ in range(4)])
            else:
                some = await self.together(4, data_bytes=2500)
            for m in some:
                await self.record(m, 0, "delivered", wait=False)
        await self.record(large[1], 1, "delivered")
        await self.page()
        for m in straggler + crowd[2:3]:
            await self.record(m, 0, "delivered")
        await self.agree()

    async def agree(self) -> None:
        """See that the spool, still running, says of the settled store what is in it: flows that it does not name
        are never paged again. Raises BrokenPromise.
        """
        news = asyncio.Event()
        self.partition.on_flow(lambda flow, summary: news.set())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await self.partition.count(Selection()) != self._told():
                    await news.wait()
                    news.clear()
        except TimeoutError:
            stored = await self.partition.count(Selection())
            told = f"the flows count {self._told()} recipients"
            raise BrokenPromise(f"{told}, the running store has {stored}") from None

    def _told(self) -> int:
        return sum(summary.queued + summary.held for summary in self.partition.flows().values())


async def _body(partition: Partition, message: Message) -> bytes:
    body = await partition.load_body(message)
    return await asyncio.to_thread(body.path.read_bytes) if isinstance(body, LargeBody) else body


async def check(path: Path, ledger: CrashLedger) -> None:
    """Recover the partition with a sound disk and compare. Raises BrokenPromise."""
    partition = open_partition(path, asyncio.get_running_loop(), SETTINGS)
    try:
        _, recipients = partition.recover()
        found = {r.key: r for r in recipients}
        if len(found) != len(recipients):
            raise BrokenPromise("a recipient was recovered twice")
        settled = await partition.select(Selection(), None, 10_000)
        for r in settled:
            if r.key in found:
                raise BrokenPromise(f"{r} is both live and settled")
            found[r.key] = r
        count = sum(s.queued + s.held for s in partition.flows().values())
        if count != len(settled):
            raise BrokenPromise(f"the flows count {count} recipients, the store has {len(settled)}")
        _compare(found, ledger)
        for message_id in {message_id for message_id, _ in found}:
            message = next(r.message for r in found.values() if r.message.id == message_id)
            if await _body(partition, message) != ledger.bodies[message_id]:
                raise BrokenPromise(f"the body of message {message_id.hex()} was damaged")
            if await partition.load_data(message) != ledger.data.get(message_id, b""):
                raise BrokenPromise(f"what is message {message_id.hex()}'s own was damaged")
    finally:
        await partition.close()


def _compare(found: dict[tuple[MessageId, int], Recipient], ledger: CrashLedger) -> None:
    for key, r in found.items():
        fate = ledger.fates.get(key)
        if fate is None:
            raise BrokenPromise(f"{r} was invented")
        if key[0] in ledger.refused:
            raise BrokenPromise(f"{r} had been refused")
        if r.seq < fate.durable:
            raise BrokenPromise(f"{r} is at event {r.seq}, and {fate.durable} had been durable")
        if r.seq and (event := fate.events[r.seq]) and (event.state, event.due_at) != (r.state, r.due_at):
            raise BrokenPromise(f"{r} is not as its event {r.seq} left it")
    for key, fate in ledger.fates.items():
        ended = any(event.state in TERMINAL for event in fate.events.values())
        if key[0] in ledger.acknowledged and key not in found and not ended:
            raise BrokenPromise(f"{fate.recipient} was lost")
    for group in ledger.groups:
        here = {message_id for message_id in group if any(key[0] == message_id for key in found)}
        told = {key[0] for key, fate in ledger.fates.items() if fate.events}
        if here and set(group) - here - told:
            raise BrokenPromise(f"of {len(group)} messages that belong together only {len(here)} are there")
    for bounce, cause in ledger.causes.items():
        if cause not in found and (bounce, 0) not in found:
            raise BrokenPromise(f"the bounce message of {ledger.fates[cause].recipient} is missing")


async def _live_through(path: Path, disk: FailingDisk, ledger: CrashLedger, seed: int) -> None:
    loop, died = asyncio.get_running_loop(), asyncio.Event()

    def on_death() -> None:
        loop.call_soon_threadsafe(died.set)

    disk.on_death = on_death
    try:
        partition = open_partition(path, loop, SETTINGS, disk)
    except SpoolError:
        return
    try:
        partition.recover()
        await Day(partition, ledger, died, seed).live()
    except (Died, SpoolError):
        pass
    finally:
        if seed % 2 and disk.failure in ("error", "full"):
            disk.cut_power()
        await partition.close()


def one_run(path: Path, failure: Failure, at: int, seed: int) -> int:
    """Live a day in a fresh *path* with a disk that fails at call *at*, recover and compare; twice, the first
    of them broken off as well. Returns how many disk calls the day made. Raises BrokenPromise."""
    shutil.rmtree(path, ignore_errors=True)
    disk, ledger = FailingDisk(failure, at, seed), CrashLedger()
    asyncio.run(_live_through(path, disk, ledger, seed))
    if disk.dead and failure == "power":
        disk.cut_power()
    disk.release()
    second = FailingDisk(failure, 1 + seed % 40, seed)
    asyncio.run(_break_off(path, second))
    second.release()
    for _ in range(2):
        asyncio.run(check(path, ledger))
    return disk.calls


async def _break_off(path: Path, disk: FailingDisk) -> None:
    """Begin a recovery that fails."""
    try:
        partition = open_partition(path, asyncio.get_running_loop(), SETTINGS, disk)
    except SpoolError:
        return
    try:
        partition.recover()
    except SpoolError:
        pass
    finally:
        if disk.failure == "power":
            disk.cut_power()
        await partition.close()


def matrix(calls: int, every: int) -> Iterator[tuple[Failure, int]]:
    """Yield the failures to try: at each *every*-th call, each failure at other calls than the one before."""
    for number, failure in enumerate(FAILURES):
        for at in range(1 + number % every, calls + 1, every):
            yield failure, at


def run_crash_matrix(
    progress: Callable[[int, int], None], directory: Path, every: int = 1, seed: int = 1
) -> CrashReport:
    """Break a day at every *every*-th disk call, in each way. *progress* is told how many runs of how many
    are done.
    """
    report = CrashReport(calls=one_run(directory / "whole", "error", 0, 0))
    runs = list(matrix(report.calls, every))
    for number, (failure, at) in enumerate(runs):
        try:
            one_run(directory / "broken", failure, at, seed + number)
        except BrokenPromise as broken:
            report.broken.append(f"{failure} at disk call {at}, seed {seed + number}: {broken}")
        report.runs += 1
        progress(report.runs, len(runs))
    return report
