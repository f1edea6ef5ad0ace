"""What the SASL mechanisms say and are told (RFC 4422): values, and the course of an exchange. No I/O, no clock.

    step = exchange.start(initial)
    while True:
        match step:
            case Challenge(data):        step = exchange.respond(<what the client answers>)
            case NeedSecrets(username):  step = exchange.supply(<what is stored for that name, or None>)
            case Claimed() | Proved() | Failed():  the end

`sasl.server.exchange_for` makes the server's exchanges, `sasl.client.client_exchange` the client's.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

MECHANISMS = ("SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN")
"""What the server can do, the strongest first: the order in which it is offered."""

PASSWORD_MECHANISMS = frozenset(("PLAIN", "LOGIN"))
"""Those that send the password itself."""

OUTGOING_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2")
"""What the client can do."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A name and a password that the client sent and that are still to be checked. *authzid* is empty, or equal to
    *username*.
    """

    mechanism: str
    username: str
    secret: str = field(repr=False)
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a challenge mechanism needs to know of a user: *password* in clear for CRAM-MD5 and DIGEST-MD5, *scram*
    as `sasl.scram.scram_verifier` writes it for SCRAM-SHA-256. None: not kept.
    """

    password: str | None = field(default=None, repr=False)
    scram: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent to the client, whose response goes into `Exchange.respond`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NeedSecrets:
    """To be looked up; what is found, or None, goes into `Exchange.supply`."""

    username: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The end: the caller has to check the password."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Proved:
    """The end: the client has shown that it knows the secret of *username*.

    What the mechanism has to say with success went out as a challenge before, and was acknowledged (RFC 4954 §4).
    """

    username: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The end. *malformed*: what came is not the mechanism's syntax (501). *wrong*: it is, and proves nothing
    (535).
    """

    reason: Literal["malformed", "wrong"]


Step = Challenge | NeedSecrets | Claimed | Proved | Failed


class Exchange(Protocol):
    """The server's side of one authentication. A call out of turn raises RuntimeError."""

    def start(self, initial: bytes | None) -> Step:
        """Begin; *initial* is the initial response, None when the client sent none."""
        ...

    def respond(self, data: bytes) -> Step:
        """Take the client's response to the last challenge."""
        ...

    def supply(self, secrets: Secrets | None) -> Step:
        """Take what was asked for by NeedSecrets; None: there is no such user, or nothing is kept of it."""
        ...


class ClientExchange(Protocol):
    """The client's side of one authentication.

    *takes_any_prompt*: what a challenge says does not matter; what is not base64 may be given as an empty one.
    """

    takes_any_prompt: bool

    @property
    def is_complete(self) -> bool:
        """Whether a positive reply may be believed now. With SCRAM a server has to prove itself first."""
        ...

    def start(self) -> bytes | None:
        """Return the initial response; None for a mechanism in which the server speaks first."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Return the response to *challenge*. Raises SaslError when that makes no sense, or when the server fails to
        prove itself.
        """
        ...


class SaslError(ValueError):
    """What the other side sent does not belong to the mechanism. The text holds no secret."""
