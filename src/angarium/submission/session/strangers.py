"""Clients that speak another protocol than the socket that they came to: told in the log, each now and then."""

from typing import Any, Final, Literal, Protocol

from angarium.core.bounded import Bounded
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.reply import Reply
from angarium.smtp.server import answers

Spoken = Literal["TLS", "SMTP", "HTTP"]

TOLD_AGAIN_S: Final = 60.0
_MOST_KNOWN: Final = 1024

_BY_REPLY: Final[dict[Reply, Spoken]] = {answers.TLS_TOO_EARLY: "TLS", answers.NOT_HTTP: "HTTP"}
_PROBLEMS: Final[dict[Spoken, str]] = {
    "TLS": "the client begins TLS with the first byte, and on this socket TLS begins by STARTTLS: have the client use "
    "STARTTLS, or send it to a Listen with Use_SSL (usually port 465)",
    "SMTP": "the client begins without TLS, and on this socket TLS begins with the first byte (Use_SSL): have the "
    "client use TLS from the start, or send it to a Listen without Use_SSL (usually port 587)",
    "HTTP": "the client speaks HTTP, and this socket takes mail by SMTP: send it to where HTTP_Listener listens",
}


class Client(Protocol):
    """Who connected; `peer.SessionPeer` is one."""

    network: str
    listener: str

    def named(self) -> dict[str, Any]:
        """What every record about the session begins with."""
        ...


class Strangers:
    """Tells of those of one worker: a network's mistake of one kind at one listener once in TOLD_AGAIN_S."""

    def __init__(self, clock: Clock, log: Log, counters: Counters) -> None:
        self._clock = clock
        self._log = log
        self._counters = counters
        self._told: Bounded[tuple[str, str, Spoken], float] = Bounded(_MOST_KNOWN)

    def __len__(self) -> int:
        return len(self._told)

    def refused(self, peer: Client, reply: Reply) -> None:
        """Look whether *reply*, with which a session was refused, was one to a stranger."""
        spoken = _BY_REPLY.get(reply)
        if spoken is not None:
            self._tell(peer, spoken)

    def failed(self, peer: Client, reason: str) -> None:
        """A handshake that was to begin with the first byte has failed for *reason*."""
        if "http" in reason:
            self._tell(peer, "HTTP")
        elif "wrong version" in reason or "taking longer" in reason:  # a client that waits for our greeting
            self._tell(peer, "SMTP")

    def _tell(self, peer: Client, spoken: Spoken) -> None:
        self._counters.add("wrong_protocol_total", spoken)
        now, mark = self._clock.now(), (peer.network, peer.listener, spoken)
        last = self._told.get(mark)
        if last is not None and now - last < TOLD_AGAIN_S:
            return
        self._told.put(mark, now)
        self._log.warning("wrong_protocol", now, **peer.named(), spoken=spoken, problem=_PROBLEMS[spoken])
