"""The server side of SMTP as a machine without I/O (RFC 5321, 2920, 3030, 3207, 4954).

Bytes go in by `receive`, replies come out by `take_output`, decisions are a `ServerHandler`'s. The machine
has no clock: the time arrives as an argument, in seconds of any clock that does not jump.

Which command may be said when, and what it leads to, stands in `server.order`; here is what is done then.
"""

from collections.abc import Callable
from typing import cast

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.answers import plain_wire, wire, wire_once
from angarium.smtp.server.auth_syntax import encode_challenge
from angarium.smtp.server.body import IncomingBody
from angarium.smtp.server.command import CommandError
from angarium.smtp.server.commands import VERBS, ServerCommands, Verb, begins_tls, recognise
from angarium.smtp.server.counters import Patience, ServerCounters
from angarium.smtp.server.exchange import MAX_RESPONSE_LINE, read_response
from angarium.smtp.server.handler import ServerHandler
from angarium.smtp.server.input import InputBuffer
from angarium.smtp.server.options import ServerLimits, ServerOptions
from angarium.smtp.server.order import TIME_LIMITS, State

MAX_BUFFERED = 65_536
"""`wants_read` is False while more than this waits for an answer of the handler."""


class ServerMachine:
    """One connection, seen from the server.

    The shell calls `greet` once, then `receive` for what the peer sends; after every call it writes
    `take_output`, stops reading while not `wants_read`, and closes after writing once `closing`. It calls
    `check` now and then, and `connection_lost` when the peer is gone. The handler's methods are called from
    inside `receive` and `answer`.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_commands",
        "_handler",
        "_input",
        "_limits",
        "_now",
        "_out",
        "_patience",
        "_running",
        "_shutdown",
        "_since",
        "_skip_reply",
        "_wire",
        "counters",
        "injected",
        "state",
    )

    def __init__(
        self, handler: ServerHandler, options: ServerOptions, limits: ServerLimits, now: float
    ) -> None:
        self.state: State = "connect"
        self.counters = ServerCounters()
        self.injected = 0
        """Bytes that came in clear text behind STARTTLS: an attack, or a client that does not wait."""
        self._handler = handler
        self._limits = limits
        self._wire = wire if "ENHANCEDSTATUSCODES" in options.extensions else plain_wire
        self._now = self._since = now
        self._input = InputBuffer()
        self._out: list[bytes] = []
        self._body = IncomingBody(options, limits)
        self._commands = ServerCommands(options, limits, self._body, self.counters)
        self._patience = Patience()
        self._asked: Verb | None = None
        """The command that is answered next; None: it is a body."""
        self._skip_reply = answers.LINE_TOO_LONG
        self._shutdown: Reply | None = None
        self._running = False

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
        self._out.append(wire(self._commands.greeting))

    def receive(self, data: bytes, now: float) -> None:
        """Take what the peer sent."""
        self._now = now
        state = self.state
        if state == "closed":
            return
        if state == "connect":
            self._end(answers.TLS_TOO_EARLY if begins_tls(data) else answers.EARLY_TALK)
            return
        if state == "tls":
            self._note_injection(len(data))
            return
        self._input.add(data)
        if not self._running:
            self._run()

    def answer(self, reply: Reply) -> None:
        """Give the answer that the handler owed, from wherever; input that waited for it is worked on.

        May be called from inside the method that owes it. Ignored once the connection is closed. Raises RuntimeError
        when no answer was due.
        """
        if self.state == "closed":
            return
        if self.state != "waiting":
            raise RuntimeError(f"no answer is due in state {self.state}")
        self.state = "command"
        self._since = self._now
        if self._asked is None:
            self._message_done(reply)
        else:
            self._conclude(self._asked, reply)
        if not self._running:
            self._run()

    def challenge(self, data: bytes) -> None:
        """Send *data* as a challenge of AUTH; the response comes by `on_auth_line`, or `on_auth_cancel` is called.

        May be called from inside `on_auth` and `on_auth_line`. Ignored once the connection is closed. Raises
        RuntimeError when no AUTH is under way.
        """
        if self.state == "closed":
            return
        if self.state != "waiting" or not self._commands.exchange.is_under_way:
            raise RuntimeError(f"no challenge is due in state {self.state}")
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
        self._commands.is_encrypted = True
        if self.state == "tls":
            self._commands.forget_peer()
            self.state = "command"
            self._run()  # it may be time to shut down

    def set_options(self, options: ServerOptions, limits: ServerLimits | None = None) -> None:
        """Go on with other options: what is offered changes with the next EHLO. Raises RuntimeError in mid
        transaction.
        """
        if self._commands.transaction.is_open:
            raise RuntimeError("options do not change in mid transaction")
        self._limits = limits or self._limits
        self._wire = wire if "ENHANCEDSTATUSCODES" in options.extensions else plain_wire
        self._commands.obey(options, self._limits)
        self._body.obey(options, self._limits)

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
        if self.state not in TIME_LIMITS:
            self._since = now
            return None
        if self.state in ("data", "chunk") and self._body.is_too_slow(now):
            return self._end(answers.TOO_SLOW)
        wait_s = self.wait_s
        if wait_s is not None and now - self._since >= wait_s:
            return self._end(answers.TIMEOUT)
        return None

    def shutdown(self, reply: Reply = answers.SHUTTING_DOWN) -> None:
        """Say *reply* and close at the next boundary: between commands, never in mid body or before its
        answer (RFC 5321 §3.8).
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

        The handler is not asked any more, and let go: it holds the machine, and what holds itself would wait for the
        collector of garbage, with all that the connection had.
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
    def helo_name(self) -> str:
        """The name in the last HELO or EHLO that was taken."""
        return self._commands.helo_name

    @property
    def is_esmtp(self) -> bool:
        """Whether that was EHLO."""
        return self._commands.is_esmtp

    @property
    def is_encrypted(self) -> bool:
        """Whether `secured` was called."""
        return self._commands.is_encrypted

    @property
    def buffered(self) -> int:
        """Bytes received and not worked on."""
        return len(self._input)

    @property
    def held_bytes(self) -> int:
        """About how much of the peer's input is in memory: what waits, and the body under way or not yet answered."""
        has_body = self.state in ("data", "chunk") or (self.state == "waiting" and self._asked is None)
        return self.buffered + (self._body.held if has_body else 0)

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
        limit = TIME_LIMITS.get(self.state)
        return None if limit is None else getattr(self._limits, limit) or None

    # -- the loop

    def _run(self) -> None:
        waits = self._input
        self._running = True
        try:
            while waits.pos < len(waits.data):
                read = _READERS.get(self.state)
                if read is None or not read(self):
                    break
            if self._shutdown is not None and self.state in ("command", "auth") and self._is_at_boundary:
                self._end(self._shutdown)
        finally:
            self._running = False
        if waits.pos >= len(waits.data):  # an idle connection keeps no input alive
            waits.clear()

    @property
    def _is_at_boundary(self) -> bool:
        """Whether the session may end between two commands: not inside a message that comes in chunks."""
        return self._commands.transaction.phase != "chunks"

    @property
    def _takes_lone_lf(self) -> bool:
        """Whether a command may end with an LF alone (RFC 5321 §2.3.8 and §4.1.1.4 say no)."""
        policy = self._commands.options.lone_lf_in_commands
        return policy == "fix" or (policy == "start" and not self._body.has_begun)

    # -- lines. A reader returns whether it could do something with what there is.

    def _read_command(self) -> bool:
        if self._shutdown is not None and self._is_at_boundary:
            self._end(self._shutdown)
            return True
        line = self._input.take_line(self._limits.max_command_length)
        if line is None:
            line = self._take_long_line()
            if line is None:
                return self.state == "skip"
        self._since = self._now
        self.counters.commands += 1
        if self._input.is_bare and not self._takes_lone_lf:
            self._end(answers.TLS_TOO_EARLY if begins_tls(line) else answers.BARE_LF_COMMAND)
            return True
        self._perform(line)
        return True

    def _take_long_line(self) -> bytes | None:
        """Return a line that is longer than commands are, as AUTH may be (RFC 4954 §4). None: it is not complete, to be
        skipped, or the last.
        """
        waits, longest = self._input, self._limits.max_command_length
        word = waits.data[waits.pos : waits.pos + 5].upper()
        if begins_tls(word):
            self._end(answers.TLS_TOO_EARLY)
            return None
        is_auth = word == b"AUTH " and bool(self._commands.options.auth)
        if is_auth:
            longest = max(longest, MAX_RESPONSE_LINE)
            line = waits.take_line(longest)
            if line is not None:
                return line
        if len(waits) >= longest:
            if word[:4] == b"BDAT":  # what comes behind it is no command (RFC 3030 §2)
                self._end(answers.BAD_CHUNK)
            else:
                self._skip_from_here(answers.AUTH_LINE_TOO_LONG if is_auth else answers.LINE_TOO_LONG)
        return None

    def _skip_from_here(self, reply: Reply) -> None:
        """Throw the rest of a line away, and answer it with *reply* at its end (RFC 5321 §4.5.3.1.4)."""
        self.state = "skip"
        self._input.begin_skip()
        self._skip_reply = reply

    def _skip_line(self) -> bool:
        is_at_end = self._input.skip_line()
        if self._input.skipped > self._limits.swallow_limit:
            self._end(self._skip_reply)
        elif is_at_end and self._input.is_bare and not self._takes_lone_lf:
            self._end(answers.BARE_LF_COMMAND)
        elif is_at_end:
            self.state = "command"
            self._since = self._now
            self.counters.commands += 1
            self._say(self._skip_reply)
        return True

    def _read_response(self) -> bool:
        """Work on the client's response to a challenge (RFC 4954 §4)."""
        line = self._input.take_line(MAX_RESPONSE_LINE)
        if line is None:
            if len(self._input) < MAX_RESPONSE_LINE:
                return False
            self._commands.exchange.end(answers.AUTH_LINE_TOO_LONG)
            self._skip_from_here(answers.AUTH_LINE_TOO_LONG)
            self._handler.login.on_auth_cancel()
            return True
        self._since = self._now
        if self._input.is_bare and not self._takes_lone_lf:
            self._end(answers.BARE_LF_COMMAND)
        else:
            self._take_response(line if self._input.is_bare else line.rstrip(b"\r"))
        return True

    # -- commands

    def _perform(self, line: bytes) -> None:
        commands = self._commands
        verb = VERBS.get(line[:4].upper())
        if verb is None or line[4:5] not in b" " or b"\r" in line or b"\0" in line:
            verb, line = recognise(line, pedantic=commands.options.pedantic)
        self._asked = verb
        self.state = "waiting"  # the handler may answer before it returns
        reply: Reply | None
        try:
            if verb.first is None and commands.transaction.phase not in verb.rule.refused:
                reply = verb.run(commands, line, self._handler)
            else:
                reply = self._ask_if_allowed(verb, line)
        except CommandError as error:
            reply = error.reply
        except UnicodeDecodeError:
            reply = answers.BAD_CHARACTERS
        if reply is not None and self.state == "waiting":
            self.state = "command"
            self._conclude(verb, reply)

    def _ask_if_allowed(self, verb: Verb, line: bytes) -> Reply | None:
        commands = self._commands
        refusal = verb.first(commands, line) if verb.first is not None else None
        if refusal is None:
            refusal = verb.rule.refused.get(commands.transaction.phase)
            if refusal is answers.HELO_FIRST and not commands.options.require_helo:
                refusal = None
        if refusal is None and not (verb.rule.state == "tls" and self._drop_injection()):
            return verb.run(commands, line, self._handler)
        return refusal

    def _conclude(self, verb: Verb, reply: Reply) -> None:
        """Act on the answer to a command and say it."""
        waits, commands, rule = self._input, self._commands, verb.rule
        if waits.pos < len(waits.data) and rule.group not in commands.ahead:
            self._end(answers.UNAUTHORISED_PIPELINING)
            return
        if reply.code >= 400:
            self._conclude_refused(verb, reply)
        elif rule.state != "tls" or not self._drop_injection():
            if rule.onward is not None:
                commands.transaction.phase = rule.onward
            elif rule.back is not None and commands.transaction.end(rule.back):
                self._handler.mail.on_reset()
            if verb.then is not None:
                reply = verb.then(commands, reply)
            if rule.state is None:
                self._out.append(self._wire(reply))
            else:
                self._turn(rule.state, reply)
        if rule.idle and self.state == "command":
            self._count_idle()

    def _conclude_refused(self, verb: Verb, reply: Reply) -> None:
        if verb.rule.state == "tls" and self._drop_injection():
            return
        if verb.otherwise is not None:
            verb.otherwise(self._commands, reply, self._handler)
        if verb.rule.state == "chunk":
            self._begin_chunk(reply)
        else:
            self._say(reply)

    def _turn(self, state: State, reply: Reply) -> None:
        """Say *reply*, which is a good one; something else than a command comes next."""
        if state == "chunk":
            self._begin_chunk(reply)
        elif state == "closed":
            self._leave(reply)
        else:
            self.state = state
            self._out.append(self._wire(reply))

    def _drop_injection(self) -> bool:
        """Throw away what stands behind STARTTLS in clear text: an attacker may have put it there (RFC 3207 §4.2).
        Returns whether the session ended of it.
        """
        behind = len(self._input)
        if behind:
            self._input.clear()
            self._note_injection(behind)
        return self.state == "closed"

    def _note_injection(self, size: int) -> None:
        self.injected += size
        if self._commands.options.starttls_injection == "reject":
            self._end(answers.STARTTLS_INJECTION)

    def _send_challenge(self, data: bytes) -> None:
        if len(self._input) and "last" not in self._commands.ahead:
            self._end(answers.UNAUTHORISED_PIPELINING)
            return
        self._out.append(encode_challenge(data))
        self.state = "auth"
        self._since = self._now

    def _take_response(self, line: bytes) -> None:
        response = read_response(line)
        if isinstance(response, bytes):
            self.state = "waiting"
            self._handler.login.on_auth_line(response)
            return
        self.state = "command"
        self._handler.login.on_auth_cancel()
        assert self._asked is not None
        self._conclude(self._asked, response)

    # -- bodies

    def _begin_chunk(self, reply: Reply) -> None:
        """A chunk comes (RFC 3030 §2). It comes in any case; a refusal is said after it, if it is not too much."""
        refusal = reply if reply.code >= 400 else None
        if refusal is answers.BAD_CHUNK or (refusal and self._body.chunk_size > self._limits.swallow_limit):
            self._end(reply)  # what follows would be taken for commands
            return
        self._body.begin_chunk(refusal)
        self.state = "chunk"
        if not self._body.chunk_left:
            self._chunk_done()

    def _read_data(self) -> bool:
        body = self._body
        self._since = self._now
        at_end = body.read_text(self._input, self._now, self._handler.mail)
        if body.is_refused:
            self._refuse_body(at_end)
        elif at_end:
            self._end_of_body()
        return True

    def _read_chunk(self) -> bool:
        body = self._body
        self._since = self._now
        body.read_chunk(self._input, self._now, self._handler.mail)
        if body.chunk_left:
            if body.chunk_refusal is None and body.is_refused:
                self._refuse_body(at_end=False)
        elif self.state == "chunk":
            self._chunk_done()
        return True

    def _refuse_body(self, at_end: bool) -> None:
        self._commands.void(self._handler)
        if self._body.is_hopeless:
            self._end(self._body.refusal)
        elif at_end:
            self.state = "command"
            self._say(self._body.refusal)

    def _chunk_done(self) -> None:
        """Answer a chunk that is complete (RFC 3030 §2)."""
        body = self._body
        self.state = "command"
        if body.chunk_refusal is not None:
            self._say(body.chunk_refusal)
            return
        body.end_chunk()
        if body.is_refused:
            self._refuse_body(at_end=True)
        elif body.is_last_chunk:
            self._end_of_body()
        else:
            self._say(Reply(250, "2.0.0", f"{body.chunk_size} bytes taken"))
            if not body.chunk_size:
                self._count_idle()

    def _end_of_body(self) -> None:
        """The message is the handler's from now on (RFC 5321 §4.1.1.4: its end is not the transaction's to undo)."""
        rest = self._body.finish(self._handler.mail)
        self._commands.transaction.end("rest")
        self.counters.bodies += 1
        self._asked = None
        self.state = "waiting"
        self._handler.mail.on_message(rest)

    def _message_done(self, reply: Reply) -> None:
        if reply.code >= 400:
            self._refuse(reply)
            return
        # each names its message: in the cache they would only take the place of others
        self._out.append(wire_once(reply) if self._wire is wire else self._wire(reply))
        self._patience.renew()

    # -- what is said

    def _say(self, reply: Reply) -> None:
        """Reply to a command or a body; the peer is cut off when the reply says so or its errors are too
        many.
        """
        if reply.code >= 400:
            self._handler.on_refusal(reply)
            self._refuse(reply)
        else:
            self._out.append(self._wire(reply))

    def _refuse(self, reply: Reply) -> None:
        """Say *reply*, which is not a good one and which the handler knows."""
        self._out.append(self._wire(reply))
        self.counters.errors += 1
        if reply.code in (421, 521):
            self._close()
        elif reply is not answers.TOO_MANY_RECIPIENTS and self._patience.ends_with_error(self._limits):
            self._end(answers.TOO_MANY_ERRORS)

    def _count_idle(self) -> None:
        if self._patience.ends_with_idle(self._limits):
            self._end(answers.TOO_MANY_NULL_COMMANDS)

    def _end(self, reply: Reply) -> Reply:
        """Say *reply*, which is not a good one, as the last thing."""
        self.counters.errors += 1
        self._handler.on_refusal(reply)
        self._leave(reply)
        return reply

    def _leave(self, reply: Reply) -> None:
        self._out.append(self._wire(reply))
        self._close()

    def _close(self) -> None:
        self.state = "closed"
        self._input.clear()
        self._body.forget()
        self._commands.void(self._handler)


_M = ServerMachine
_READERS: dict[State, Callable[[ServerMachine], bool]] = {
    "command": _M._read_command,
    "data": _M._read_data,
    "chunk": _M._read_chunk,
    "skip": _M._skip_line,
    "auth": _M._read_response,
}
"""What works on input in a state; in all others it waits."""
