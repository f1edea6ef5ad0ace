"""A peer that takes mail and behaves as its script says: for tests, drills and benchmarks.

    async with Sink("on rcpt to gone@*: reply 550 5.1.1 no such user") as sink:
        host, port = sink.address
        …
        await sink.wait_for_messages(3)

It is lenient where a real server would not be: it checks order and limits, not syntax. Without rules it does
little more than find line ends, so that it can stand behind a benchmark.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

from angarium.core.clock import Clock, SystemClock
from angarium.testing.sink.gate import GatedSession
from angarium.testing.sink.script import Deed, SinkRule, SinkScript, SinkStage, parse_script
from angarium.testing.sink.security import context_of
from angarium.testing.sink.session import SinkSession
from angarium.testing.sink.store import SinkMessage, SinkStore


@dataclass(slots=True)
class SinkCounters:
    """What has come so far.

    *messages* counts messages kept, *recipients* those they were kept for, *bytes* message bytes as on the
    wire. *most_connections* is the highest number of them open at a time. *handshakes* counts encrypted
    connections, *failed_handshakes* those that did not become one after STARTTLS.
    """

    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0
    commands: int = 0
    messages: int = 0
    recipients: int = 0
    refusals: int = 0
    bytes: int = 0
    handshakes: int = 0
    failed_handshakes: int = 0


class Sink:
    """A listening peer. Use it as an async context manager, or `start` and `stop` it.

    *script* is a script's text or what `parse_script` made of it; ScriptError comes from here. With *keep*,
    messages are collected in `messages`. *on_message* is called with each message kept. *store* is closed by
    `stop`. *context* is what handshakes are made with, instead of the script's certificate.
    """

    def __init__(
        self,
        script: SinkScript | str = "",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: bool = True,
        store: SinkStore | None = None,
        on_message: Callable[[SinkMessage], None] | None = None,
        clock: Clock | None = None,
        reuse_port: bool = False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.script = parse_script(script) if isinstance(script, str) else script
        self.counters = SinkCounters()
        self.messages: list[SinkMessage] = []
        self.clock: Clock = clock or SystemClock()
        self.greylist: dict[tuple[str, str, str], float] = {}
        self.wants_data = keep or store is not None or on_message is not None
        self.sessions: set[SinkSession] = set()
        self._keep = keep
        self._store = store
        self._on_message = on_message
        self._where = (host, port)
        self._reuse_port = reuse_port
        self.context = context
        self._server: asyncio.Server | None = None
        self._changed: asyncio.Event = asyncio.Event()
        self._random = random.Random(self.script.seed)
        self._seen = [0] * len(self.script.rules)
        self._rules: dict[str, list[tuple[int, SinkRule]]] = {}
        for number, rule in enumerate(self.script.rules):
            self._rules.setdefault(rule.stage, []).append((number, rule))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started: IP address and port."""
        assert self._server is not None, "the sink has not been started"
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""
        host, port = self._where
        if self.context is None:
            self.context = await asyncio.to_thread(context_of, self.script)
        implicit = self.context if self.script.tls == "implicit" else None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: GatedSession(self), host, port, backlog=1024, reuse_port=self._reuse_port, ssl=implicit
        )

    async def stop(self) -> None:
        """Stop listening, cut all connections, close the store."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.abort()
        if self._server is not None:
            await self._server.wait_closed()
        if self._store is not None:
            self._store.close()

    async def __aenter__(self) -> "Sink":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once *condition* holds. It is looked at when a connection or a message comes or goes."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def wait_for_messages(self, count: int) -> None:
        """Return once *count* messages have been kept since the start."""
        await self.wait_for(lambda: self.counters.messages >= count)

    # For the sessions

    def has_rules(self, stage: SinkStage) -> bool:
        """Whether any rule is about *stage*."""
        return stage in self._rules

    def choose(self, stage: SinkStage, sender: str, recipients: Iterable[str]) -> SinkRule | None:
        """Return the rule that applies: the first whose conditions hold."""
        for number, rule in self._rules.get(stage, ()):
            if self._applies(number, rule, sender, recipients):
                return rule
        return None

    def _applies(self, number: int, rule: SinkRule, sender: str, recipients: Iterable[str]) -> bool:
        if rule.sender is not None and not rule.sender.match(sender.lower()):
            return False
        pattern = rule.recipient
        if pattern is not None and not any(pattern.match(recipient.lower()) for recipient in recipients):
            return False
        if rule.above and self.counters.open_connections <= rule.above:
            return False
        self._seen[number] += 1
        if rule.first and self._seen[number] > rule.first:
            return False
        if rule.every and self._seen[number] % rule.every:
            return False
        return rule.share is None or self._random.random() < rule.share

    def is_greylisted(self, deed: Deed, peer: str, sender: str, recipient: str) -> bool:
        """Whether this client, sender and recipient were first seen less than `deed.greylist_s` ago."""
        if deed.greylist_s is None:
            return False
        now = self.clock.now()
        return now - self.greylist.setdefault((peer, sender, recipient), now) < deed.greylist_s

    def keep_message(self, message: SinkMessage) -> None:
        """Put *message* where messages go."""
        if self._keep:
            self.messages.append(message)
        if self._store is not None:
            self._store.add(message)
        if self._on_message is not None:
            self._on_message(message)

    def note_change(self) -> None:
        """Wake whoever waits for something."""
        self._changed.set()


async def run_sink(
    script: SinkScript,
    host: str = "127.0.0.1",
    port: int = 2526,
    *,
    store: SinkStore | None = None,
    on_ready: Callable[[tuple[str, int]], None] | None = None,
    stop: asyncio.Event | None = None,
    reuse_port: bool = False,
) -> SinkCounters:
    """Serve until *stop* is set or the task is cancelled; return what came. Raises OSError if it cannot
    listen.

    *on_ready* is called with the address once connections are accepted. Messages are counted and given to
    *store*.
    """
    async with Sink(script, host=host, port=port, keep=False, store=store, reuse_port=reuse_port) as sink:
        if on_ready is not None:
            on_ready(sink.address)
        await (stop or asyncio.Event()).wait()
        return sink.counters
