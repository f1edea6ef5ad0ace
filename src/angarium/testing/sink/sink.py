"""A peer that takes mail and behaves as its script says: for tests, drills and benchmarks.

    async with Sink("on rcpt to gone@*: reply 550 5.1.1 no such user") as sink:
        host, port = sink.address
        …
        await sink.wait_for_messages(3)

It is lenient where a real server would not be: it checks order and limits, not syntax. Without rules it does
little more than find line ends, so that it can stand behind a benchmark.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any

from angarium.core.clock import Clock, SystemClock
from angarium.testing.sink.conduct import Conduct, SinkCounters
from angarium.testing.sink.script import SinkScript, parse_script
from angarium.testing.sink.security import context_of
from angarium.testing.sink.session import SinkSession
from angarium.testing.sink.store import SinkMessage, SinkStore


class Sink:
    """A listening peer. Use it as an async context manager, or `start` and `stop` it.

    *script* is a script's text or what `parse_script` made of it; ScriptError comes from here. With *keep*,
    messages are collected in `messages`. *on_message* is called with each message kept. *store* is closed by
    `stop`. *context* is what handshakes are made with, instead of the script's certificate. *sock* is bound
    already, and taken instead of *host* and *port*.
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
        sock: socket.socket | None = None,
    ) -> None:
        self.script = parse_script(script) if isinstance(script, str) else script
        self._conduct = Conduct(
            self.script, clock or SystemClock(), keep=keep, store=store, on_message=on_message
        )
        self.counters = self._conduct.counters
        self.messages = self._conduct.messages
        self._store = store
        self._where: dict[str, Any] = {"sock": sock} if sock is not None else {"host": host, "port": port}
        self._reuse_port = reuse_port
        self._context = context
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started: IP address and port."""
        assert self._server is not None, "the sink has not been started"
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""
        context = self._context or await asyncio.to_thread(context_of, self.script)
        implicit = context if self.script.tls == "implicit" else None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: SinkSession(self._conduct, context),
            **self._where,
            backlog=1024,
            reuse_port=self._reuse_port,
            ssl=implicit,
        )

    async def stop(self) -> None:
        """Stop listening, cut all connections, close the store."""
        if self._server is not None:
            self._server.close()
        for session in list(self._conduct.sessions):
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
        await self._conduct.wait_for(condition)

    async def wait_for_messages(self, count: int) -> None:
        """Return once *count* messages have been kept since the start."""
        await self.wait_for(lambda: self.counters.messages >= count)


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
