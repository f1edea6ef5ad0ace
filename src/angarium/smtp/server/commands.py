"""The commands of a server session: what each asks of the handler, and what its answer brings about."""

from collections.abc import Callable
from dataclasses import dataclass

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.auth_syntax import parse_auth, parse_xclient
from angarium.smtp.server.body import IncomingBody
from angarium.smtp.server.command import parse_mail, parse_rcpt
from angarium.smtp.server.counters import ServerCounters
from angarium.smtp.server.exchange import AuthExchange
from angarium.smtp.server.handler import ServerHandler
from angarium.smtp.server.options import ServerLimits, ServerOptions, offered_lines
from angarium.smtp.server.order import RULES, CommandRule
from angarium.smtp.server.syntax import (
    NO_MAIL_VERBS,
    WEB_VERBS,
    argument,
    has_argument,
    parse_bdat,
    parse_name,
)
from angarium.smtp.server.transaction import ServerTransaction

RECIPIENT_OVERSHOOT = 1000
"""So many recipients above the limit are no error: who pipelines them learns of the limit after the last one.
"""


class ServerCommands:
    """What the peer has said of itself, and of the mail that it is about to send.

    The handler is passed to what asks it, and not kept. *body* and *counters* are those of the connection. *offered*
    are the extensions in force. A peer may go on behind commands of the groups *ahead* before their answer (RFC 2920
    §3.1).
    """

    __slots__ = (
        "_body",
        "_counters",
        "_limits",
        "_named",
        "ahead",
        "exchange",
        "helo_name",
        "is_encrypted",
        "is_esmtp",
        "offered",
        "options",
        "transaction",
    )

    def __init__(
        self, options: ServerOptions, limits: ServerLimits, body: IncomingBody, counters: ServerCounters
    ) -> None:
        self.transaction = ServerTransaction()
        self.exchange = AuthExchange()
        self.helo_name = ""
        self.is_esmtp = self.is_encrypted = False
        self.offered: tuple[str, ...] = ()
        self.ahead: tuple[str, ...] = ()
        self._body = body
        self._counters = counters
        self._named = ("", "")
        """The HELO or EHLO that is answered next, and its name."""
        self.obey(options, limits)

    def obey(self, options: ServerOptions, limits: ServerLimits) -> None:
        """Go by other options and limits from now on."""
        self.options, self._limits = options, limits
        self._offer(self.offered)

    def _offer(self, extensions: tuple[str, ...]) -> None:
        self.offered = extensions
        self.ahead = ("free", "any") if "PIPELINING" in extensions else ("free",)
        if not self.options.refuse_unauthorised_pipelining:
            self.ahead = ("free", "any", "last")

    @property
    def greeting(self) -> Reply:
        """What the server says first (RFC 5321 §4.2: with its name)."""
        return Reply(220, "", f"{self.options.hostname} {self.options.greeting}")

    def forget_peer(self) -> None:
        """The session begins anew: nothing holds of what the peer has said (RFC 3207 §4.2)."""
        self.exchange.forget()
        self.helo_name = ""
        self.is_esmtp = False
        self._offer(())

    def void(self, handler: ServerHandler) -> None:
        """Forget the transaction, if there is one, and have the handler forget it."""
        if self.transaction.end("rest"):
            handler.mail.on_reset()

    # -- mail

    def helo(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """HELO, EHLO."""
        name = parse_name(line, self.options.pedantic)
        if not name:
            return answers.BAD_NAME
        self._named = line[:4].decode("ascii").upper(), name
        return handler.on_helo(*self._named)

    def greeted(self, reply: Reply) -> Reply:
        """The peer is who it says: after EHLO tell it what there is (RFC 5321 §4.1.1.1)."""
        word, self.helo_name = self._named
        self.is_esmtp = word == "EHLO"
        first = f"{self.options.hostname} {reply.text}".rstrip()
        if not self.is_esmtp:
            self._offer(())
            return Reply(250, "", first)
        self._offer(self.options.extensions)
        lines = offered_lines(self.options, self._limits, self.is_encrypted)
        return Reply(250, "", "\n".join((first, *lines)))

    def mail(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """MAIL."""
        if self._counters.bodies >= self._limits.max_messages > 0:  # MAILMAX: RFC 9422 §4.1
            return answers.TOO_MANY_MESSAGES
        command = parse_mail(line.decode("utf-8"), self.offered, self.options.pedantic)
        if command.size > self._limits.max_message_size > 0:  # RFC 1870 §6.1
            return answers.TOO_LARGE
        self.transaction.smtputf8 = command.smtputf8
        return handler.mail.on_mail(command)

    def rcpt(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """RCPT."""
        transaction, limit = self.transaction, self._limits.max_recipients
        if transaction.recipients >= limit > 0:  # RFC 5321 §4.5.3.1.10
            overshoot = transaction.recipients + transaction.refused - limit
            return answers.TOO_MANY_RECIPIENTS if overshoot < RECIPIENT_OVERSHOOT else answers.TOO_MANY_ERRORS
        text, utf8 = line.decode("utf-8"), transaction.smtputf8
        return handler.mail.on_rcpt(parse_rcpt(text, self.offered, utf8, self.options.pedantic))

    def recipient_taken(self, reply: Reply) -> Reply:
        """RCPT was taken."""
        self.transaction.recipients += 1
        return reply

    def recipient_refused(self, reply: Reply, handler: ServerHandler) -> None:
        """RCPT was not taken."""
        self.transaction.refuse_recipient()

    def data(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """DATA."""
        return answers.NO_ARGUMENTS if has_argument(line) else handler.mail.on_data()

    def text_follows(self, reply: Reply) -> Reply:
        """DATA was taken."""
        self._body.begin()
        return reply if reply.code == 354 else answers.GO_AHEAD

    def chunk_announced(self, line: bytes) -> Reply | None:
        """BDAT: how long is what follows?"""
        chunk = parse_bdat(line)
        if chunk is None:
            return answers.BAD_CHUNK
        self._body.announce_chunk(*chunk, is_first=self.transaction.phase != "chunks")
        return None if "CHUNKING" in self.offered else answers.NOT_IMPLEMENTED

    def bdat(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """BDAT."""
        if self._body.is_chunk_too_large:
            return answers.TOO_LARGE
        return answers.GO_AHEAD if self.transaction.phase == "chunks" else handler.mail.on_data()

    def chunk_refused(self, reply: Reply, handler: ServerHandler) -> None:
        """BDAT was not taken, which makes the transaction void (RFC 3030 §2)."""
        self.void(handler)

    # -- who the peer is

    def auth_offered(self, line: bytes) -> Reply | None:
        """AUTH: is there any?"""
        return self.exchange.refuses(self.options, self.is_esmtp)

    def auth(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """AUTH."""
        mechanism, initial = parse_auth(line)
        refusal = self.exchange.begin(mechanism, self.options)
        return refusal if refusal is not None else handler.login.on_auth(mechanism, initial)

    def logged_in(self, reply: Reply) -> Reply:
        """AUTH has succeeded."""
        self.exchange.end(reply)
        return reply

    def not_logged_in(self, reply: Reply, handler: ServerHandler) -> None:
        """It has not."""
        self.exchange.end(reply)

    def tls_offered(self, line: bytes) -> Reply | None:
        """STARTTLS: is there any?"""
        if line[len("STARTTLS") :].strip(b" "):
            return answers.NO_ARGUMENTS
        if self.is_encrypted:
            return answers.TLS_ALREADY
        return None if self.options.starttls else answers.NOT_IMPLEMENTED

    def starttls(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """STARTTLS."""
        return handler.on_starttls()

    def xclient_offered(self, line: bytes) -> Reply | None:
        """XCLIENT: is it for this peer?"""
        return None if self.options.xclient else answers.XCLIENT_REFUSED

    def xclient(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """XCLIENT."""
        return handler.on_xclient(parse_xclient(line, self.options.xclient))

    def introduced(self, reply: Reply) -> Reply:
        """The peer speaks for another from now on, and is greeted as that."""
        self.forget_peer()
        return self.greeting

    # -- all else

    def rset(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """RSET."""
        return answers.NO_ARGUMENTS if has_argument(line) else answers.RESET_OK

    def noop(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """NOOP, whose argument is passed over."""
        return answers.NOOP_OK

    def vrfy(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """VRFY."""
        what = argument(line)
        return handler.on_vrfy(what) if what else answers.BAD_SYNTAX

    def help(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """HELP."""
        return handler.on_help(argument(line))

    def quit(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """QUIT."""
        return answers.NO_ARGUMENTS if has_argument(line) else answers.BYE

    def unknown(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """Refuse any other word (RFC 5321 §4.2.4)."""
        word = line.split(b" ", 1)[0].upper()
        if word in WEB_VERBS:
            return answers.NOT_HTTP
        if begins_tls(line):
            return answers.TLS_TOO_EARLY
        return answers.NOT_IMPLEMENTED if word in NO_MAIL_VERBS else answers.UNKNOWN_COMMAND

    def garbled(self, line: bytes, handler: ServerHandler) -> Reply | None:
        """Refuse a line that is none (RFC 5321 §2.3.8, §4.1.2)."""
        return answers.TLS_TOO_EARLY if begins_tls(line) else answers.BAD_CHARACTERS


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: its rule, and what is done for it.

    *run* gets the line and returns our refusal or the handler's answer, None when that comes later. *first* refuses
    what is refused in any phase. *then* gets a good answer and returns what is to be said; *otherwise* gets one that is
    not, ours or the handler's.
    """

    rule: CommandRule
    run: Callable[[ServerCommands, bytes, ServerHandler], Reply | None]
    then: Callable[[ServerCommands, Reply], Reply] | None = None
    first: Callable[[ServerCommands, bytes], Reply | None] | None = None
    otherwise: Callable[[ServerCommands, Reply, ServerHandler], None] | None = None


_C = ServerCommands
_HELO = Verb(RULES["HELO"], _C.helo, _C.greeted)
VERBS = {
    b"HELO": _HELO,
    b"EHLO": _HELO,
    b"MAIL": Verb(RULES["MAIL"], _C.mail),
    b"RCPT": Verb(RULES["RCPT"], _C.rcpt, _C.recipient_taken, None, _C.recipient_refused),
    b"DATA": Verb(RULES["DATA"], _C.data, _C.text_follows),
    b"BDAT": Verb(RULES["BDAT"], _C.bdat, None, _C.chunk_announced, _C.chunk_refused),
    b"RSET": Verb(RULES["RSET"], _C.rset),
    b"NOOP": Verb(RULES["NOOP"], _C.noop),
    b"VRFY": Verb(RULES["VRFY"], _C.vrfy),
    b"HELP": Verb(RULES["HELP"], _C.help),
    b"QUIT": Verb(RULES["QUIT"], _C.quit),
    b"AUTH": Verb(RULES["AUTH"], _C.auth, _C.logged_in, _C.auth_offered, _C.not_logged_in),
}
_LONG_VERBS = {
    b"STARTTLS": Verb(RULES["STARTTLS"], _C.starttls, first=_C.tls_offered),
    b"XCLIENT": Verb(RULES["XCLIENT"], _C.xclient, _C.introduced, _C.xclient_offered),
}
_UNKNOWN = Verb(RULES[""], _C.unknown)
_GARBLED = Verb(RULES[""], _C.garbled)


def begins_tls(data: bytes) -> bool:
    """Whether *data* is the beginning of a handshake record (RFC 8446 §5.1), which no command looks like."""
    return data[:2] == b"\x16\x03"


def recognise(line: bytes, *, pedantic: bool) -> tuple[Verb, bytes]:
    """Return the command that *line* begins with, and the line as it is to be read: without *pedantic* what real peers
    do to it is mended.
    """
    if not pedantic:
        line = line.rstrip(b"\r")  # CR LF that was made of CR LF once more
    verb = _verb_of(line)
    if verb is _UNKNOWN and not pedantic:
        line = line.strip(b" \t").replace(b"\t", b" ", 1)
        verb = _verb_of(line)
    # BDAT says itself that its line is wrong, and closes: what comes behind it is no command
    if verb is not VERBS[b"BDAT"] and (b"\r" in line or b"\0" in line):
        verb = _GARBLED
    return verb, line


def _verb_of(line: bytes) -> Verb:
    word = line.partition(b" ")[0].upper()
    return VERBS.get(word) or _LONG_VERBS.get(word, _UNKNOWN)
