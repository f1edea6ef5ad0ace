"""The sink's session with encryption, logins and XCLIENT: STARTTLS, AUTH and XCLIENT on top of plain commands."""

import asyncio
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any, Final, cast

from angarium.smtp.sasl.exchange import MECHANISMS
from angarium.testing.sink.conduct import Conduct
from angarium.testing.sink.security import UNKNOWN_MECHANISM, Visitor, encrypt, name_of, read_xclient
from angarium.testing.sink.session import SinkSession

_GO_AHEAD: Final = b"220 2.0.0 go ahead\r\n"
_NOT_NOW: Final = b"503 5.5.1 not now\r\n"
_NOT_BASE64: Final = b"501 5.5.2 not base64\r\n"
_CANCELLED: Final = b"501 5.7.0 authentication cancelled\r\n"


class GatedSession(SinkSession):
    """A session that may be encrypted, logged in, and speak for another client."""

    def __init__(self, conduct: Conduct, context: ssl.SSLContext | None) -> None:
        super().__init__(conduct)
        self._context = context
        self._commands = {**self._commands, **_GATE}
        self._login = ""
        self._xclient: tuple[tuple[str, str], ...] = ()
        self._visitor: Visitor | None = None
        self._is_encrypted = self._is_in_handshake = False
        self._handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        if name_of(transport)[0]:
            self._is_encrypted = True
            self._conduct.counters.handshakes += 1
        super().connection_made(transport)

    def _step(self) -> bool:
        if self._is_in_handshake:
            return False
        return super()._step() if self._visitor is None else self._read_response(self._visitor)

    def _offers(self) -> dict[str, str]:
        offer = super()._offers()
        if self._script.tls == "starttls" and not self._is_encrypted:
            offer = {**offer, "STARTTLS": ""}
        return offer

    def _circumstances(self) -> tuple[Any, ...]:
        return (*name_of(self._transport), self._login, self._xclient)

    # STARTTLS

    def _on_starttls(self, argument: bytes) -> None:
        if self._script.tls != "starttls" or self._is_encrypted or self._has_mail:
            self._output.append(_NOT_NOW)
        else:
            self._answer("starttls", _GO_AHEAD, self._begin_handshake)

    def _begin_handshake(self) -> None:
        if self._is_deaf:
            return
        self._flush()
        self._input = b""
        rule = self._conduct.choose("handshake", "", ()) if self._conduct.has_rules("handshake") else None
        context = self._context
        assert context is not None
        if rule is not None and rule.deed.close:
            self._close()
        elif rule is not None and rule.deed.hang:
            self._stop()
        else:
            transport = cast(asyncio.Transport, self._transport)
            transport.pause_reading()
            self._is_in_handshake = True
            self._handshake = self._loop.create_task(encrypt(transport, self, context, self._go_on_encrypted))

    def _go_on_encrypted(self, made: asyncio.Transport | None) -> None:
        self._is_in_handshake = False
        if made is None or made.is_closing():
            self._conduct.counters.failed_handshakes += 1
            self._conduct.note_change()
            self.abort()
            return
        self._conduct.counters.handshakes += 1
        self._transport = made
        self._is_encrypted = True
        self._start_anew()
        self._go_on()  # the client's next command may have come with the end of its handshake

    def _start_anew(self) -> None:
        """Forget what the client has said of itself."""
        self._reset()
        self._helo = self._login = ""

    # AUTH

    def _on_auth(self, argument: bytes) -> None:
        name, has_initial, token = argument.partition(b" ")
        mechanism = name.decode("ascii", "replace").upper()
        offered = self._script.offer.get("AUTH", "").upper().split()
        if mechanism not in offered or mechanism not in (*MECHANISMS, "XOAUTH2"):
            self._output.append(UNKNOWN_MECHANISM)
            return
        try:
            initial = b64decode(b"" if token == b"=" else token, validate=True)
        except Base64Error:
            self._output.append(_NOT_BASE64)
            return
        visitor = Visitor(mechanism, self._script.hostname, self._script.logins)
        self._proceed(visitor, visitor.start(initial if has_initial else None))

    def _read_response(self, visitor: Visitor) -> bool:
        line, found, rest = self._input.partition(b"\n")
        if not found:
            return False
        self._input = rest
        line = line.rstrip(b"\r")
        self._proceed(visitor, _CANCELLED if line == b"*" else visitor.respond(line))
        return True

    def _proceed(self, visitor: Visitor, answer: bytes) -> None:
        if answer.startswith(b"334"):
            self._visitor = visitor
            self._output.append(answer)
            return
        self._visitor = None

        def then() -> None:
            self._login = visitor.user

        self._answer("auth", answer, then)

    # XCLIENT

    def _on_xclient(self, argument: bytes) -> None:
        if "XCLIENT" not in self._script.offer or self._has_mail:
            self._output.append(_NOT_NOW)
            return
        try:
            said = read_xclient(argument.decode("ascii", "replace"))
        except ValueError:
            self._output.append(b"501 5.5.4 bad attribute\r\n")
            return

        def then() -> None:
            self._start_anew()
            self._xclient = tuple(said.items())

        self._answer("xclient", f"220 {self._script.hostname} ESMTP sink\r\n".encode(), then)


_GATE: Final[dict[bytes, Callable[[GatedSession, bytes], None]]] = {
    b"STARTTLS": GatedSession._on_starttls,
    b"AUTH": GatedSession._on_auth,
    b"XCLIENT": GatedSession._on_xclient,
}
