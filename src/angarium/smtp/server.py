"""The server side of SMTP as a machine without I/O (RFC 5321, 2920, 3030).

Bytes go in by `receive`, replies come out by `take_output`, decisions are a `ServerHandler`'s. The machine
has no clock: the time arrives as an argument, in seconds of any clock that does not jump.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from angarium.core.reply import Reply
from angarium.smtp import answers
from angarium.smtp.answers import wire
from angarium.smtp.command import CommandError, parse_mail, parse_rcpt
from angarium.smtp.dataphase import BodyReader, Fault
from angarium.smtp.server_handler import ServerHandler
from angarium.smtp.server_options import ServerLimits, ServerOptions, body_rules, offered_lines
from angarium.smtp.server_syntax import NO_MAIL_VERBS, WEB_VERBS, argument, parse_bdat, parse_name

SPILL_PIECE = 65_536
"""A large body is handed over in pieces of at least this many bytes."""

MAX_BUFFERED = 65_536
"""`wants_read` is False while more than this waits for an answer of the handler."""

RECIPIENT_OVERSHOOT = 1000
"""So many recipients above the limit are no error: who pipelines them learns of the limit after the last one.
"""

State = Literal["connect", "command", "skip", "data", "chunk", "waiting", "closed"]
"""*connect*: the greeting was not sent. *skip*: inside a command line that is too long. *data*, *chunk*:
inside a body. *waiting*: for the handler's `answer`. *closed*: nothing more is read; the connection ends once
the output is sent.
"""

_FAULTS = {
    Fault.LONG_LINE: answers.LONG_LINE_REFUSED,
    Fault.BARE_LINE_END: answers.BARE_REFUSED,
    Fault.NUL: answers.NUL_REFUSED,
    Fault.TOO_LARGE: answers.TOO_LARGE,
    Fault.SMUGGLING: answers.SMUGGLING,
    Fault.ENDLESS: answers.TOO_LARGE,
}


class Counters:
    """What happened on the connection: *errors* counts 4xx and 5xx replies, *recipients* and *messages* those
    taken, *bodies* every body that came to its end without fault.
    """

    __slots__ = ("bodies", "commands", "errors", "messages", "recipients")

    def __init__(self) -> None:
        self.commands = self.errors = self.recipients = self.bodies = self.messages = 0


class ServerMachine:
    """One connection, seen from the server.

    The shell calls `greet` once, then `receive` for what the peer sends; after every call it writes
    `take_output`, stops reading while not `wants_read`, and closes after writing once `closing`. It calls
    `check` now and then, and `connection_lost` when the peer is gone. The handler's methods are called from
    inside `receive` and `answer`.
    """

    __slots__ = (
        "_body",
        "_body_at",
        "_buffer",
        "_chunk_left",
        "_chunk_size",
        "_errors",
        "_handler",
        "_idle",
        "_in_bdat",
        "_is_last_chunk",
        "_limits",
        "_now",
        "_offered",
        "_open",
        "_options",
        "_out",
        "_pending_name",
        "_pending_utf8",
        "_pos",
        "_recipients",
        "_refusal",
        "_running",
        "_sender",
        "_shutdown",
        "_since",
        "_skipped",
        "_skipped_cr",
        "_smtputf8",
        "_tried",
        "_verb",
        "counters",
        "helo_name",
        "state",
    )

    def __init__(
        self, handler: ServerHandler, options: ServerOptions, limits: ServerLimits, now: float
    ) -> None:
        self._handler = handler
        self._options = options
        self._limits = limits
        self._body = BodyReader(body_rules(options, limits))
        self.state: State = "connect"
        self.counters = Counters()
        self.helo_name = ""
        """The name of the last HELO or EHLO that was taken."""
        self._now = self._since = now
        self._body_at: float | None = None
        self._buffer = b""
        self._pos = 0
        self._out: list[bytes] = []
        self._offered: tuple[str, ...] = ()
        self._verb = _END_OF_BODY
        self._refusal: Reply | None = None
        self._shutdown: Reply | None = None
        self._running = self._in_bdat = self._is_last_chunk = self._skipped_cr = False
        self._sender = self._open = self._smtputf8 = self._pending_utf8 = False
        self._pending_name = ("", "")
        self._recipients = self._tried = self._errors = self._idle = 0
        self._chunk_left = self._chunk_size = self._skipped = 0

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
        self._out.append(wire(Reply(220, "", f"{self._options.hostname} {self._options.greeting}")))

    def receive(self, data: bytes, now: float) -> None:
        """Take what the peer sent."""
        self._now = now
        if self.state == "closed":
            return
        if self.state == "connect":
            self._end(answers.EARLY_TALK)
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
        self._conclude(self._verb, reply)
        if not self._running:
            self._run()

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
        if self.state in ("connect", "waiting", "closed"):
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

    def connection_lost(self) -> None:
        """The peer is gone. An open transaction is over; a message whose end came stays with the handler."""
        self._close()

    @property
    def closing(self) -> bool:
        """Whether the connection is to be closed once the output is written."""
        return self.state == "closed"

    @property
    def buffered(self) -> int:
        """Bytes received and not worked on."""
        return len(self._buffer) - self._pos

    @property
    def wants_read(self) -> bool:
        """Whether more input is of use at present. Commands that were pipelined while an answer is due may
        come in.
        """
        return self.state != "closed" and (self.state != "waiting" or self.buffered < MAX_BUFFERED)

    @property
    def wait_s(self) -> float | None:
        """Seconds the peer has to finish its command, or to send the next bytes of a body; None: it owes
        nothing.
        """
        if self.state in ("command", "skip"):
            return self._limits.command_timeout_s or None
        if self.state in ("data", "chunk"):
            return self._limits.data_timeout_s or None
        return None

    @property
    def is_esmtp(self) -> bool:
        """Whether the peer said EHLO."""
        return self._pending_name[0] == "EHLO"

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
                else:
                    break
            if self._shutdown is not None and self.state == "command" and not self._in_bdat:
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
        if end < 0 and len(buffer) - start < longest:
            return False
        if end < 0 or end - start >= longest:
            self.state = "skip"
            self._skipped = 0
            return True
        if self._shutdown is not None and not self._in_bdat:
            self._end(self._shutdown)
            return True
        self._pos = end + 1
        self._since = self._now
        self.counters.commands += 1
        stop = end - 1
        if stop < start or buffer[stop] != 13:
            if self._options.lone_lf_in_commands == "refuse":
                self._end(answers.BARE_LF_COMMAND)
                return True
            stop = end
        self._perform(buffer[start:stop])
        return True

    def _skip_line(self) -> None:
        """Throw away what came of a line that is too long, and answer at its end."""
        buffer, start = self._buffer, self._pos
        end = buffer.find(b"\n", start)
        self._pos = len(buffer) if end < 0 else end + 1
        self._skipped += self._pos - start
        if self._skipped > self._limits.swallow_limit:
            self._end(answers.LINE_TOO_LONG)
        elif end < 0:
            self._skipped_cr = buffer.endswith(b"\r")
        elif self._options.lone_lf_in_commands == "refuse" and not (
            self._skipped_cr if end == start else buffer[end - 1] == 13
        ):
            self._end(answers.BARE_LF_COMMAND)
        else:
            self.state = "command"
            self._since = self._now
            self.counters.commands += 1
            self._say(answers.LINE_TOO_LONG)

    def _perform(self, line: bytes) -> None:
        verb = _VERBS.get(line[:4].upper())
        if verb is None or line[4:5] not in b" ":
            verb = _UNKNOWN
        self._verb = verb
        try:
            reply = answers.BAD_CHARACTERS if b"\r" in line or b"\0" in line else verb.run(self, line)
        except CommandError as error:
            reply = error.reply
        except UnicodeDecodeError:
            reply = answers.BAD_CHARACTERS
        if reply is not None:
            self._conclude(verb, reply)
        elif self.state == "command":
            self.state = "waiting"

    def _conclude(self, verb: "_Verb", reply: Reply) -> None:
        """Act on the answer to a command and say it."""
        if verb.group != "free" and self._pos < len(self._buffer) and self._talks_too_soon(verb):
            self._end(answers.UNAUTHORISED_PIPELINING)
            return
        said = reply if verb.then is None else verb.then(self, reply)
        if said is not None:
            self._say(said)
        if verb.idle and self.state == "command":
            self._idle += 1
            if self._idle > self._limits.max_null_commands > 0:
                self._end(answers.TOO_MANY_NULL_COMMANDS)

    def _talks_too_soon(self, verb: "_Verb") -> bool:
        return self._options.refuse_unauthorised_pipelining and (
            verb.group == "last" or "PIPELINING" not in self._offered
        )

    def _say(self, reply: Reply) -> None:
        """Reply to a command or a body; the peer is cut off when the reply says so or its errors are too
        many.
        """
        if reply.enhanced and "ENHANCEDSTATUSCODES" not in self._options.extensions:
            reply = Reply(reply.code, "", reply.text)
        self._out.append(wire(reply))
        if reply.code < 400:
            return
        self.counters.errors += 1
        if reply.code in (421, 521):
            self._close()
        elif reply is not answers.TOO_MANY_RECIPIENTS:
            self._errors += 1
            if self._errors > self._limits.max_errors > 0:
                self._end(answers.TOO_MANY_ERRORS)

    def _end(self, reply: Reply) -> Reply:
        """Say *reply* as the last thing."""
        self._out.append(wire(reply))
        self.counters.errors += 1
        self._close()
        return reply

    def _close(self) -> None:
        self.state = "closed"
        self._buffer = b""
        self._pos = 0
        self._body.start()
        self._void()

    def _void(self) -> None:
        """Forget the transaction, if there is one, and have the handler forget it."""
        self._sender = self._in_bdat = False
        if self._open:
            self._open = False
            self._handler.on_reset()

    # -- commands: each returns our refusal or the handler's answer, None when that comes later

    def _helo(self, line: bytes) -> Reply | None:
        name = parse_name(line)
        if not name:
            return answers.BAD_NAME
        self._pending_name = line[:4].decode("ascii").upper(), name
        return self._handler.on_helo(*self._pending_name)

    def _helo_done(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            return reply
        self._void()
        verb, self.helo_name = self._pending_name
        first = f"{self._options.hostname} {reply.text}".rstrip()
        if verb == "HELO":
            self._offered = ()
            return Reply(250, "", first)
        self._offered = self._options.extensions
        return Reply(250, "", "\n".join((first, *offered_lines(self._options, self._limits))))

    def _mail(self, line: bytes) -> Reply | None:
        if self._options.require_helo and not self.helo_name:
            return answers.HELO_FIRST
        if self._sender:
            return answers.NESTED_MAIL
        if self.counters.bodies >= self._limits.max_messages > 0:
            return answers.TOO_MANY_MESSAGES
        command = parse_mail(line.decode("utf-8"), self._offered)
        if command.size > self._limits.max_message_size > 0:
            return answers.TOO_LARGE
        self._pending_utf8 = command.smtputf8
        return self._handler.on_mail(command)

    def _mail_done(self, reply: Reply) -> Reply:
        if reply.code < 400:
            self._sender = self._open = True
            self._smtputf8 = self._pending_utf8
            self._recipients = self._tried = 0
        return reply

    def _rcpt(self, line: bytes) -> Reply | None:
        if not self._sender:
            return answers.MAIL_FIRST
        if self._in_bdat:
            return answers.BDAT_UNDER_WAY
        self._tried += 1
        limit = self._limits.max_recipients
        if self._recipients >= limit > 0:
            if self._tried > limit + RECIPIENT_OVERSHOOT:
                self._errors += 1
            return answers.TOO_MANY_RECIPIENTS
        return self._handler.on_rcpt(parse_rcpt(line.decode("utf-8"), self._offered, self._smtputf8))

    def _rcpt_done(self, reply: Reply) -> Reply:
        if reply.code < 400:
            self._recipients += 1
            self.counters.recipients += 1
        return reply

    def _not_ready(self) -> Reply | None:
        """Return why no body can come now, None when one can."""
        if not self._sender:
            return answers.MAIL_FIRST
        if not self._recipients:
            return answers.NO_RECIPIENTS if self._tried else answers.RCPT_FIRST
        return None

    def _data(self, line: bytes) -> Reply | None:
        if argument(line):
            return answers.NO_ARGUMENTS
        if self._in_bdat:
            return answers.BDAT_UNDER_WAY
        return self._not_ready() or self._handler.on_data()

    def _data_done(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            return reply
        self._body.start()
        self._body_at = None
        self.state = "data"
        return reply if reply.code == 354 else answers.GO_AHEAD

    def _bdat(self, line: bytes) -> Reply | None:
        chunk = parse_bdat(line)
        if chunk is None:  # what follows would be taken for commands
            self._end(answers.BAD_CHUNK)
            return None
        self._chunk_size, self._is_last_chunk = chunk
        if "CHUNKING" not in self._offered:
            return answers.NOT_IMPLEMENTED
        if refusal := self._not_ready():
            return refusal
        if self._body.size * self._in_bdat + self._chunk_size > self._limits.max_message_size > 0:
            return answers.TOO_LARGE
        return answers.GO_AHEAD if self._in_bdat else self._handler.on_data()

    def _bdat_done(self, reply: Reply) -> Reply | None:
        """Begin a chunk. It is read in any case; a refusal is said after it."""
        self._refusal = None
        if reply.code >= 400:
            self._refusal = reply
            self._void()
            if self._chunk_size > self._limits.swallow_limit:
                return self._end(reply) and None
        elif not self._in_bdat:
            self._in_bdat = True
            self._body.start()
            self._body_at = None
        self._chunk_left = self._chunk_size
        self.state = "chunk"
        if not self._chunk_left:
            self._chunk_done()
        return None

    def _rset(self, line: bytes) -> Reply | None:
        if argument(line):
            return answers.NO_ARGUMENTS
        self._void()
        return answers.RESET_OK

    def _noop(self, line: bytes) -> Reply | None:
        return answers.NOOP_OK

    def _vrfy(self, line: bytes) -> Reply | None:
        what = argument(line)
        return self._handler.on_vrfy(what) if what else answers.BAD_SYNTAX

    def _help(self, line: bytes) -> Reply | None:
        return self._handler.on_help(argument(line))

    def _quit(self, line: bytes) -> Reply | None:
        if argument(line):
            return answers.NO_ARGUMENTS
        self._out.append(wire(answers.BYE))
        self._close()
        return None

    def _unknown(self, line: bytes) -> Reply | None:
        word = line.split(b" ", 1)[0].upper()
        if word in WEB_VERBS:
            return answers.NOT_HTTP
        return answers.NOT_IMPLEMENTED if word in NO_MAIL_VERBS else answers.UNKNOWN_COMMAND

    # -- bodies

    def _read_data(self) -> None:
        body = self._body
        self._body_begins()
        end = body.feed_dotted(self._buffer, self._pos)
        self._pos = len(self._buffer) if end < 0 else end
        if body.fault:
            self._refuse_body(end >= 0)
        elif end >= 0:
            self._end_of_body()
        elif body.kept >= SPILL_PIECE and body.size > self._limits.spill_threshold:
            self._handler.on_chunk(body.take())

    def _refuse_body(self, at_end: bool) -> None:
        self._void()
        fault = self._body.fault
        if fault >= Fault.SMUGGLING:
            self._end(_FAULTS[fault])
        elif at_end:
            self.state = "command"
            self._say(_FAULTS[fault])

    def _read_chunk(self) -> None:
        self._body_begins()
        piece = self._buffer[self._pos : self._pos + self._chunk_left]
        self._pos += len(piece)
        self._chunk_left -= len(piece)
        body = self._body
        if self._refusal is None:
            body.feed_chunk(piece)
            if body.fault:
                self._refuse_body(at_end=False)
            elif body.kept >= SPILL_PIECE and body.size > self._limits.spill_threshold:
                self._handler.on_chunk(body.take())
        if not self._chunk_left and self.state == "chunk":
            self._chunk_done()

    def _chunk_done(self) -> None:
        self.state = "command"
        if self._refusal is not None:
            self._say(self._refusal)
            return
        if self._is_last_chunk:
            self._body.end_chunks()
        if self._body.fault:
            self._refuse_body(at_end=True)
        elif self._is_last_chunk:
            self._end_of_body()
        else:
            self._say(Reply(250, "2.0.0", f"{self._chunk_size} bytes taken"))

    def _body_begins(self) -> None:
        self._since = self._now
        if self._body_at is None:
            self._body_at = self._now

    def _end_of_body(self) -> None:
        body = self._body
        if body.kept >= SPILL_PIECE and body.size > self._limits.spill_threshold:
            self._handler.on_chunk(body.take())
        self._sender = self._open = self._in_bdat = False
        self.counters.bodies += 1
        self._verb = _END_OF_BODY
        self.state = "waiting"
        self._handler.on_message(body.take())

    def _message_done(self, reply: Reply) -> Reply:
        if reply.code < 400:
            self.counters.messages += 1
            self._errors = self._idle = 0
        return reply

    def _is_too_slow(self, now: float) -> bool:
        rate, began = self._limits.min_data_rate_bytes_per_s, self._body_at
        if began is None or not rate or now - began < self._limits.data_rate_grace_s:
            return False
        return self._body.raw_size < rate * (now - began)


class _Verb(NamedTuple):
    """A command: what it asks, what its answer brings about, and where it may stand.

    *group*: "any" may be followed by other commands in one write, "last" may not (RFC 2920 §3.1), "free" is
    not checked. *idle* commands bring no mail nearer.
    """

    run: Callable[[ServerMachine, bytes], Reply | None]
    then: Callable[[ServerMachine, Reply], Reply | None] | None = None
    group: Literal["any", "last", "free"] = "any"
    idle: bool = False


_VERBS = {
    b"HELO": _Verb(ServerMachine._helo, ServerMachine._helo_done, "last", idle=True),
    b"EHLO": _Verb(ServerMachine._helo, ServerMachine._helo_done, "last", idle=True),
    b"MAIL": _Verb(ServerMachine._mail, ServerMachine._mail_done),
    b"RCPT": _Verb(ServerMachine._rcpt, ServerMachine._rcpt_done),
    b"DATA": _Verb(ServerMachine._data, ServerMachine._data_done, "last"),
    b"BDAT": _Verb(ServerMachine._bdat, ServerMachine._bdat_done, "free"),
    b"RSET": _Verb(ServerMachine._rset, idle=True),
    b"NOOP": _Verb(ServerMachine._noop, group="last", idle=True),
    b"VRFY": _Verb(ServerMachine._vrfy, group="last", idle=True),
    b"HELP": _Verb(ServerMachine._help, idle=True),
    b"QUIT": _Verb(ServerMachine._quit, group="free"),
}
_UNKNOWN = _Verb(ServerMachine._unknown, group="free", idle=True)
_END_OF_BODY = _Verb(ServerMachine._noop, ServerMachine._message_done, "free")
