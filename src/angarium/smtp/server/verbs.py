"""The part of the server machine that knows the commands."""

from angarium.core.reply import Reply
from angarium.smtp.server import answers
from angarium.smtp.server.access import ServerAccess
from angarium.smtp.server.command import CommandError, parse_mail, parse_rcpt
from angarium.smtp.server.core import Verb
from angarium.smtp.server.options import offered_lines
from angarium.smtp.server.syntax import NO_MAIL_VERBS, WEB_VERBS, argument, parse_bdat, parse_name

RECIPIENT_OVERSHOOT = 1000
"""So many recipients above the limit are no error: who pipelines them learns of the limit after the last one.
"""


class ServerVerbs(ServerAccess):
    """Commands. Each asks the handler and returns our refusal or its answer, None when that comes later.

    See `server.ServerMachine`.
    """

    __slots__ = ()

    def _perform(self, line: bytes) -> None:
        verb = _VERBS.get(line[:4].upper())
        if verb is None or line[4:5] not in b" ":
            verb = _unusual_verb(line)
            if verb is _UNKNOWN and not self._options.pedantic:
                line = line.strip(b" \t").replace(b"\t", b" ", 1)
                verb = _unusual_verb(line)
        self._verb = verb
        try:
            reply = answers.BAD_CHARACTERS if b"\r" in line or b"\0" in line else verb.run(self, line)
        except CommandError as error:
            reply = error.reply
        except UnicodeDecodeError:
            reply = answers.BAD_CHARACTERS
        if reply is not None:
            self._conclude(verb, reply)
        elif self.state == "command" and not verb.keeps_state:
            self.state = "waiting"

    def _helo(self, line: bytes) -> Reply | None:
        name = parse_name(line, self._options.pedantic)
        if not name:
            return answers.BAD_NAME
        self._pending_name = line[:4].decode("ascii").upper(), name
        return self._handler.on_helo(*self._pending_name)

    def _helo_done(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            return reply
        self._void()
        verb, self.helo_name = self._pending_name
        self.is_esmtp = verb == "EHLO"
        first = f"{self._options.hostname} {reply.text}".rstrip()
        if not self.is_esmtp:
            self._offer(())
            return Reply(250, "", first)
        self._offer(self._options.extensions)
        lines = offered_lines(self._options, self._limits, self.is_encrypted)
        return Reply(250, "", "\n".join((first, *lines)))

    def _mail(self, line: bytes) -> Reply | None:
        if self._options.require_helo and not self.helo_name:
            return answers.HELO_FIRST
        if self._sender:
            return answers.NESTED_MAIL
        if self.counters.bodies >= self._limits.max_messages > 0:
            return answers.TOO_MANY_MESSAGES
        command = parse_mail(line.decode("utf-8"), self._offered, self._options.pedantic)
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
            overshoot = self._tried - limit
            return (
                answers.TOO_MANY_RECIPIENTS if overshoot <= RECIPIENT_OVERSHOOT else answers.TOO_MANY_ERRORS
            )
        command = parse_rcpt(line.decode("utf-8"), self._offered, self._smtputf8, self._options.pedantic)
        return self._handler.on_rcpt(command)

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
        self._begin_body(in_chunks=False)
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
        size = self._chunk_size + (self._body.size if self._in_bdat else 0)
        if size > self._limits.max_message_size > 0:
            return answers.TOO_LARGE
        return answers.GO_AHEAD if self._in_bdat else self._handler.on_data()

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
        self._leave(answers.BYE)
        return None

    def _unknown(self, line: bytes) -> Reply | None:
        word = line.split(b" ", 1)[0].upper()
        if word in WEB_VERBS:
            return answers.NOT_HTTP
        return answers.NOT_IMPLEMENTED if word in NO_MAIL_VERBS else answers.UNKNOWN_COMMAND


def _unusual_verb(line: bytes) -> Verb:
    """Return the command in a line that does not begin as most do."""
    word, _, _ = line.partition(b" ")
    found = _VERBS.get(word.upper())
    return found if found is not None else _LONG_VERBS.get(word.upper(), _UNKNOWN)


_VERBS = {
    b"HELO": Verb(ServerVerbs._helo, ServerVerbs._helo_done, "last", idle=True),
    b"EHLO": Verb(ServerVerbs._helo, ServerVerbs._helo_done, "last", idle=True),
    b"MAIL": Verb(ServerVerbs._mail, ServerVerbs._mail_done),
    b"RCPT": Verb(ServerVerbs._rcpt, ServerVerbs._rcpt_done),
    b"DATA": Verb(ServerVerbs._data, ServerVerbs._data_done, "last"),
    b"BDAT": Verb(ServerVerbs._bdat, ServerVerbs._bdat_done, "free"),
    b"RSET": Verb(ServerVerbs._rset, idle=True),
    b"NOOP": Verb(ServerVerbs._noop, group="last", idle=True),
    b"VRFY": Verb(ServerVerbs._vrfy, group="last", idle=True),
    b"HELP": Verb(ServerVerbs._help, idle=True),
    b"QUIT": Verb(ServerVerbs._quit, group="free"),
    b"AUTH": Verb(ServerVerbs._auth, ServerVerbs._auth_done, "last", idle=True, keeps_state=True),
}
_LONG_VERBS = {
    b"STARTTLS": Verb(ServerVerbs._starttls, ServerVerbs._starttls_done, "free", idle=True),
    b"XCLIENT": Verb(ServerVerbs._xclient, ServerVerbs._xclient_done, "last", idle=True),
}
_UNKNOWN = Verb(ServerVerbs._unknown, group="free", idle=True)
