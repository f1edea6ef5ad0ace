"""Live transcripts: what is said on outbound connections, for an operator who asked for a domain or a message."""

from collections.abc import Callable
from typing import Any, Protocol

from angarium.core.ids import MessageId
from angarium.core.records import Message, QueueKey

Sink = Callable[[dict[str, Any]], None]
"""Takes one line of a transcript as a record."""


class Traced(Protocol):
    """What a transcript is taken of; `delivery.connection.Connection` is one."""

    session: str

    def transcribe(self, hear: Callable[[str, str], None] | None) -> None:
        """Tell each line, with its direction, or stop telling."""
        ...

    @property
    def queue(self) -> QueueKey:
        """The queue that it serves at the moment."""
        ...

    @property
    def peer(self) -> str:
        """`address:port` of the other side."""
        ...


class TraceHub:
    """Who wants to hear what. Without a wish it costs one look at an empty dict."""

    def __init__(self) -> None:
        self._wishes: dict[str, tuple[str | None, MessageId | None, Sink]] = {}

    def start(self, name: str, domain: str | None, message: MessageId | None, sink: Sink) -> None:
        """Have *sink* told of sessions for *domain*, or of transactions of *message*, until `stop(name)`."""
        self._wishes[name] = (domain, message, sink)

    def stop(self, name: str) -> None:
        """End a wish; unknown names are none."""
        self._wishes.pop(name, None)

    def attach(self, connection: Traced) -> None:
        """A connection is being made: transcribe it from the start if its domain is wanted."""
        if self._wishes:
            self._listen(connection, None)

    def follow(self, connection: Traced, message: Message) -> None:
        """A transaction begins on a connection that may have been made before the trace was asked for."""
        if self._wishes:
            self._listen(connection, message.id)

    def _listen(self, connection: Traced, message: MessageId | None) -> None:
        domain = connection.queue.domain
        sinks = [
            sink
            for wanted_domain, wanted_message, sink in self._wishes.values()
            if wanted_domain == domain or (message is not None and wanted_message == message)
        ]
        if not sinks:
            connection.transcribe(None)
            return

        def hear(direction: str, line: str) -> None:
            record = {
                "session": connection.session,
                "peer": connection.peer,
                "domain": domain,
                "direction": direction,
                "line": line,
            }
            for sink in sinks:
                sink(record)

        connection.transcribe(hear)
