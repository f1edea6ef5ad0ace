"""What surrounds a node in a whole-program test: scripted peers and a scripted DNS server, in their own thread.

    with Lab() as lab:
        sink = lab.sink("on rcpt to gone@*: reply 550 5.1.1 no such user")
        dns = lab.dns(f"example.com MX 10 mx.example.com")
        with Node(f'DNS_Servers = ( "{dns.address}" )') as node:
            submit(node.smtp_port, "me@example.org", ["you@example.com"])
            sink.wait_for_messages(1)

The test itself is plain, sequential code; waiting is for a condition, never for time to pass.
"""

import asyncio
import contextlib
import smtplib
import threading
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from angarium.config.values import SocketAddress
from angarium.core.errors import AngariumError
from angarium.testing.dns import ScriptedDns
from angarium.testing.programs import PATIENCE_S, free_port
from angarium.testing.sink import Sink, SinkCounters
from angarium.testing.sink.store import SinkMessage

T = TypeVar("T")

_LOOK_S = 0.05
TEXT = b"Subject: hello\r\n\r\ntext\r\n"


class NotSeen(AngariumError):
    """What was waited for did not come in time."""


class LabSink:
    """A sink, for use from the test's thread."""

    def __init__(self, lab: "Lab", sink: Sink) -> None:
        self._lab = lab
        self._sink = sink

    @property
    def host(self) -> str:
        """The IP address it listens on."""
        return self._sink.address[0]

    @property
    def port(self) -> int:
        """Its port."""
        return self._sink.address[1]

    @property
    def counters(self) -> SinkCounters:
        """What has come so far."""
        return self._sink.counters

    @property
    def messages(self) -> list[SinkMessage]:
        """The messages kept so far, oldest first."""
        return list(self._sink.messages)

    def to(self, recipient: str) -> list[SinkMessage]:
        """The messages kept for *recipient*."""
        return [message for message in self.messages if recipient in message.recipients]

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until *condition* holds. Raises NotSeen."""
        try:
            self._lab.run(self._see(condition, timeout_s))
        except TimeoutError:
            seen = [(message.reverse_path, message.recipients) for message in self.messages]
            raise NotSeen(f"not within {timeout_s:g} s; the sink has {self.counters}, {seen}") from None

    async def _see(self, condition: Callable[[], bool], timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():  # a command is no news that the sink tells, so look now and then as well
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._sink.wait_for(condition), _LOOK_S)

    def wait_for_messages(self, count: int, timeout_s: float = PATIENCE_S) -> list[SinkMessage]:
        """Wait until *count* messages have been kept, and return them."""
        self.wait_for(lambda: self.counters.messages >= count, timeout_s)
        return self.messages

    def wait_for_mail_to(
        self, recipient: str, count: int = 1, timeout_s: float = PATIENCE_S
    ) -> list[SinkMessage]:
        """Wait until *count* messages for *recipient* have been kept, and return them."""
        self.wait_for(lambda: len(self.to(recipient)) >= count, timeout_s)
        return self.to(recipient)

    def stop(self) -> None:
        """Stop listening and cut all connections; what came stays to be looked at."""
        self._lab.run(self._sink.stop())


class Lab:
    """Makes sinks and name servers, and stops them at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab", daemon=True)
        self._thread.start()
        self._ends: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def sink(self, script: str = "", *, host: str = "127.0.0.1", port: int = 0) -> LabSink:
        """Start a sink; with port 0 on a free port."""
        sink = Sink(script, host=host, port=port)
        self.run(sink.start())
        self._ends.append(sink.stop)
        return LabSink(self, sink)

    def sinks(self, *hosts: str) -> list[LabSink]:
        """Start a sink on each of the loopback addresses *hosts*, all on one port."""
        port = free_port(*hosts)
        return [self.sink(host=host, port=port) for host in hosts]

    def dns(self, zone: str) -> "LabDns":
        """Start a name server."""
        server = ScriptedDns(zone)
        self.run(server.start())
        self._ends.append(server.close)
        return LabDns(self, server)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* in the lab's thread and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop everything."""
        for end in reversed(self._ends):
            self.run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LabDns:
    """A name server, for use from the test's thread."""

    def __init__(self, lab: Lab, server: ScriptedDns) -> None:
        self._lab = lab
        self._server = server

    @property
    def address(self) -> SocketAddress:
        """Where it listens."""
        return self._server.address

    def count(self, name: str, type: str) -> int:
        """How often a question was asked."""
        return self._server.counts[name, type]

    def set_zone(self, zone: str) -> None:
        """Answer from *zone* from now on."""

        async def swap() -> None:
            self._server.set_zone(zone)

        self._lab.run(swap())


def submit(
    port: int,
    sender: str,
    recipients: Sequence[str],
    text: bytes = TEXT,
    *,
    mail: Sequence[str] = (),
    rcpt: Sequence[str] = (),
    source: str = "127.0.0.1",
) -> str:
    """Send one message in a fresh session; return its id. *mail* and *rcpt* are ESMTP parameters.

    Raises smtplib.SMTPException for anything but yes.
    """
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", source_address=(source, 0)) as client:
        return submit_over(client, sender, recipients, text, mail=mail, rcpt=rcpt)


def submit_over(
    client: smtplib.SMTP,
    sender: str,
    recipients: Sequence[str],
    text: bytes = TEXT,
    *,
    mail: Sequence[str] = (),
    rcpt: Sequence[str] = (),
) -> str:
    """Send one message over *client*; return its id. Raises smtplib.SMTPException for anything but yes."""
    client.ehlo_or_helo_if_needed()
    _expect(client.mail(sender, mail))
    for recipient in recipients:
        _expect(client.rcpt(recipient, rcpt))
    return _expect(client.data(text)).rpartition(" ")[2]


def _expect(answer: tuple[int, bytes]) -> str:
    code, text = answer
    if code != 250:
        raise smtplib.SMTPResponseException(code, text)
    return text.decode()
