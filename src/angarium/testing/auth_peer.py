"""AUTH for scripted servers: real exchanges with users who are named in the open. For tests only."""

from collections.abc import Callable
from functools import cache

from angarium.core.reply import Reply
from angarium.smtp.sasl.exchange import (
    Challenge,
    Claim,
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

WELCOME = Reply(235, "2.7.0", "welcome")
NO_ENTRY = Reply(535, "5.7.8", "no")
NONSENSE = Reply(501, "5.5.2", "that is not how this mechanism goes")
SALT = b"not a random salt"


class AuthScript:
    """Leads exchanges with *users* (name → password), the nonce being *nonce* each time. What the server has to say
    goes to *challenge* and *answer*; *events* gets a line when a client is let in.
    """

    def __init__(
        self,
        users: dict[str, str],
        challenge: Callable[[bytes], None],
        answer: Callable[[Reply], None],
        events: list[str],
        nonce: str = "nonce",
    ) -> None:
        self._users = users
        self._challenge = challenge
        self._answer = answer
        self._events = events
        self._nonce = nonce
        self._exchange: Exchange | None = None

    def begin(self, mechanism: str, initial: bytes | None) -> None:
        """Begin an exchange."""
        self._exchange = exchange_for(mechanism, "mx.test", self._nonce, 0.0)
        self._go_on(self._exchange, self._exchange.start(initial))

    def respond(self, data: bytes) -> None:
        """Take the client's response."""
        assert self._exchange is not None
        self._go_on(self._exchange, self._exchange.respond(data))

    def _go_on(self, exchange: Exchange, step: Step) -> None:
        while isinstance(step, NeedSecrets):
            step = exchange.supply(self._secrets(step.username))
        match step:
            case Challenge(data):
                self._challenge(data)
            case Claimed(claim):
                self._conclude(claim.username, self._is_right(claim))
            case Proved(username):
                self._conclude(username, True)
            case Failed("malformed"):
                self._answer(NONSENSE)
            case _:
                self._answer(NO_ENTRY)

    def _conclude(self, username: str, is_right: bool) -> None:
        if is_right:
            self._events.append(f"authenticated {username}")
        self._answer(WELCOME if is_right else NO_ENTRY)

    def _is_right(self, claim: Claim) -> bool:
        return claim.username in self._users and self._users[claim.username] == claim.secret

    def _secrets(self, username: str) -> Secrets | None:
        password = self._users.get(username)
        return None if password is None else Secrets(password, _verifier(password))


@cache
def _verifier(password: str) -> str:
    return scram_verifier(password, SALT)
