"""Who the client of the sink is: STARTTLS, AUTH and XCLIENT, beside plain commands."""

import asyncio
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

from angarium.smtp.sasl.exchange import MECHANISMS
from angarium.testing.sink.answers import SinkAnswers
from angarium.testing.sink.conduct import Conduct
from angarium.testing.sink.mail import SinkMail
from angarium.testing.sink.security import UNKNOWN_MECHANISM, Visitor, encrypt, name_of, read_xclient
from angarium.testing.sink.wire import SinkWire

_GO_AHEAD: Final = b"220 2.0.0 go ahead\r\n"
_NOT_NOW: Final = b"503 5.5.1 not now\r\n"
_NOT_BASE64: Final = b"501 5.5.2 not base64\r\n"
_CANCELLED: Final = b"501 5.7.0 authentication cancelled\r\n"


class SinkGate:
    """Encryption, login and XCLIENT of one session, and the name that the client gives itself (*helo*).

    *visitor* is the login under way.
    """

    def __init__(
        self,
        conduct: Conduct,
        wire: SinkWire,
        mail: SinkMail,
        answers: SinkAnswers,
        context: ssl.SSLContext | None,
    ) -> None:
        self.helo = ""
        self.is_encrypted = False
        self._conduct = conduct
        self._script = conduct.script
        self._wire = wire
        self._mail = mail
        self._answers = answers
        self._context = context
        self._login = ""
        self._xclient: tuple[tuple[str, str], ...] = ()
        self.visitor: Visitor | None = None
        self.is_in_handshake = False
        self._handshake: asyncio.Task[None] | None = None

    def open(self, transport: asyncio.BaseTransport) -> None:
        """The connection is made: perhaps it is encrypted from the first byte."""
        if name_of(transport)[0]:
            self.is_encrypted = True
            self._conduct.counters.handshakes += 1

    def step(self) -> bool:
        """See SinkWire: to be called instead of the session's while somebody logs in, or a handshake is made."""
        return self.visitor is not None and self._read_response(self.visitor)

    def offers(self) -> dict[str, str]:
        """Return the extensions that are offered now, with their parameters."""
        offer = self._script.offer
        if self._script.tls == "starttls" and not self.is_encrypted:
            offer = {**offer, "STARTTLS": ""}
        return offer

    def circumstances(self) -> tuple[Any, ...]:
        """Return the fields of a kept message about encryption and login."""
        return (*name_of(self._wire.transport), self._login, self._xclient)

    # STARTTLS

    def starttls(self, argument: bytes) -> None:
        """STARTTLS."""
        if self._script.tls != "starttls" or self.is_encrypted or self._mail.has_begun:
            self._wire.output.append(_NOT_NOW)
        else:
            self._answers.answer("starttls", _GO_AHEAD, self._begin_handshake)

    def _begin_handshake(self) -> None:
        if self._wire.is_deaf:
            return
        self._wire.flush()
        self._wire.input = b""
        rule = self._conduct.choose("handshake", "", ()) if self._conduct.has_rules("handshake") else None
        context = self._context
        assert context is not None
        if rule is not None and rule.deed.close:
            self._wire.close()
        elif rule is not None and rule.deed.hang:
            self._wire.stop()
        else:
            transport = self._wire.transport
            assert transport is not None
            transport.pause_reading()
            self.is_in_handshake = True
            work = encrypt(transport, context, self._go_on_encrypted)
            self._handshake = asyncio.get_running_loop().create_task(work)

    def _go_on_encrypted(self, made: asyncio.Transport | None) -> None:
        self.is_in_handshake = False
        if made is None or made.is_closing():
            self._conduct.counters.failed_handshakes += 1
            self._conduct.note_change()
            self._wire.abort()
            return
        self._conduct.counters.handshakes += 1
        self._wire.attach(made)
        self.is_encrypted = True
        self._start_anew()
        self._wire.go_on()  # the client's next command may have come with the end of its handshake

    def _start_anew(self) -> None:
        """Forget what the client has said of itself."""
        self._mail.reset()
        self.helo = self._login = ""

    # AUTH

    def auth(self, argument: bytes) -> None:
        """AUTH."""
        name, has_initial, token = argument.partition(b" ")
        mechanism = name.decode("ascii", "replace").upper()
        offered = self._script.offer.get("AUTH", "").upper().split()
        if mechanism not in offered or mechanism not in (*MECHANISMS, "XOAUTH2"):
            self._wire.output.append(UNKNOWN_MECHANISM)
            return
        try:
            initial = b64decode(b"" if token == b"=" else token, validate=True)
        except Base64Error:
            self._wire.output.append(_NOT_BASE64)
            return
        visitor = Visitor(mechanism, self._script.hostname, self._script.logins)
        self._proceed(visitor, visitor.start(initial if has_initial else None))

    def _read_response(self, visitor: Visitor) -> bool:
        line, found, rest = self._wire.input.partition(b"\n")
        if not found:
            return False
        self._wire.input = rest
        line = line.rstrip(b"\r")
        self._proceed(visitor, _CANCELLED if line == b"*" else visitor.respond(line))
        return True

    def _proceed(self, visitor: Visitor, answer: bytes) -> None:
        if answer.startswith(b"334"):
            self.visitor = visitor
            self._wire.output.append(answer)
            return
        self.visitor = None

        def then() -> None:
            self._login = visitor.user

        self._answers.answer("auth", answer, then)

    # XCLIENT

    def xclient(self, argument: bytes) -> None:
        """XCLIENT."""
        if "XCLIENT" not in self._script.offer or self._mail.has_begun:
            self._wire.output.append(_NOT_NOW)
            return
        try:
            said = read_xclient(argument.decode("ascii", "replace"))
        except ValueError:
            self._wire.output.append(b"501 5.5.4 bad attribute\r\n")
            return

        def then() -> None:
            self._start_anew()
            self._xclient = tuple(said.items())

        self._answers.answer("xclient", f"220 {self._script.hostname} ESMTP sink\r\n".encode(), then)
