"""What every part of the server machine shares: its state, its replies, the transaction."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.answers import wire
from angarium.smtp.server.data_phase import BodyReader
from angarium.smtp.server.handler import ServerHandler
from angarium.smtp.server.options import ServerLimits, ServerOptions, body_rules

State = Literal["connect", "command", "skip", "auth", "data", "chunk", "waiting", "tls", "closed"]
"""*connect*: the greeting was not sent. *skip*: inside a line that is too long. *auth*: before the response to a
challenge. *data*, *chunk*: inside a body. *waiting*: for the handler's `answer`. *tls*: for `secured`. *closed*:
nothing more is read; the connection ends once the output is sent.
"""


class Counters:
    """What happened on the connection: *errors* counts 4xx and 5xx replies, *recipients* and *messages* those
    taken, *bodies* every body that came to its end without fault.
    """

    __slots__ = ("bodies", "commands", "errors", "messages", "recipients")

    def __init__(self) -> None:
        self.commands = self.errors = self.recipients = self.bodies = self.messages = 0


class Verb(NamedTuple):
    """A command: what it asks, what the answer brings about, and where it may stand.

    *run* gets the line and returns our refusal or the handler's answer, None when that comes later or when all is
    said. *then* gets either and returns what is to be said. *group*: "any" may be followed by other commands in
    one write, "last" may not (RFC 2920 §3.1), "free" is not checked. *idle* commands bring no mail nearer. With
    *keeps_state* *run* sets the machine's state itself when it returns None.
    """

    run: Callable[[Any, bytes], Reply | None]
    then: Callable[[Any, Reply], Reply | None] | None = None
    group: Literal["any", "last", "free"] = "any"
    idle: bool = False
    keeps_state: bool = False


class ServerCore:
    """State and replies. See `server.ServerMachine`, which is what others use."""

    __slots__ = (
        "_ask_at",
        "_body",
        "_body_at",
        "_body_bytes",
        "_buffer",
        "_chunk_left",
        "_chunk_size",
        "_errors",
        "_handler",
        "_has_had_body",
        "_idle",
        "_in_bdat",
        "_is_last_chunk",
        "_limits",
        "_may_pipeline",
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
        "_skip_reply",
        "_skipped",
        "_skipped_cr",
        "_smtputf8",
        "_tolerates_haste",
        "_tried",
        "_unwelcome",
        "_verb",
        "_with_enhanced",
        "counters",
        "helo_name",
        "injected",
        "is_authenticated",
        "is_encrypted",
        "is_esmtp",
        "state",
    )

    def __init__(
        self, handler: ServerHandler, options: ServerOptions, limits: ServerLimits, now: float
    ) -> None:
        self._handler = handler
        self._offered: tuple[str, ...] = ()
        self._obey(options, limits)
        self.state: State = "connect"
        self.counters = Counters()
        self.helo_name = ""
        """The name in the last HELO or EHLO that was taken."""
        self.is_esmtp = False
        """Whether that was EHLO."""
        self.is_encrypted = self.is_authenticated = False
        """Whether `secured` was called; whether AUTH has succeeded since the session began."""
        self.injected = 0
        """Bytes that came in clear text behind STARTTLS: an attack, or a client that does not wait."""
        self._now = self._since = now
        self._body_at: float | None = None
        self._body_bytes = 0
        self._buffer = b""
        self._pos = 0
        self._out: list[bytes] = []
        self._verb: Verb | None = None
        """The command that is answered next; None: it is a body."""
        self._refusal: Reply | None = None
        self._unwelcome: Reply | None = None
        """Why the handler has refused the rest of a body."""
        self._ask_at = 0
        """The size of the body at which the handler is asked next."""
        self._shutdown: Reply | None = None
        self._skip_reply = answers.LINE_TOO_LONG
        self._has_had_body = False
        """Whether DATA or BDAT was taken since the connection began."""
        self._running = self._in_bdat = self._is_last_chunk = self._skipped_cr = False
        self._sender = self._open = self._smtputf8 = self._pending_utf8 = False
        self._pending_name = ("", "")
        self._recipients = self._tried = self._errors = self._idle = 0
        self._chunk_left = self._chunk_size = self._skipped = 0

    def _obey(self, options: ServerOptions, limits: ServerLimits) -> None:
        self._options = options
        self._limits = limits
        in_chunks = body_rules(options, limits, in_chunks=True)
        self._body = BodyReader(body_rules(options, limits), in_chunks)
        self._tolerates_haste = not options.refuse_unauthorised_pipelining
        self._with_enhanced = "ENHANCEDSTATUSCODES" in options.extensions
        self._offer(self._offered)

    @property
    def _takes_lone_lf(self) -> bool:
        """Whether a command may end with an LF alone."""
        policy = self._options.lone_lf_in_commands
        return policy == "fix" or (policy == "start" and not self._has_had_body)

    def _greeting(self) -> Reply:
        return Reply(220, "", f"{self._options.hostname} {self._options.greeting}")

    def _skip_from_here(self, reply: Reply) -> None:
        """Throw the rest of a line away, and answer it with *reply* at its end."""
        self.state = "skip"
        self._skipped = 0
        self._skip_reply = reply

    def _conclude(self, verb: Verb, reply: Reply) -> None:
        """Act on the answer to a command and say it."""
        if self._pos < len(self._buffer) and self._is_hasty(verb):
            self._end(answers.UNAUTHORISED_PIPELINING)
            return
        said = reply if verb.then is None else verb.then(self, reply)
        if said is not None:
            self._say(said)
        if verb.idle and self.state == "command":
            self._count_idle()

    def _is_hasty(self, verb: Verb) -> bool:
        """Whether a peer that has gone on already should have waited for the reply to *verb*."""
        if verb.group == "any":
            return not self._may_pipeline
        return verb.group == "last" and not self._tolerates_haste

    def _offer(self, extensions: tuple[str, ...]) -> None:
        self._offered = extensions
        self._may_pipeline = self._tolerates_haste or "PIPELINING" in extensions

    def _say(self, reply: Reply) -> None:
        """Reply to a command or a body; the peer is cut off when the reply says so or its errors are too
        many.
        """
        if reply.code >= 400:
            self._handler.on_refusal(reply)
        self._pass_on(reply)

    def _pass_on(self, reply: Reply) -> None:
        """Say what the handler knows already."""
        self._put(reply)
        if reply.code < 400:
            return
        self.counters.errors += 1
        if reply.code in (421, 521):
            self._close()
        elif reply is not answers.TOO_MANY_RECIPIENTS:
            self._errors += 1
            if self._errors > self._limits.max_errors > 0:
                self._end(answers.TOO_MANY_ERRORS)

    def _count_idle(self) -> None:
        """Count a command that brings no mail nearer."""
        self._idle += 1
        if self._idle > self._limits.max_null_commands > 0:
            self._end(answers.TOO_MANY_NULL_COMMANDS)

    def _end(self, reply: Reply) -> Reply:
        """Say *reply*, which is not a good one, as the last thing."""
        self.counters.errors += 1
        self._handler.on_refusal(reply)
        self._leave(reply)
        return reply

    def _put(self, reply: Reply) -> None:
        self._out.append(wire(reply if self._with_enhanced else Reply(reply.code, "", reply.text)))

    def _leave(self, reply: Reply) -> None:
        self._put(reply)
        self._close()

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
