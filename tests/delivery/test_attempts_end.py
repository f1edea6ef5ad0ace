"""Wherever an attempt is broken off, each of its recipients ends once, and what it took of a limit is there for others.

A scheduler that may have one connection in all hands out a message of two recipients. At one of the attempt's needs
something happens; then there is mail for another host, which needs that one connection.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from angarium.config.load import parse_config
from angarium.core.address import Address
from angarium.core.body import Body, LargeBody
from angarium.core.clock import SystemClock
from angarium.core.errors import AngariumError
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.core.reply import Reply
from angarium.delivery.handover import Handover
from angarium.queue.authority import Authority, Grant
from angarium.queue.commands import (
    Connect,
    Deliver,
    GiveBack,
    Lease,
    Quit,
    Resolve,
    Result,
    Settle,
    WriteEvents,
)
from angarium.queue.plan import Level, RoutePlan
from angarium.queue.scheduler import Scheduler
from angarium.render.dkim import Keys, SigningKey
from angarium.render.failure import GenerationFailure
from angarium.spool.port import SpoolError, Then
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.signing import mail_to_sign, make_key

LONG = b"From: a@example.com\r\nMIME-Version: 1.0\r\n\r\n" + b"word " * 500 + b"\r\n"
CONFIG = 'Max_Outbound_Connections = 1\nAmbiguous_Delivery = "hold"\n'
MESSAGE = msgspec.structs.replace(
    mail_to_sign(LONG, mends_lines=True),
    received_at=SystemClock().now(),
    recipients=tuple(ForwardPath(address=f"{name}@far.test", domain="far.test") for name in "ab"),
)
OTHER = msgspec.structs.replace(
    MESSAGE,
    id=b"2" * 16,
    author_domain="",
    recipients=(ForwardPath(address="c@other.test", domain="other.test"),),
)
HOSTS = {"far.test": "127.0.0.1", "other.test": "127.0.0.2"}


@dataclass
class Trouble:
    """What happens, and at which need."""

    where: str
    what: Callable[["World"], None]
    has_struck: bool = False

    def may_strike(self, where: str, world: "World") -> None:
        if where == self.where and not self.has_struck:
            self.has_struck = True
            self.what(world)


class Peer:
    """A connection as far as the handover knows it."""

    def __init__(self, world: "World", command: Connect) -> None:
        self.id = command.conn
        self.command = command
        self.is_over = False
        self.past_final_dot = False
        self.message: Message | None = None
        self.body: Any = b""
        self._world = world

    def deliver(self, command: Deliver, body: Body, head: bytes, return_path: str) -> None:
        self._world.trouble.may_strike("wire", self._world)
        self._world.left.append(command)
        tried: Any = SimpleNamespace(stage="final")
        results = [Result(each, "delivered", Reply(250), tried) for each in command.recipients]
        self._world.finished(command.conn, results, usable=True)

    def quit(self) -> None:
        self.is_over = True


class File:
    """The path of a large body."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def read_bytes(self) -> bytes:
        self._world.trouble.may_strike("render", self._world)
        return LONG


class Key:
    """A private key that is slow, so that it is used in a thread."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._key = make_key().private

    def sign(self, digest: bytes) -> bytes:
        self._world.trouble.may_strike("signature", self._world)
        return self._key.sign(digest)  # type: ignore[call-arg,arg-type]


@dataclass
class World:
    """The engine around a handover: as little of it as there must be."""

    trouble: Trouble
    ended: list[Result] = field(default_factory=list)
    """What became of the recipients that the trouble concerned, in order."""
    left: list[Deliver] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    is_usable: bool | None = None

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.scheduler = Scheduler(parse_config(CONFIG), Random(1))
        self.peers: dict[int, Peer] = {}
        self.authority = Authority()
        self.news = asyncio.Event()
        parts: Any = self, self
        self.log = kept_log()
        keys: Any = self
        self.handover = Handover(*parts, self.clock, self.log, self.finished, self.news.set, keys)
        path: Any = File(self)
        self._body = LargeBody(path, len(LONG))
        private: Any = Key(self)
        self._keys = (SigningKey("example.com", "slow", "rsa", private),)

    # -- the spool, the journal and the identities, as ports of the handover

    def body_now(self, message: Message) -> None:
        return None

    async def load_body(self, message: Message) -> Body:
        await asyncio.sleep(0)
        self.trouble.may_strike("body", self)
        return self._body

    def signing_keys_now(self, account: int, domain: str) -> None:
        return None

    async def signing_keys(self, account: int, domain: str) -> Keys:
        await asyncio.sleep(0)
        self.trouble.may_strike("keys", self)
        return self._keys

    def record(self, command: WriteEvents, then: Then | None = None) -> None:
        self.events += [
            (event.type, recipient.path.address)
            for event, recipient in zip(command.events, command.recipients, strict=True)
        ]
        if then is not None:
            asyncio.get_running_loop().call_soon(self._written, then)

    def _written(self, then: Then) -> None:
        try:
            self.trouble.may_strike("intent", self)
        except SpoolError as error:
            then(error)
        else:
            then(None)

    # -- the turn of the scheduler

    def finished(self, conn: int, results: list[Result], usable: bool) -> None:
        now = self.clock.now()
        self.handover.intents.concluded(conn, results)
        self.scheduler.finished(conn, results, usable, now)
        if self.peers[conn].is_over:
            self.scheduler.ended(conn, now)
        if not self.left:
            self.ended += results
            self.is_usable = usable
        self.handover.is_draining = False  # so that what is left of it can be seen
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while True:
            self._run()
            if condition():
                return
            self.news.clear()
            await self.news.wait()

    def _run(self) -> None:
        """Carry out what the scheduler wants, as far as it goes without waiting."""
        while commands := self.scheduler.take_commands():
            for command in commands:
                self._carry_out(command)
            for message in self.authority.take_messages():
                now = self.clock.now()
                if isinstance(message, Grant):
                    self.scheduler.granted(message.key, message.units, None, now)
                else:
                    self.scheduler.recall(message.key, message.units, message.rank, now)

    def _carry_out(self, command: object) -> None:
        now = self.clock.now()
        match command:
            case Resolve():
                address = Address(command.queue.domain, HOSTS[command.queue.domain], 25)
                plan = RoutePlan((Level(0, (address,)),), "ESMTP", command.queue.domain, now + 3600, "")
                self.scheduler.resolved(command.queue, plan, now)
            case Lease():
                terms = command.key, command.want, command.limit, now, command.rank
                granted, retry_at = self.authority.acquire(0, *terms)
                self.scheduler.granted(command.key, granted, retry_at, now)
            case GiveBack():
                self.authority.release(0, command.key, command.count)
            case Connect():
                self.peers[command.conn] = Peer(self, command)
                self.scheduler.opened(command.conn, now)
            case Deliver():
                peer: Any = self.peers[command.conn]
                self.handover.deliver(command, peer)
            case Quit():
                self.peers[command.conn].quit()
                self.scheduler.ended(command.conn, now)
            case Settle() | WriteEvents():
                pass
            case _:
                raise AssertionError(command)


def fails(error: Exception) -> Callable[[World], None]:
    def what(world: World) -> None:
        raise error

    return what


def lose(world: World) -> None:
    for peer in world.peers.values():
        peer.is_over = True


def drain(world: World) -> None:
    world.handover.is_draining = True


def fault(world: World) -> None:
    raise KeyError("unforeseen")


WHEREVER = ("body", "keys", "render", "signature", "intent")
ENDS = {
    **{(where, lose): ("untried", "421 4.4.2", False) for where in WHEREVER},
    **{(where, drain): ("untried", "421 4.4.2", True) for where in WHEREVER},
    ("body", fails(SpoolError("damaged"))): ("transient", "451 4.3.0", True),
    ("keys", fails(AngariumError("no answer"))): ("transient", "451 4.7.0", True),
    ("render", fails(OSError("no such file"))): ("transient", "451 4.3.0", True),
    ("render", fails(GenerationFailure("no name"))): ("generation_failure", "554 5.6.0", True),
    ("signature", fails(ValueError("broken key"))): ("transient", "451 4.7.0", True),
    ("intent", fails(SpoolError("disk full"))): ("transient", "451 4.3.0", True),
    ("body", fault): ("transient", "451 4.3.0", False),
    ("keys", fault): ("transient", "451 4.7.0", True),
    ("render", fault): ("transient", "451 4.3.0", False),
    ("signature", fault): ("transient", "451 4.7.0", True),
    ("wire", fault): ("transient", "451 4.3.0", False),
}


@pytest.mark.parametrize(("where", "what", "end"), [(*key, end) for key, end in ENDS.items()])
def test_each_recipient_ends_once_and_the_limit_is_free(
    where: str, what: Callable[[World], None], end: tuple[str, str, bool]
) -> None:
    async def scene() -> None:
        world = World(Trouble(where, what))
        add(world, MESSAGE)
        await world.until(lambda: bool(world.ended))
        verdict, code, is_usable = end
        assert [(each.recipient.index, each.verdict) for each in world.ended] == [(0, verdict), (1, verdict)]
        assert {f"{each.reply.code} {each.reply.enhanced}" for each in world.ended} == {code}
        assert world.is_usable == is_usable
        if verdict == "untried":
            count = Counter(kind for kind, _ in world.events)
            assert count["released"] == count["intent"]
        add(world, OTHER)
        await world.until(lambda: OTHER in [command.recipients[0].message for command in world.left])
        assert len(world.ended) == 2

    run(scene())


def add(world: World, message: Message) -> None:
    recipients = [
        Recipient(message, index, "default", path.domain) for index, path in enumerate(message.recipients)
    ]
    world.scheduler.add(recipients, world.clock.now())


def run(scene: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scene

    asyncio.run(bounded())
