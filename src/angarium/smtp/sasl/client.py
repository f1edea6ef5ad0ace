"""The client's exchanges: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256, XOAUTH2."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest, digest

from angarium.smtp.sasl.exchange import ClientExchange, SaslError
from angarium.smtp.sasl.prep import saslprep
from angarium.smtp.sasl.scram import LEAST_ITERATIONS, keys_of, xor
from angarium.smtp.sasl.server import cram_digest

MOST_ITERATIONS = 200_000
"""A tenth of a second, in which the caller does nothing else; a server that asks for more is not served."""

_SERVER_FIRST = re.compile(r"r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([0-9]{1,9})(?:,[A-Za-z]=[^,]*)*")


def client_exchange(mechanism: str, username: str, password: str, nonce: str) -> ClientExchange:
    """Return the exchange of one of `sasl.OUTGOING_MECHANISMS`.

    *nonce* is as for `sasl.server.exchange_for`. With XOAUTH2 *password* is the access token. Raises SaslError for
    another mechanism, and for a name or a password that the mechanism cannot carry.
    """
    if not username.isprintable() or "\0" in password:
        raise SaslError("the name has control characters, or the password a NUL")
    if mechanism == "SCRAM-SHA-256":
        return ScramClient(username, password, nonce)
    if mechanism not in _SIMPLE:
        raise SaslError(f"the client does not speak {mechanism}")
    return _SIMPLE[mechanism](username, password)


class OneMessageClient:
    """A mechanism in which one message says it all: at once, or when the server asks for it."""

    def __init__(self, message: str) -> None:
        self._message = message.encode()
        self._is_said = False

    @property
    def is_complete(self) -> bool:
        """See `sasl.ClientExchange`."""
        return self._is_said

    def start(self) -> bytes | None:
        """See `sasl.ClientExchange`."""
        return self.say()

    def say(self) -> bytes:
        """Return the message, which is said with that."""
        self._is_said = True
        return self._message


class PlainClient(OneMessageClient):
    """PLAIN (RFC 4616)."""

    takes_any_prompt = True

    def __init__(self, username: str, password: str) -> None:
        super().__init__(f"\0{username}\0{password}")

    def respond(self, challenge: bytes) -> bytes:
        """Say it now, if the server has taken no initial response (RFC 4954 §4)."""
        if challenge:
            raise SaslError("PLAIN has no challenge")
        return self.say()


class XOAuth2Client(OneMessageClient):
    """XOAUTH2: a bearer token, as Google and Microsoft take it."""

    takes_any_prompt = False

    def __init__(self, username: str, password: str) -> None:
        super().__init__(f"user={username}\x01auth=Bearer {password}\x01\x01")

    def respond(self, challenge: bytes) -> bytes:
        """Answer the challenge in which the server says what is wrong with the token: with an empty response, after
        which comes the refusal. Say the token now, if the server has taken no initial response.
        """
        return b"" if challenge else self.say()


class LoginClient:
    """LOGIN: the user name, then the password, whatever the prompts are called."""

    takes_any_prompt = True

    def __init__(self, username: str, password: str) -> None:
        self._left = [username.encode(), password.encode()]

    @property
    def is_complete(self) -> bool:
        """See `sasl.ClientExchange`."""
        return not self._left

    def start(self) -> bytes | None:
        """Return None: not every server takes the user name as an initial response."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """See `sasl.ClientExchange`."""
        if not self._left:
            raise SaslError("LOGIN has two challenges")
        return self._left.pop(0)


class CramClient:
    """CRAM-MD5: a keyed digest of the challenge (RFC 2195)."""

    takes_any_prompt = False

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self.is_complete = False

    def start(self) -> bytes | None:
        """See `sasl.ClientExchange`."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """See `sasl.ClientExchange`."""
        if self.is_complete:
            raise SaslError("CRAM-MD5 has one challenge")
        self.is_complete = True
        return f"{self._username} {cram_digest(challenge, self._password)}".encode()


class ScramClient:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677). It is complete when the server has shown that it knows the secret too."""

    takes_any_prompt = False

    def __init__(self, username: str, password: str, nonce: str) -> None:
        try:
            name = saslprep(username).replace("=", "=3D").replace(",", "=2C")
            self._password = saslprep(password)
        except ValueError as error:
            raise SaslError(f"SCRAM cannot use this name and password: {error}") from None
        self._nonce = nonce
        self._bare = f"n={name},r={nonce}"
        self._server_proof = b""
        self.is_complete = False

    def start(self) -> bytes | None:
        """See `sasl.ClientExchange`."""
        return f"n,,{self._bare}".encode()

    def respond(self, challenge: bytes) -> bytes:
        """See `sasl.ClientExchange`."""
        if not challenge and not self._server_proof:  # the server has taken no initial response
            return f"n,,{self._bare}".encode()
        if not self._server_proof:
            return self._prove(challenge)
        if not compare_digest(challenge, self._server_proof):
            raise SaslError("the server does not know the password, or says that the proof is wrong")
        self.is_complete = True
        return b""

    def _prove(self, challenge: bytes) -> bytes:
        server_first = challenge.decode("utf-8", "replace")
        match = _SERVER_FIRST.fullmatch(server_first)
        if match is None or not match[1].startswith(self._nonce) or match[1] == self._nonce:
            raise SaslError("the server's first message is not that of SCRAM, or not an answer to ours")
        iterations = int(match[3])
        if not LEAST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise SaslError(
                f"the server asks for {iterations} iterations: too few to be safe, or too many to do"
            )
        client_key, server_key = keys_of(self._password, _salt(match[2]), iterations)
        unproved = f"c=biws,r={match[1]}"
        signed = f"{self._bare},{server_first},{unproved}".encode()
        proof = xor(client_key, digest(sha256(client_key).digest(), signed, "sha256"))
        self._server_proof = b"v=" + b64encode(digest(server_key, signed, "sha256"))
        return unproved.encode() + b",p=" + b64encode(proof)


def _salt(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise SaslError("the server's salt is not base64") from None


_SIMPLE: dict[str, Callable[[str, str], ClientExchange]] = {
    "PLAIN": PlainClient,
    "XOAUTH2": XOAuth2Client,
    "LOGIN": LoginClient,
    "CRAM-MD5": CramClient,
}
