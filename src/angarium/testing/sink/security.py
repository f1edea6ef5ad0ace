"""What the sink does about encryption, logins and XCLIENT, before and between messages."""

import asyncio
import json
import re
import ssl
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import Final

from angarium.smtp.sasl.exchange import (
    Challenge,
    Claimed,
    Exchange,
    Failed,
    NeedSecrets,
    Proved,
    Secrets,
    Step,
)
from angarium.smtp.sasl.scram import scram_verifier
from angarium.smtp.sasl.server import exchange_for
from angarium.smtp.xtext import decode_xtext
from angarium.testing.authority import CertificateAuthority
from angarium.testing.sink.script import SinkScript

YES: Final = b"235 2.7.0 welcome\r\n"
NO: Final = b"535 5.7.8 authentication failed\r\n"
UNKNOWN_MECHANISM: Final = b"504 5.5.4 unknown mechanism\r\n"
_BEARER = re.compile(rb"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01")


def context_of(script: SinkScript) -> ssl.SSLContext | None:
    """Return what handshakes are made with; without a certificate in the script, one is made. Raises OSError."""
    if not script.tls:
        return None
    if script.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*script.certificate)
        return context
    with TemporaryDirectory(prefix="angarium-sink-") as folder:
        return CertificateAuthority(Path(folder)).issue(script.hostname).server_context()


def name_of(transport: asyncio.BaseTransport | None) -> tuple[str, bool]:
    """Return version and cipher of an encrypted connection, and whether its session was resumed; "" without."""
    made = None if transport is None else transport.get_extra_info("ssl_object")
    if made is None:
        return "", False
    return f"{made.version()} {made.cipher()[0]}", bool(made.session_reused)


def read_xclient(argument: str) -> dict[str, str]:
    """Return what an XCLIENT says, names in upper case. Raises ValueError."""
    found = {}
    for word in argument.split():
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is no attribute")
        found[name.upper()] = decode_xtext(value)
    return found


class Visitor:
    """A login under way. *logins* are the passwords that are known; without any, every password will do."""

    def __init__(self, mechanism: str, hostname: str, logins: Mapping[str, str]) -> None:
        self.user = ""
        self._mechanism = mechanism
        self._logins = logins
        self._exchange: Exchange | None = None
        self._has_failed = False
        if mechanism != "XOAUTH2":
            self._exchange = exchange_for(mechanism, hostname, token_urlsafe(12), time.time())

    def start(self, initial: bytes | None) -> bytes:
        """Return what is answered to AUTH."""
        if self._exchange is None:
            return b"334 \r\n" if initial is None else self._bearer(initial)
        return self._follow(self._exchange.start(initial))

    def respond(self, line: bytes) -> bytes:
        """Return what is answered to a line of the client's."""
        try:
            data = b64decode(line, validate=True)
        except Base64Error:
            return b"501 5.5.2 not base64\r\n"
        if self._exchange is None:
            return self._bearer(data)
        return self._follow(self._exchange.respond(data))

    def _follow(self, step: Step) -> bytes:
        assert self._exchange is not None
        while isinstance(step, NeedSecrets):
            step = self._exchange.supply(self._secrets(step.username))
        match step:
            case Challenge(data):
                return b"334 " + b64encode(data) + b"\r\n"
            case Claimed(claim):
                return self._judge(claim.username, claim.secret)
            case Proved(username):
                self.user = username
                return YES
            case Failed():
                return NO

    def _secrets(self, user: str) -> Secrets | None:
        password = self._logins.get(user)
        if password is None:
            return None
        return Secrets(password, scram_verifier(password, b"salt of the sink"))

    def _bearer(self, data: bytes) -> bytes:
        match = _BEARER.fullmatch(data)
        if self._has_failed or match is None:
            return NO
        answer = self._judge(match[1].decode(), match[2].decode())
        if answer == YES:
            return answer
        self._has_failed = True  # the reason goes out as a challenge first
        return b"334 " + b64encode(json.dumps({"status": "401"}).encode()) + b"\r\n"

    def _judge(self, user: str, password: str) -> bytes:
        if self._logins and self._logins.get(user) != password:
            return NO
        self.user = user
        return YES


async def encrypt(
    transport: asyncio.Transport,
    context: ssl.SSLContext,
    then: Callable[[asyncio.Transport | None], None],
) -> None:
    """Make the server's side of a handshake; *then* gets the transport to go on with, None when it failed."""
    loop = asyncio.get_running_loop()
    try:
        made = await loop.start_tls(transport, transport.get_protocol(), context, server_side=True)
    except OSError:
        made = None
    then(made)
