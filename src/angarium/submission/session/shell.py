"""Socket and time around the sans-IO server machine: reading, writing, pacing, ending."""

import asyncio
from typing import Any, cast

from angarium.config.records import InboundOptions
from angarium.core.peers import network_of
from angarium.core.reply import Reply
from angarium.identity.principal import BAD_LOGIN, Principal
from angarium.smtp.server import answers
from angarium.smtp.server.handler import ServerHandler
from angarium.smtp.server.machine import ServerMachine
from angarium.submission.policy import ENOUGH_TIME, FAULTY, Relay, refuses_session, xclient_names
from angarium.submission.session.access import SAY_STARTTLS, TOO_MANY_FAILURES
from angarium.submission.session.reception import Reception
from angarium.submission.session.settings import Settings
from angarium.tls import ENCRYPTION_BYTES

MOST_REFUSALS_TOLD = 20
"""So many refusals of one session are logged each by itself; the session's record counts them all."""

_TOLD = (BAD_LOGIN, TOO_MANY_FAILURES, SAY_STARTTLS)

UNKNOWN_PEER = "0.0.0.0"
"""Stands for the client of a proxy that does not know it: it is not the proxy, and may do what anybody may."""

Peer = tuple[str, int] | None
"""Address and port of the other side; None for a Unix socket."""


class SessionShell(asyncio.Protocol):
    """One connection of one peer. What is answered is decided by the classes on top; see `session.Session`."""

    # What most sessions never change stands in the class: an object with few attributes of its own is faster.
    _paused = _is_disk_slow = _is_write_blocked = _is_half_closed = _lost = False
    _is_encrypted = _is_verified = _is_spoken_for = False
    _principal: Principal | None = None
    """Who has logged in."""
    _via = ""
    """The proxy that has named the peer, empty without one."""
    _ended = ""
    """Why the session ended, empty where the peer hung up."""
    _reception_began: float | None = None
    _began_anew_at: float | None = None
    """When all that the peer had said was last forgotten: after a handshake, after XCLIENT."""
    _refusals_told = 0
    _told_last: Reply | None = None

    def __init__(self, reception: Reception, listener: str, listen: str, peer: Peer) -> None:
        self.listener = listener
        self._listen = listen
        self._reception = reception
        self._started_at = reception.clock.now()
        self._name = reception.next_name()
        self._transport: asyncio.Transport | None = None
        self._take_peer(peer)
        self._machine = ServerMachine(
            cast(ServerHandler, self), self._offer(), self._settings.limits, self._started_at
        )
        reception.session_counts.enter(self._network)

    # -- smtp.server.handler.ServerHandler

    def on_refusal(self, reply: Reply) -> None:
        """See ServerHandler: write it down, unless it was when the login failed. Of many the first speak for all."""
        if reply.code in (421, 521) and not self._ended:
            self._ended = str(reply)
        if reply in _TOLD or reply is self._told_last or self._refusals_told >= MOST_REFUSALS_TOLD:
            return
        self._refusals_told += 1
        self._told_last = reply if reply is answers.TOO_MANY_RECIPIENTS else None
        reception = self._reception
        reception.log.info("rejected", reception.clock.now(), **self._named(), reply=str(reply))

    # -- whose connection it is

    def _take_peer(self, peer: Peer) -> None:
        reception = self._reception
        self.peer_ip, port = peer or ("", 0)
        self._peer = _join(self.peer_ip, port) if peer else ""
        self._options: InboundOptions = reception.config.inbound(self.listener, self._listen, self.peer_ip)
        self._network = network_of(
            self.peer_ip, self._options.peer_ipv4_prefix, self._options.peer_ipv6_prefix
        )
        self._settings: Settings = reception.settings(self._options)
        self._relay = self._judge_peer()
        self._xclient = xclient_names(self._options, self.peer_ip)

    def _judge_peer(self) -> Relay:
        return Relay.of_peer(self._options, self.peer_ip, self._is_verified and not self._is_spoken_for)

    def introduce(self, peer: tuple[str, int]) -> None:
        """Go on as the session of *peer*, whom a trusted proxy has named: its options, its limits, its rights. Those
        of the proxy are not its, that of naming somebody else among them.
        """
        counts = self._reception.session_counts
        counts.leave(self._network)
        self._via = self._via or self._peer
        self._take_peer(peer)
        counts.enter(self._network)
        self._machine.set_options(self._offer(), self._settings.limits)

    def _offer(self) -> Any:
        return self._settings.offer(self._is_encrypted, self._xclient, self._principal is not None)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol. With TLS from the first byte the handshake is over by now."""
        self._transport = transport  # type: ignore[assignment]
        reception = self._reception
        reception.sessions.add(self)
        reception.counters.add("sessions_total")
        no = self.one_too_many()
        if no is not None:
            reception.counters.add("sessions_refused_total", "too_many")
            self._ended = str(no)
            self._greet(no)
        elif self._options.banner_delay:
            asyncio.get_running_loop().call_later(self._options.banner_delay, self._greet)
        else:
            self._greet()

    def one_too_many(self) -> Reply | None:
        """Return why there may not be so many sessions, or None."""
        counts = self._reception.session_counts
        return refuses_session(self._options, counts.sessions(), counts.sessions_of(self._network))

    def turned_away(self, why: str, reason: str) -> None:
        """The connection ends before the session could begin."""
        self._reception.counters.add("sessions_refused_total", reason)
        self._ended = why
        self.connection_lost(None)

    def _greet(self, refusal: Reply | None = None) -> None:
        self._machine.greet(self._reception.clock.now(), refusal)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        now = self._reception.clock.now()
        if self._machine.state == "connect" and not self._options.refuse_early_talkers:
            self._machine.greet(now)
        try:
            self._machine.receive(data, now)
        except Exception as error:  # noqa: BLE001 - the peer is told, whatever it was
            self._break_off(error)
        self._flush()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. A peer that sends no more still reads: what it waits for is answered, then it is over.

        In TLS there is no half of an end: there the answer is lost.
        """
        self._is_half_closed = not self._is_encrypted and self._machine.owes_answer
        return self._is_half_closed

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._lost:
            return
        self._lost = True
        # Who has said QUIT may hang up as it likes.
        ended = self._ended or (str(exc) if exc and not self._machine.closing else "")
        self._machine.connection_lost()
        self._transport = None  # which holds the session, and what its encryption takes
        reception = self._reception
        reception.sessions.discard(self)
        reception.session_counts.leave(self._network)
        now = reception.clock.now()
        seconds = round(now - self._started_at, 3)
        reception.log.info("session", now, **self._facts(), seconds=seconds, ended=ended)

    def _facts(self) -> dict[str, Any]:
        """Return what the log says of the session."""
        machine = self._machine
        facts = {
            **self._named(),
            "helo": machine.helo_name,
            "commands": machine.counters.commands,
            "errors": machine.counters.errors,
        }
        if self._via:
            facts["via"] = self._via
        if machine.injected:
            facts["injected_bytes"] = machine.injected
        return facts

    @property
    def held_bytes(self) -> int:
        """See reception.OpenSession."""
        return self._machine.held_bytes + (ENCRYPTION_BYTES if self._is_encrypted else 0)

    # -- its end

    def check(self, now: float) -> None:
        """End the session if it takes too long over what it is doing."""
        options, state = self._options, self._machine.state
        if options.session_time and now - self._started_at > options.session_time:
            self._machine.shutdown(ENOUGH_TIME)
        cut_off = self._machine.check(now)
        if cut_off is not None:
            self._ended = str(cut_off)
        elif (
            not self._machine.helo_name
            and state == "command"
            and self._late(options.first_command_time, now, self._began_anew_at)
        ):
            self._cut(ENOUGH_TIME, "no EHLO or HELO in time")
        elif self._reception_began is not None and self._late(
            options.reception_time, now, self._reception_began
        ):
            self._cut(ENOUGH_TIME, "the message took too long to come in")
        self._flush()

    def _late(self, most_s: int, now: float, since: float | None = None) -> bool:
        return bool(most_s) and now - (self._started_at if since is None else since) > most_s

    def _cut(self, reply: Reply, why: str) -> None:
        """End it in the middle of whatever it is."""
        self._ended = why
        self._machine.cut_off(reply)

    def end(self, reply: Reply) -> None:
        """Say 421 at the next boundary and close."""
        self._ended = str(reply)
        self._machine.shutdown(reply)
        self._flush()

    def cut_off(self, reply: Reply) -> None:
        """Say 421 at once and close."""
        self._ended = str(reply)
        self._machine.cut_off(reply)
        self._flush()

    # -- writing and pacing

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        machine = self._machine
        output = machine.take_output()
        if output:
            transport.write(output)
        state = machine.state
        if state == "closed" or (self._is_half_closed and not machine.owes_answer):
            transport.close()
        elif state == "tls":
            self._begin_handshake(transport)
        elif self._paused or state == "waiting":  # else nothing that reading depends on has changed
            self._pace()

    def _named(self) -> dict[str, Any]:
        """Return what every record about the session begins with."""
        return {"session": self._name, "listener": self.listener, "peer": self._peer}

    def _begin_handshake(self, transport: asyncio.Transport) -> None:
        """The answer to STARTTLS is written; what comes next is TLS."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        """See asyncio.Protocol. Who does not read our answers is not read either."""
        self._is_write_blocked = True
        self._pace()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._is_write_blocked = False
        self._pace()

    def _slow_down(self, is_disk_slow: bool) -> None:
        self._is_disk_slow = is_disk_slow
        self._pace()

    def _pace(self) -> None:
        wants_pause = self._is_disk_slow or self._is_write_blocked or not self._machine.wants_read
        if wants_pause != self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = wants_pause
            if wants_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _answer(self, reply: Reply) -> None:
        """Give the answer that the machine waits for, from outside of it."""
        if not self._lost:
            try:
                self._machine.answer(reply)
            except Exception as error:  # noqa: BLE001 - the peer waits for what comes behind the answer
                self._break_off(error)
            self._flush()

    def _fault(self, error: Exception) -> None:
        """Write down what nobody foresaw."""
        self._reception.log.fault(self._reception.clock.now(), error, **self._named())

    def _break_off(self, error: Exception) -> None:
        """End the session after what nobody foresaw: where the machine stands is not known."""
        self._fault(error)
        self._cut(FAULTY, "a fault of ours")


def _join(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
