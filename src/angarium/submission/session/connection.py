"""A session's two ends: the sans-IO machine that understands the peer, and the transport that reaches it."""

import asyncio
from collections.abc import Callable

from angarium.core.reply import Reply
from angarium.smtp.server.machine import ServerMachine
from angarium.submission.policy import FAULTY
from angarium.submission.session.peer import SessionPeer
from angarium.submission.session.reception import Reception


class SessionConnection:
    """Writes what the machine says, reads no faster than it can be worked on, and ends it all.

    *ended* says why the session ended, empty where the peer hung up; *is_lost*: the peer is gone. The parts of a
    session hold this, and not the session; *begin_handshake*, which is the session's, goes when the peer is gone. So
    nothing holds itself.
    """

    __slots__ = (
        "_begin_handshake",
        "_is_disk_slow",
        "_is_half_closed",
        "_is_write_blocked",
        "_paused",
        "_peer",
        "_reception",
        "_transport",
        "ended",
        "is_lost",
        "machine",
    )

    def __init__(
        self,
        reception: Reception,
        peer: SessionPeer,
        machine: ServerMachine,
        begin_handshake: Callable[[asyncio.Transport], None],
    ) -> None:
        self.machine = machine
        self.ended = ""
        self.is_lost = False
        self._reception = reception
        self._peer = peer
        self._begin_handshake: Callable[[asyncio.Transport], None] | None = begin_handshake
        self._transport: asyncio.Transport | None = None
        self._paused = self._is_disk_slow = self._is_write_blocked = self._is_half_closed = False

    # -- from its beginning to its end

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """The peer is reached by *transport* from now on."""
        self._transport = transport  # type: ignore[assignment]
        self._paused = False

    def half_close(self) -> bool:
        """The peer sends no more. Returns whether it waits for an answer, which it still reads; then it is over."""
        self._is_half_closed = self.machine.owes_answer
        return self._is_half_closed

    def lose(self, error: Exception | None) -> None:
        """The peer is gone. It may hang up as it likes once it has said QUIT."""
        self.is_lost = True
        if error and not self.ended and not self.machine.closing:
            self.ended = str(error)
        self.machine.connection_lost()
        self._transport = None  # which holds the session, and what its encryption takes
        self._begin_handshake = None

    def note_end(self, why: str) -> None:
        """The session ends because of that."""
        self.ended = why

    def end(self, reply: Reply) -> None:
        """Say 421 at the next boundary and close."""
        self.ended = str(reply)
        self.machine.shutdown(reply)
        self.flush()

    def cut_off(self, reply: Reply, why: str = "") -> None:
        """Say 421 at once and close, in the middle of whatever it is."""
        self.ended = why or str(reply)
        self.machine.cut_off(reply)
        self.flush()

    def fault(self, error: Exception) -> None:
        """Log an unforeseen error."""
        self._reception.log.fault(self._reception.clock.now(), error, **self._peer.named())

    def break_off(self, error: Exception) -> None:
        """End the session after an unforeseen error: the state of the machine is not known."""
        self.fault(error)
        self.cut_off(FAULTY, "a fault of ours")

    # -- what is said

    def answer(self, reply: Reply) -> None:
        """Give the answer that the machine waits for, from outside of it."""
        if not self.is_lost:
            try:
                self.machine.answer(reply)
            except Exception as error:  # noqa: BLE001 - the peer waits for what comes behind the answer
                self.break_off(error)
            self.flush()

    def flush(self) -> None:
        """Write what the machine has to say, and do what its state asks for."""
        transport = self._transport
        if transport is None:
            return
        machine = self.machine
        output = machine.take_output()
        if output:
            transport.write(output)
        state = machine.state
        if state == "closed" or (self._is_half_closed and not machine.owes_answer):
            transport.close()
        elif state == "tls":
            self._hand_over(transport)
        elif self._paused or state == "waiting":  # else nothing that reading depends on has changed
            self._pace()

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """The answer to STARTTLS is written; what comes next is TLS. Without a transport nothing is written or read
        meanwhile; what came is in the kernel, for TLS to read.
        """
        self._transport = None
        transport.pause_reading()
        if self._begin_handshake is not None:
            self._begin_handshake(transport)

    # -- how fast is read

    def block(self, is_blocked: bool) -> None:
        """A peer that does not read our answers is not read either."""
        self._is_write_blocked = is_blocked
        self._pace()

    def slow_down(self, is_disk_slow: bool) -> None:
        """Nor is one whose message comes faster than the disk takes it."""
        self._is_disk_slow = is_disk_slow
        self._pace()

    def _pace(self) -> None:
        wants_pause = self._is_disk_slow or self._is_write_blocked or not self.machine.wants_read
        if wants_pause != self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = wants_pause
            if wants_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
