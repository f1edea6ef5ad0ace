"""One connection to the sink: enough of a server to be talked to, and whatever the script wants on top."""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Literal

from angarium.core.reply import Reply
from angarium.testing.sink.answers import SinkAnswers
from angarium.testing.sink.conduct import Conduct
from angarium.testing.sink.gate import SinkGate
from angarium.testing.sink.mail import END, SinkMail
from angarium.testing.sink.script import Deed
from angarium.testing.sink.store import SinkMessage
from angarium.testing.sink.wire import SinkWire

_PATH = re.compile(rb'[^<]*<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>\s*(.*)', re.DOTALL)
_MAX_LINE: Final = 65_536

_OK: Final = b"250 2.0.0 ok\r\n"
_MAIL_OK: Final = b"250 2.1.0 ok\r\n"
_RCPT_OK: Final = b"250 2.1.5 ok\r\n"
_GO: Final = b"354 go ahead\r\n"
_NO_BDAT: Final = b"502 5.5.1 command not implemented\r\n"
_BAD_ORDER: Final = b"503 5.5.1 bad sequence of commands\r\n"


class SinkSession(asyncio.Protocol):
    """Reads commands and messages, and answers as usual or as the script says."""

    def __init__(self, conduct: Conduct, context: ssl.SSLContext | None) -> None:
        self._conduct = conduct
        self._script = conduct.script
        self._wire = SinkWire(self._step, self._stopped)
        self._mail = SinkMail()
        self._answers = SinkAnswers(conduct, self._wire, self._mail)
        self._gate = SinkGate(conduct, self._wire, self._mail, self._answers, context)
        self._commands: Mapping[bytes, Callable[[SinkSession, bytes], None]] = (
            _LMTP if conduct.script.lmtp else _SMTP
        )
        self._reading: Literal["commands", "data", "chunk", "finals"] = "commands"
        self._number = 0
        self._mails = 0
        limits = dict(word.partition("=")[::2] for word in self._script.offer.get("LIMITS", "").split())
        self._rcpt_max = int(limits.get("RCPTMAX", 0))
        self._mail_max = int(limits.get("MAILMAX", 0))
        self._size_max = int(self._script.offer.get("SIZE") or 0)

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._wire.attach(transport)
        self._gate.open(transport)
        self._answers.peer = str(transport.get_extra_info("peername")[0])
        counters = self._conduct.counters
        counters.connections += 1
        counters.open_connections += 1
        counters.most_connections = max(counters.most_connections, counters.open_connections)
        self._number = counters.connections
        self._conduct.sessions.add(self._wire)
        self._conduct.note_change()
        banner = f"220 {self._script.hostname} {'LMTP' if self._script.lmtp else 'ESMTP'} sink\r\n"
        self._answers.answer("connect", banner.encode())
        self._wire.flush()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._wire.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._wire.lose()
        self._conduct.sessions.discard(self._wire)
        self._conduct.counters.open_connections -= 1
        self._conduct.note_change()

    def _stopped(self) -> None:
        """Keep what was to be kept."""
        if self._mail.kept_for:
            self._keep_message(self._mail.kept_for)
        self._mail.reset()

    # Reading

    def _step(self) -> bool:
        gate = self._gate
        if gate.is_in_handshake or gate.visitor is not None:
            return gate.step()
        return _READ[self._reading](self)

    def _read_command(self) -> bool:
        line, found, rest = self._wire.input.partition(b"\n")
        if not found:
            if len(self._wire.input) > _MAX_LINE:
                self._wire.close()
            return False
        self._wire.input = rest
        self._conduct.counters.commands += 1
        line = line.rstrip(b"\r")
        verb, _, argument = line.partition(b" ")
        command = self._commands.get(verb.upper())
        if command is None:
            self._wire.output.append(b"500 5.5.2 unknown command\r\n")
        else:
            command(self, argument)
        return True

    def _read_data(self) -> bool:
        """Take message data; only CRLF, dot, CRLF ends it."""
        data = self._wire.input
        if not data:
            return False
        window = self._mail.tail + data
        end = window.find(END)
        if end < 0:
            self._mail.tail = window[-4:]
            self._wire.input = b""
            self._take(data)
            return True
        used = end + len(END) - len(self._mail.tail)
        self._wire.input = data[used:]
        self._mail.tail = b""
        self._take(data[:used], is_end=True)
        return True

    def _read_chunk(self) -> bool:
        piece = self._wire.input[: self._mail.chunk_left]
        if not piece and self._mail.chunk_left:
            return False
        self._wire.input = self._wire.input[len(piece) :]
        self._mail.chunk_left -= len(piece)
        if not self._mail.skips_chunk:
            self._take(piece, is_end=self._mail.is_last_chunk and not self._mail.chunk_left)
        if self._reading == "chunk" and not self._mail.chunk_left:
            self._reading = "commands"
            self._wire.output.append(_BAD_ORDER if self._mail.skips_chunk else _OK)
        return True

    def _take(self, piece: bytes, is_end: bool = False) -> None:
        """Count and keep *piece* of the body, and do what the script wants done in the middle of it."""
        self._mail.size += len(piece)
        if self._conduct.wants_data:
            self._mail.pieces.append(piece)
        if self._mail.body_rule is not None and self._mail.size >= self._mail.body_rule[0]:
            deed = self._mail.body_rule[1]
            self._mail.body_rule = None
            self._do_in_body(deed, is_end)
        elif is_end:
            self._end_body()

    def _do_in_body(self, deed: Deed, is_end: bool) -> None:
        """An early reply stands for the answer to the end of the message, unless it says yes."""

        def then() -> None:
            if deed.reply is not None:
                self._mail.has_answered = True
                self._wire.say(deed, deed.reply.encode())
            elif deed.close:
                self._wire.close()
            if is_end and not self._wire.is_deaf:
                self._end_body()

        self._wire.later(deed, then)

    def _end_body(self) -> None:
        self._mail.size -= 0 if self._mail.is_chunked else 3
        self._conduct.counters.bytes += self._mail.size
        self._mail.finals = list(self._mail.recipients) if self._script.lmtp else [""]
        self._reading = "finals"

    def _read_finals(self) -> bool:
        """Give the next answer to the end of the message: one in SMTP, one per recipient in LMTP."""
        if self._mail.has_answered:
            self._mail.finals.clear()
        if not self._mail.finals:
            self._end_transaction()
            return True
        recipient = self._mail.finals.pop(0)
        about = [recipient] if recipient else self._mail.recipients
        refusal = b"552 5.3.4 too large\r\n" if self._size_max and self._mail.size > self._size_max else b""

        def keep() -> None:
            self._mail.kept_for += about

        self._answers.answer("final", refusal or _OK, keep, about)
        return True

    def _end_transaction(self) -> None:
        if self._mail.kept_for:
            self._keep_message(self._mail.kept_for)
        self._reading = "commands"
        self._mail.reset()

    def _keep_message(self, recipients: list[str]) -> None:
        counters = self._conduct.counters
        counters.messages += 1
        counters.recipients += len(recipients)
        if self._conduct.wants_data:
            self._conduct.keep_message(self._message(recipients))
        self._conduct.note_change()

    def _message(self, recipients: list[str]) -> SinkMessage:
        return SinkMessage(
            self._mail.sender,
            tuple(recipients),
            self._mail.data(),
            self._conduct.clock.now(),
            self._number,
            self._gate.helo,
            self._mail.parameters,
            tuple(self._mail.rcpt_parameters),
            self._answers.peer,
            *self._gate.circumstances(),
        )

    # Commands

    def _on_helo(self, argument: bytes) -> None:
        self._greet(argument, f"250 {self._script.hostname}\r\n")

    def _on_ehlo(self, argument: bytes) -> None:
        lines = [self._script.hostname]
        lines += [f"{keyword} {value}".rstrip() for keyword, value in self._gate.offers().items()]
        self._greet(argument, Reply(250, "", "\n".join(lines)).encode().decode())

    def _greet(self, argument: bytes, reply: str) -> None:
        def then() -> None:
            self._mail.reset()
            self._gate.helo = argument.decode("utf-8", "replace")

        self._answers.answer("ehlo", reply.encode(), then)

    def _on_mail(self, argument: bytes) -> None:
        match = _PATH.match(argument)
        if self._mail.has_begun or not self._gate.helo or match is None:
            self._wire.output.append(_BAD_ORDER if match else b"501 5.5.4 bad path\r\n")
            return
        sender, parameters = (part.decode("utf-8", "replace") for part in match.groups())
        self._mail.sender, usual = sender, _MAIL_OK
        if self._mail_max and self._mails >= self._mail_max:
            usual = b"452 4.5.3 no more messages in this session\r\n"
        elif self._size_max and _size_of(parameters) > self._size_max:
            usual = b"552 5.3.4 too large\r\n"

        def then() -> None:
            self._mail.has_begun = True
            self._mails += 1
            self._mail.parameters = parameters

        self._answers.answer("mail", usual, then)

    def _on_rcpt(self, argument: bytes) -> None:
        match = _PATH.match(argument)
        if not self._mail.has_begun or match is None:
            self._wire.output.append(_BAD_ORDER if match else b"501 5.5.4 bad path\r\n")
            return
        recipient, parameters = (part.decode("utf-8", "replace") for part in match.groups())
        usual = _RCPT_OK
        if self._rcpt_max and len(self._mail.recipients) >= self._rcpt_max:
            usual = b"452 4.5.3 too many recipients\r\n"

        def then() -> None:
            self._mail.recipients.append(recipient)
            self._mail.rcpt_parameters.append(parameters)

        self._answers.answer("rcpt", usual, then, [recipient])

    def _on_data(self, argument: bytes) -> None:
        if not self._mail.recipients:
            self._wire.output.append(_BAD_ORDER)
            return

        def then() -> None:
            self._reading = "data"
            self._mail.tail = b"\r\n"
            self._choose_body_rule()

        self._answers.answer("data", _GO, then)

    def _choose_body_rule(self) -> None:
        if self._conduct.has_rules("body"):
            rule = self._conduct.choose("body", self._mail.sender, self._mail.recipients)
            self._mail.body_rule = (rule.after_bytes, rule.deed) if rule is not None else None

    def _on_bdat(self, argument: bytes) -> None:
        size, _, last = argument.partition(b" ")
        if not size.isdigit() or "CHUNKING" not in self._script.offer:
            self._wire.output.append(b"501 5.5.4 bad chunk\r\n")
            self._wire.close()
            return
        if self._conduct.has_rules("bdat") and self._refuses_chunk():
            return
        self._mail.chunk_left = int(size)
        self._mail.is_last_chunk = last.strip().upper() == b"LAST"
        self._mail.skips_chunk = not self._mail.recipients
        if not self._mail.skips_chunk and not self._mail.is_chunked:
            self._mail.is_chunked = True
            self._choose_body_rule()
        self._reading = "chunk"

    def _refuses_chunk(self) -> bool:
        """Answer BDAT as who does not know it, if the script wants that: the chunk is then read as commands."""
        rule = self._conduct.choose("bdat", self._mail.sender, self._mail.recipients)
        if rule is None or rule.deed.accept:
            return False
        deed = rule.deed
        reply = _NO_BDAT if deed.reply is None else deed.reply.encode()
        self._answers.obey(deed, reply)
        return True

    def _on_rset(self, argument: bytes) -> None:
        self._answers.answer("rset", _OK, self._mail.reset)

    def _on_noop(self, argument: bytes) -> None:
        self._wire.output.append(_OK)

    def _on_quit(self, argument: bytes) -> None:
        def then() -> None:
            self._wire.is_leaving = True

        self._answers.answer("quit", b"221 2.0.0 bye\r\n", then)


def _size_of(parameters: str) -> int:
    match = re.search(r"\bSIZE=(\d{1,18})", parameters, re.IGNORECASE)
    return int(match[1]) if match else 0


_READ: Final[dict[str, Callable[[SinkSession], bool]]] = {
    "commands": SinkSession._read_command,
    "data": SinkSession._read_data,
    "chunk": SinkSession._read_chunk,
    "finals": SinkSession._read_finals,
}
_COMMON: Final[dict[bytes, Callable[[SinkSession, bytes], None]]] = {
    b"MAIL": SinkSession._on_mail,
    b"RCPT": SinkSession._on_rcpt,
    b"DATA": SinkSession._on_data,
    b"BDAT": SinkSession._on_bdat,
    b"RSET": SinkSession._on_rset,
    b"NOOP": SinkSession._on_noop,
    b"QUIT": SinkSession._on_quit,
    b"STARTTLS": lambda session, argument: session._gate.starttls(argument),
    b"AUTH": lambda session, argument: session._gate.auth(argument),
    b"XCLIENT": lambda session, argument: session._gate.xclient(argument),
}
_SMTP: Final = _COMMON | {b"EHLO": SinkSession._on_ehlo, b"HELO": SinkSession._on_helo}
_LMTP: Final = _COMMON | {b"LHLO": SinkSession._on_ehlo}
