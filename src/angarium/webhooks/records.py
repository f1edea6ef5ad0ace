"""What is kept of webhooks while they are served, as values."""

from typing import Literal, NamedTuple

import msgspec

LetterState = Literal["waiting", "dead", "done"]


class CursorRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far a webhook was told, and how it does. *behind*: *position* and *told* say it; else all was told up to
    where the log was last looked through, or up to *position*, whichever is higher. Times are epoch seconds, None:
    never.
    """

    webhook: int
    position: int = 0
    behind: bool = False
    told: list[int] = []
    ok_at: float | None = None
    failed_at: float | None = None
    failing_since: float | None = None
    open_until: float | None = None
    status: int = 0
    error: str = ""
    answer: str = ""


class KeptLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What is, or was, tried again: what is told in one request. *numbers* and *ids* are of the events, *keys* what
    each is of. *status*, *error* and *answer* are of the last try, *latency_ms* how long that took.
    """

    webhook: int
    id: str
    numbers: list[int]
    ids: list[str]
    keys: list[str]
    state: LetterState
    tries: int
    first_at: float
    due_at: float
    changed_at: float
    status: int = 0
    error: str = ""
    answer: str = ""
    latency_ms: int = 0


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window of time is told once more: from *position* up to *end* in the log, what is of *since*
    or later and before *until*. *found* counts it.
    """

    id: int
    webhook: int
    since: float
    until: float
    position: int
    end: int
    made_at: float
    found: int = 0
    done_at: float | None = None


class TailRow(NamedTuple):
    """*number*: all up to there was handed out; *earlier* was so some time before, at *earlier_at*: up to there the log
    survives a power cut. *boot* is when the machine was started.
    """

    number: int
    earlier: int
    earlier_at: float
    boot: str


class LetterCounts(NamedTuple):
    """How much is tried again, and how much has been given up."""

    waiting: int = 0
    dead: int = 0
