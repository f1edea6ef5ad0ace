"""What was remembered of addresses without suppressing them, as values: a failure that may become a cause when it comes
again, and a cause that was held back. Times are seconds of Unix time.
"""

from typing import Final, Literal

import msgspec

from angarium.core.ids import MessageId
from angarium.suppressions.records import NewCause, Reason

NoteState = Literal[
    "noted",  # it counts when it comes again
    "held",  # it would have suppressed, in a burst: somebody is to look at it
    "released",  # it was held, and has suppressed then
    "discarded",  # it was held, and is forgotten
]
NOTE_STATES: Final[tuple[NoteState, ...]] = ("noted", "held", "released", "discarded")


class NewNote(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be remembered of an address (*what*, as it is compared), once for each *message* and *sent_to*.

    *at* is when it happened, *day* the day of that (UTC, `2026-11-30`). *scope* and *reason* are those of the cause
    that it may become (`NewCause`), *rule* is the name of the rule that says so, *why* its words. *failure* is the name
    of what a peer's answer means, *burst* under what the guard has counted it, empty for what is not held.
    """

    state: NoteState
    account: int
    what: str
    scope: str
    reason: Reason
    at: float
    day: str
    message: MessageId
    sent_to: str
    event: int
    rule: str
    why: str
    failure: str = ""
    bounce_class: int = 0
    reply: str = ""
    provider: str = ""
    burst: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note that was written. What `NewNote` has means the same; *changed_at* and *changed_by* say when and by whom a
    held one was decided.
    """

    id: int
    state: NoteState
    account: int
    what: str
    scope: str
    reason: Reason
    at: float
    day: str
    message: MessageId
    sent_to: str
    event: int
    rule: str
    why: str
    made_at: float
    failure: str = ""
    bounce_class: int = 0
    reply: str = ""
    provider: str = ""
    burst: str = ""
    changed_at: float | None = None
    changed_by: str = ""

    def cause(self) -> NewCause:
        """Return the cause that it becomes: another one than what had suppressed before it was held, and was undone."""
        return NewCause(
            account=self.account,
            what=self.what,
            reason=self.reason,
            origin="recorder",
            at=self.at,
            scope=self.scope,
            message=self.message,
            sent_to=self.sent_to,
            event=self.event,
            reply=self.reply,
            bounce_class=self.bounce_class or None,
            provider=self.provider,
            run=f"released {self.id}",
            note=f"{self.why}; held in a burst of {self.burst}, and released",
        )


class HeldBurst(msgspec.Struct, frozen=True):
    """What is held under one key: how many, of the time between, and an answer as an example."""

    burst: str
    count: int
    first_at: float
    last_at: float
    reply: str


class NoteFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which notes are meant: those of which all holds that is said."""

    state: NoteState | None = None
    ids: tuple[int, ...] | None = None
    account: int | None = None
    what: str | None = None
    burst: str | None = None
    message: MessageId | None = None
    since: float | None = None
    until: float | None = None
