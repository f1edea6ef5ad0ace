"""The server side of SMTP as a machine without I/O (RFC 5321, 2920, 3030).

Bytes go in by `receive`, replies come out by `take_output`, decisions are a `ServerHandler`'s. The machine
has no clock: the time arrives as an argument, in seconds of any clock that does not jump.
"""

from typing import cast

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.access import MAX_RESPONSE_LINE
from angarium.smtp.server.answers import wire
from angarium.smtp.server.handler import ServerHandler
from angarium.smtp.server.options import ServerLimits, ServerOptions
from angarium.smtp.server.verbs import ServerVerbs

MAX_BUFFERED = 65_536
"""`wants_read` is False while more than this waits for an answer of the handler."""


class ServerMachine(ServerVerbs):
    """One connection, seen from the server.

    The shell calls `greet` once, then `receive` for what the peer sends; after every call it writes
    `take_output`, stops reading while not `wants_read`, and closes after writing once `closing`. It calls
    `check` now and then, and `connection_lost` when the peer is gone. The handler's methods are called from
    inside `receive` and `answer`.
    """

    __slots__ = ()

    # -- what the shell calls

    def greet(self, now: float, refusal: Reply | None = None) -> None:
        """Say the greeting; with *refusal*, say that instead and close. What came before it is early talk."""
        if self.state != "connect":
            return
        self._now = self._since = now
        if refusal is not None or self._shutdown is not None:
            self._end(refusal or self._shutdown or answers.SHUTTING_DOWN)
            return
        self.state = "command"
        self._out.append(wire(self._greeting()))

    def receive(self, data: bytes, now: float) -> None:
        """Take what the peer sent."""
        self._now = now
        if self.state == "closed":
            return
        if self.state == "connect":
            self._end(answers.EARLY_TALK)
            return
        if self.state == "tls":
            self._note_injection(len(data))
            return
        if self._pos >= len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._pos :] + data
        self._pos = 0
        if not self._running:
            self._run()

    def answer(self, reply: Reply) -> None:
        """Give the answer that the handler owed, from wherever; input that waited for it is worked on.

        May be called from inside `on_message`. Ignored once the connection is closed. Raises RuntimeError
        when no answer was due.
        """
        if self.state == "closed":
            return
        if self.state != "waiting":
            raise RuntimeError(f"no answer is due in state {self.state}")
        self.state = "command"
        self._since = self._now
        if self._verb is None:
            self._message_done(reply)
        else:
            self._conclude(self._verb, reply)
        if not self._running:
            self._run()

    def challenge(self, data: bytes) -> None:
        """Send *data* as a challenge of AUTH; the response comes by `on_auth_line`, or `on_auth_cancel` is called.

        May be called from inside `on_auth` and `on_auth_line`. Ignored once the connection is closed. Raises
        RuntimeError when nobody authenticates.
        """
        if self.state == "closed":
            return
        self._send_challenge(data)
        if not self._running:
            self._run()

    def secured(self, now: float) -> None:
        """The connection is encrypted: after STARTTLS the session begins anew, without a greeting (RFC 3207
        §4.2); before the greeting it is to be called where TLS comes first. Ignored once the connection is closed.
        Raises RuntimeError at any other time.
        """
        if self.state == "closed":
            return
        if self.state not in ("connect", "tls"):
            raise RuntimeError(f"no handshake was due in state {self.state}")
        self._now = self._since = now
        self.is_encrypted = True
        if self.state == "tls":
            self._restart()
            self.state = "command"
            self._run()  # it may be time to shut down

    def set_options(self, options: ServerOptions, limits: ServerLimits | None = None) -> None:
        """Go on with other options: what is offered changes with the next EHLO. Raises RuntimeError in mid
        transaction.
        """
        if self._sender:
            raise RuntimeError("options do not change in mid transaction")
        self._obey(options, limits or self._limits)

    def take_output(self) -> bytes:
        """Return what is to be written, often nothing, and forget it."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

    def check(self, now: float) -> Reply | None:
        """Return the reply with which a peer was cut off that is too slow, None when it is not. To be called
        now and then; every few seconds is often enough.
        """
        self._now = now
        if self.state in ("connect", "waiting", "tls", "closed"):
            self._since = now
            return None
        if self.state in ("data", "chunk") and self._is_too_slow(now):
            return self._end(answers.TOO_SLOW)
        wait_s = self.wait_s
        if wait_s is not None and now - self._since >= wait_s:
            return self._end(answers.TIMEOUT)
        return None

    def shutdown(self, reply: Reply = answers.SHUTTING_DOWN) -> None:
        """Say *reply* and close at the next boundary: between commands, never in mid body or before its
        answer.
        """
        self._shutdown = reply
        if not self._running:
            self._run()

    def cut_off(self, reply: Reply) -> None:
        """Say *reply* and close at once, whatever is under way. A message whose end came stays with the handler."""
        if self.state != "closed":
            self._end(reply)

    def connection_lost(self) -> None:
        """The peer is gone. An open transaction is over; a message whose end came stays with the handler.

        The handler is not asked any more, and let go: as it holds the machine, both would wait for the collector of
        garbage, and with them whatever the connection had.
        """
        self._close()
        self._handler = cast(ServerHandler, None)

    @property
    def closing(self) -> bool:
        """Whether the connection is to be closed once the output is written."""
        return self.state == "closed"

    @property
    def owes_answer(self) -> bool:
        """Whether the peer waits for an answer that is the handler's to give."""
        return self.state == "waiting"

    @property
    def buffered(self) -> int:
        """Bytes received and not worked on."""
        return len(self._buffer) - self._pos

    @property
    def held_bytes(self) -> int:
        """About how much of the peer's input is in memory: what waits, and the body under way or not yet answered."""
        has_body = self.state in ("data", "chunk") or (self.state == "waiting" and self._verb is None)
        if not has_body or self._body.fault:
            return self.buffered
        return self.buffered + min(self._body.size, self._limits.spill_threshold)

    @property
    def wants_read(self) -> bool:
        """Whether more input is of use at present. Commands that were pipelined while an answer is due may
        come in; once STARTTLS is answered, what comes is not for the machine.
        """
        if self.state == "waiting":
            return self.buffered < MAX_BUFFERED
        return self.state not in ("tls", "closed")

    @property
    def wait_s(self) -> float | None:
        """Seconds the peer has to finish its command, or to send the next bytes of a body; None: it owes
        nothing.
        """
        if self.state in ("command", "skip", "auth"):
            return self._limits.command_timeout_s or None
        if self.state in ("data", "chunk"):
            return self._limits.data_timeout_s or None
        return None

    # -- the loop

    def _run(self) -> None:
        self._running = True
        try:
            while self._pos < len(self._buffer):
                state = self.state
                if state == "command":
                    if not self._read_command():
                        break
                elif state == "data":
                    self._read_data()
                elif state == "chunk":
                    self._read_chunk()
                elif state == "skip":
                    self._skip_line()
                elif state == "auth":
                    if not self._read_response():
                        break
                else:
                    break
            if self._shutdown is not None and self.state in ("command", "auth") and not self._in_bdat:
                self._end(self._shutdown)
        finally:
            self._running = False
        if self._pos >= len(self._buffer):  # an idle connection keeps no input alive
            self._buffer = b""
            self._pos = 0

    def _read_command(self) -> bool:
        """Work on one line. Returns False when it is not complete."""
        buffer, start = self._buffer, self._pos
        end = buffer.find(b"\n", start)
        longest = self._limits.max_command_length
        if end < 0 or end - start >= longest:
            is_auth = bool(self._options.auth) and buffer[start : start + 5].upper() == b"AUTH "
            if is_auth:
                longest = max(longest, MAX_RESPONSE_LINE)
            if end < 0 and len(buffer) - start < longest:
                return False
            if end < 0 or end - start >= longest:
                self._skip_from_here(answers.AUTH_LINE_TOO_LONG if is_auth else answers.LINE_TOO_LONG)
                return True
        if self._shutdown is not None and not self._in_bdat:
            self._end(self._shutdown)
            return True
        self._pos = end + 1
        self._since = self._now
        self.counters.commands += 1
        stop = end - 1
        if stop < start or buffer[stop] != 13:
            if not self._takes_lone_lf:
                self._end(answers.BARE_LF_COMMAND)
                return True
            stop = end
        line = buffer[start:stop]
        if line.endswith(b"\r") and not self._options.pedantic:  # CR LF that was made of CR LF once more
            line = line.rstrip(b"\r")
        self._perform(line)
        return True

    def _skip_line(self) -> None:
        """Throw away what came of a line that is too long, and answer at its end."""
        buffer, start = self._buffer, self._pos
        end = buffer.find(b"\n", start)
        self._pos = len(buffer) if end < 0 else end + 1
        self._skipped += self._pos - start
        if self._skipped > self._limits.swallow_limit:
            self._end(self._skip_reply)
        elif end < 0:
            self._skipped_cr = buffer.endswith(b"\r")
        elif not (self._skipped_cr if end == start else buffer[end - 1] == 13) and not self._takes_lone_lf:
            self._end(answers.BARE_LF_COMMAND)
        else:
            self.state = "command"
            self._since = self._now
            self.counters.commands += 1
            self._say(self._skip_reply)
