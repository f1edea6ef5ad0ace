"""Finding messages by what is remembered of them: one question, and whoever can answer it.

A source knows messages for as long as it keeps them, and says since when it knows them all; what several sources say of
the same message is made one. All times are epoch seconds.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Protocol

import msgspec

MOST_FOUND = 10_000
MOST_RECIPIENTS = 100
"""So many recipients of a message are told at most, those that were asked for first."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: all that is given must be true of a message; what is empty is left open.

    *words* are anything: the beginning of an id or of a Message-ID, a recipient, a sender, a tag. *id* is the beginning
    of one. *recipient* and *sender* are an address, a domain, or a local part, with `*` for any characters; "<>" is
    the null sender. A domain is found however it is written, in A-labels or U-labels. *message_id* is the beginning of
    the field, with or without "<". *login* is a part of its name, or its number. *since* and *until* bound the time of
    reception. *before* is the id of a message: older ones are wanted, as the next page has them.
    """

    words: str = ""
    id: str = ""
    recipient: str = ""
    sender: str = ""
    message_id: str = ""
    tag: str = ""
    login: str = ""
    since: float | None = None
    until: float | None = None
    before: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_FOUND)] = 20


class FoundRecipient(msgspec.Struct, frozen=True):
    """One recipient of a message. *at* is when the last thing happened to it, None when nothing has yet.

    *state* is that of `records.State`; empty when it has ended and how is not known any more.
    """

    recipient: str
    state: str
    at: float | None = None
    attempts: int = 0
    due_at: float | None = None
    last_reply: str = ""


class FoundMessage(msgspec.Struct, frozen=True):
    """One message. *recipients* may be fewer than *recipient_count*; *states* counts all of them by state."""

    message: str
    received_at: float
    sender: str
    recipients: list[FoundRecipient]
    recipient_count: int
    states: dict[str, int]
    message_id: str = ""
    subject: str = ""
    size: int = 0
    tags: list[str] = []
    login: str = ""
    account: int = 0
    server: int = 0


class Finding(msgspec.Struct, frozen=True):
    """What was found, newest first. *next* is what to say as *before* for more, None when that is all.

    *complete_since* None: nothing that was ever known is forgotten; else what ended before that time may be missing.
    *problems* are sentences about what could not be looked at.
    """

    rows: list[FoundMessage]
    next: str | None = None
    complete_since: float | None = None
    problems: list[str] = msgspec.field(default_factory=list)


Progress = Callable[[int, int], None]
"""Hears how many parts were looked at, and how many there are."""


class MessageSource(Protocol):
    """Who knows messages. `spool.offline.find` does while their records are in the spool."""

    def find(self, wanted: Wanted, progress: Progress) -> Finding:
        """Return the newest messages that match, at most as many as are wanted. Raises AngariumError."""
        ...


def merge_findings(findings: Iterable[Finding], limit: int) -> Finding:
    """Return the newest *limit* messages of all *findings*; of one that several have, the first that has it."""
    parts = list(findings)
    rows = {row.message: row for part in reversed(parts) for row in part.rows}
    newest = sorted(rows.values(), key=lambda row: row.message, reverse=True)
    more = len(newest) > limit or any(part.next for part in parts)
    forgotten = [part.complete_since for part in parts if part.complete_since is not None]
    return Finding(
        newest[:limit],
        newest[:limit][-1].message if more and newest else None,
        max(forgotten, default=None),
        [problem for part in parts for problem in part.problems],
    )
