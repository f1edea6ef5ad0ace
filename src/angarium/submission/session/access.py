"""Who lets senders in: what a listener needs of the identity room, and what it says to those who are not let in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from angarium.core.records import ForwardPath
from angarium.core.reply import Reply
from angarium.core.submission import Problem
from angarium.identity.guard.guard import Guard
from angarium.identity.principal import Principal, Refused
from angarium.smtp.sasl.exchange import Claim, Secrets
from angarium.suppressions.decide import MailFacts, Stop

LOGGED_IN = Reply(235, "2.7.0", "authentication successful")
XCLIENT_OK = Reply(220)
MALFORMED = Reply(501, "5.5.2", "this is not what the mechanism says; start the authentication again")
TOO_MANY_FAILURES = Reply(
    421, "4.7.0", "too many failed logins in this session: check user name and password"
)
SAY_STARTTLS = Reply(
    538,
    "5.7.11",
    "authentication failed: say STARTTLS first, since without TLS few logins can be used; then check user name and "
    "password",
)
"""The one answer to a challenge that failed where a password would have been taken under TLS."""
LOGIN_ENDED = Reply(421, "4.7.0", "the login of this session is not valid any more; log in again")

FAILURES_PER_SESSION = 3


class LoginDirectory(Protocol):
    """Knows who may log in; `identity.directory.Directory` is one. Raises StoreError when it cannot say."""

    async def authenticate(self, claim: Claim, peer_ip: str) -> Principal | Refused:
        """Check a name and a password."""
        ...

    async def secrets_for(self, mechanism: str, username: str) -> Secrets | None:
        """Return what a challenge mechanism needs of a user."""
        ...

    async def principal_of(self, username: str, peer_ip: str) -> Principal | Refused:
        """Return who a user name is that has proved itself."""
        ...

    def current(self, principal: Principal, peer_ip: str) -> Principal | Problem:
        """Return the principal as it is now, or why it may not send."""
        ...

    def note_use(self, principal: Principal, now: float) -> None:
        """Remember when a login was last used."""
        ...


class Owners(Protocol):
    """Knows which accounts have verified a domain or one above it; `identity.owners.DomainOwners` is one."""

    def now(self, domain: str) -> frozenset[int] | None:
        """Return the owners of *domain* if that can be said at once; None: ask `get`."""
        ...

    async def get(self, domain: str) -> frozenset[int]:
        """Return the owners of *domain*. Raises StoreError."""
        ...


class NobodyOwns:
    """Where no domain belongs to an account."""

    def now(self, domain: str) -> frozenset[int]:
        """See Owners."""
        return frozenset()

    async def get(self, domain: str) -> frozenset[int]:
        """See Owners."""
        return frozenset()


NOBODY_OWNS = NobodyOwns()


class SuppressedRecipients(Protocol):
    """Knows who must not get mail; `suppressions.check.SuppressionCheck` does."""

    async def stop_at_door(self, path: ForwardPath, facts: MailFacts) -> Stop | None:
        """Return why mail with *facts* would not reach *path*, None where it would. Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """What logging in needs.

    *on_failure* is told of each failure, for the other workers: address, mark, listener; *on_success* of the network
    and the mark of a login that the guard trusts from there from now on (`identity.guard`). Without *suppressed* nobody
    is refused as suppressed.
    """

    directory: LoginDirectory
    guard: Guard
    on_failure: Callable[[str, str, str], None]
    on_success: Callable[[str, str], None] = lambda network, mark: None
    owners: Owners = NOBODY_OWNS
    suppressed: SuppressedRecipients | None = None


def blocked(until: float) -> Reply:
    """Say to a peer how long its logins are not looked at."""
    moment = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Reply(421, "4.7.0", f"too many failed logins; come back after {moment}")
