"""What is kept of suppressions, as values. Times are seconds of Unix time.

The ledger has an entry, a *cause*, for each thing that once suppressed or allowed an address: nothing is taken out of
it. An address is suppressed while a cause stands.
"""

from typing import Final, Literal, NamedTuple, get_args

import msgspec

from angarium.core.ids import MessageId
from angarium.core.options import RecipientReason
from angarium.suppressions.address import WhatKind

Reason = Literal[
    "hard_bounce",  # there is no such recipient
    "complaint",  # they called a mail unwanted
    "unsubscribe",  # they want no more
    "manual",  # the sender put them on the list
    "compliance",  # the operator did
]

RECIPIENT_REASONS: Final[tuple[RecipientReason, ...]] = get_args(RecipientReason)
"""Those that come from recipients: a stream says which of them suppress. The others always do."""

Origin = Literal["recorder", "api", "cli", "import"]
"""Who wrote a cause: the recorder of what it read, a client of the API, an operator, one of them in bulk."""

Effect = Literal["suppress", "allow"]

EVERYTHING: Final = "*"
"""The scope that is all mail of an account."""
ALL_TRANSACTIONAL: Final = "*/transactional"
ALL_BROADCAST: Final = "*/broadcast"


def stream_scope(server: int, stream: str) -> str:
    """Return the scope that is one message stream."""
    return f"{server}/{stream}"


def covers(scope: str, other: str) -> bool:
    """Whether what is allowed in *scope* is allowed in *other* by that."""
    return scope in (EVERYTHING, other)


class NewCause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that suppresses, to be written.

    *account* None: for all accounts. *what* is an address, a domain or a pattern in any form that `address.what_of`
    reads. *scope* says of which mail: all (`*`), all of a kind (`*/transactional`, `*/broadcast`), or one stream
    (`stream_scope`). *at* is when it happened, not when it was written. *expires_at* None: it stands until undone.

    The rest is evidence, as far as there is any: the *message* and the address it was *sent_to* (each suppresses once
    for a reason, however often it is told), the number of the *event*, the *reply* in one line, the *bounce_class*, the
    *provider* that answered. *run* names what was written in one go.
    """

    account: int | None
    what: str
    reason: Reason
    origin: Origin
    at: float
    scope: str = EVERYTHING
    expires_at: float | None = None
    message: MessageId | None = None
    sent_to: str = ""
    event: int | None = None
    reply: str = ""
    bounce_class: int | None = None
    provider: str = ""
    run: str = ""
    note: str = ""


class TakenBack(NamedTuple):
    """A recipient has taken back, *at* that time, that it wants no more mail of a *scope* of *account*."""

    account: int
    what: str
    scope: str
    at: float


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the ledger. What `NewCause` has means the same; *what* is as it is compared.

    *effect* "allow" is a removal by hand: it lifts what had happened by then, and what is told later of that time.
    *holds*: it suppresses unless it has expired; not while it is *lifted_by* such an entry, nor when it was undone.
    """

    id: int
    account: int | None = None
    kind: WhatKind
    what: str
    scope: str
    effect: Effect
    reason: Reason
    origin: Origin
    at: float
    made_at: float
    actor: str
    holds: bool
    expires_at: float | None = None
    message: MessageId | None = None
    sent_to: str = ""
    event: int | None = None
    reply: str = ""
    bounce_class: int | None = None
    provider: str = ""
    run: str = ""
    note: str = ""
    lifted_by: int | None = None
    undone_at: float | None = None
    undone_by: str = ""

    def stands(self, now: float) -> bool:
        """Whether it suppresses at *now*."""
        return self.holds and (self.expires_at is None or self.expires_at > now)


class CauseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which causes are meant: those of which all holds that is said. Nothing said: all.

    *accounts* has None for those of the whole node. *domain* is that of addresses. *text* is a part of what is
    suppressed. *since* and *until* are of the time when they were written. *undone*: whether they were undone.
    *standing_at*: those that suppress then.
    """

    ids: tuple[int, ...] | None = None
    accounts: tuple[int | None, ...] | None = None
    what: str | None = None
    domain: str | None = None
    text: str | None = None
    scopes: tuple[str, ...] | None = None
    reasons: tuple[Reason, ...] | None = None
    origins: tuple[Origin, ...] | None = None
    effect: Effect | None = None
    event: int | None = None
    message: MessageId | None = None
    bounce_class: int | None = None
    provider: str | None = None
    run: str | None = None
    since: float | None = None
    until: float | None = None
    undone: bool | None = None
    standing_at: float | None = None


class Added(msgspec.Struct, frozen=True):
    """What became of new causes: the ids of those written, and how many were there already."""

    ids: tuple[int, ...] = ()
    known: int = 0
