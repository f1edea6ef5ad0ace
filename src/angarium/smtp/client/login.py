"""The sending side of AUTH (RFC 4954): what may be sent to which peer, and the course of one login."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

from angarium.core.reply import Reply
from angarium.smtp.client.events import ClientAuth
from angarium.smtp.client.writer import ClientWriter
from angarium.smtp.extensions import Extensions
from angarium.smtp.replies import shorten
from angarium.smtp.sasl.exchange import SaslError

MAX_COMMAND_BYTES: Final = 512
"""A longer initial response waits for the peer to ask (RFC 4954 §4)."""

MAX_ROUNDS: Final = 8
HIDDEN: Final = "***"


def login_problem(auth: ClientAuth, extensions: Extensions, is_encrypted: bool) -> Reply | None:
    """Return why *auth* cannot be tried with this peer, None if it can.

    A matter of configuration, ours or the peer's: temporary, so that the mail waits until it is mended.
    """
    name = auth.mechanism
    if auth.needs_tls and not is_encrypted:
        text = f"AUTH {name} would show the password, and this connection is in clear text"
        return Reply(451, "4.7.11", f"[internal] {text}")
    if not extensions.auth:
        return Reply(451, "4.7.4", f"[internal] AUTH {name} is configured but the peer offers no AUTH")
    if name not in extensions.auth:
        offered = " ".join(extensions.auth)
        text = f"AUTH {name} is configured but the peer offers only {offered}"
        return shorten(Reply(451, "4.7.4", f"[internal] {text}"))
    return None


class Login:
    """One AUTH command (RFC 4954 §4). *is_done*: we are in. *refusal*: we are not, and this is why. Neither: go on."""

    __slots__ = (
        "_auth",
        "_exchange",
        "_held",
        "_problem",
        "_rounds",
        "_said",
        "_writer",
        "is_done",
        "refusal",
    )

    def __init__(self, auth: ClientAuth, writer: ClientWriter) -> None:
        self.is_done = False
        self.refusal: Reply | None = None
        self._auth = auth
        self._writer = writer
        self._exchange = auth.begin()
        self._held: bytes | None = None
        self._problem = ""
        self._rounds = 0
        self._said: list[str] = []

    def begin(self) -> None:
        """Say AUTH, with the initial response if there is one and it fits."""
        name, initial = self._auth.mechanism, self._exchange.start()
        command = f"AUTH {name}"
        if initial is None:
            self._writer.say(f"{command}\r\n")
            return
        token = b64encode(initial).decode() or "="
        if len(command) + len(token) + 3 > MAX_COMMAND_BYTES:
            self._held = initial
            self._writer.say(f"{command}\r\n")
        else:
            self._said.append(token)
            self._writer.say_secret(f"{command} {token}\r\n", f"{command} {HIDDEN}")

    def reply(self, reply: Reply) -> None:
        """Take the peer's next answer."""
        if reply.code == 334:
            self._respond(reply.text)
        elif self._problem:
            name = self._auth.mechanism
            self.refusal = Reply(454, "4.7.0", f"[internal] AUTH {name} was broken off: {self._problem}")
        elif reply.code >= 300:
            self.refusal = shorten(reply)
        elif not self._exchange.is_complete:
            text = f"[internal] the peer said yes to AUTH {self._auth.mechanism} without proving who it is"
            self.refusal = Reply(454, "4.7.0", text)
        else:
            self.is_done = True

    def _respond(self, challenge: str) -> None:
        self._rounds += 1
        try:
            if self._rounds > MAX_ROUNDS:
                raise SaslError("the peer asks without end")
            response = self._response(challenge)
        except (Base64Error, SaslError, ValueError) as error:
            self._problem = str(error) if isinstance(error, SaslError) else "a challenge that is not base64"
            self._writer.say("*\r\n")
            return
        token = b64encode(response).decode()
        self._said.append(token)
        self._writer.say_secret(f"{token}\r\n", HIDDEN)

    def _response(self, challenge: str) -> bytes:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        try:
            data = b64decode(challenge.strip(), validate=True)
        except ValueError:
            if not self._exchange.takes_any_prompt:
                raise
            data = b""  # a prompt in clear text
        return self._exchange.respond(data)

    def without_secrets(self, reply: Reply) -> Reply:
        """Return *reply* without what we said: some peers repeat what they did not like."""
        text = reply.text
        for said in (*self._said, self._auth.secret):
            if len(said) > 1 and reply.code != 334:
                text = text.replace(said, HIDDEN)
        return reply if text == reply.text else Reply(reply.code, reply.enhanced, text)
