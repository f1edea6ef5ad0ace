"""How a webhook does, for whoever asks: from what is kept of it. Pure."""

from typing import Literal

import msgspec

from angarium.identity.webhooks import Webhook
from angarium.webhooks.records import CursorRow, LetterCounts

StandingState = Literal["works", "fails", "left alone", "off", "new"]


class WebhookStanding(msgspec.Struct, frozen=True, kw_only=True):
    """*state* in a word; *behind* counts what has happened on the node since what it was told last, whosever it is.
    *ok_at* is when it took something last, *failed_at* when it did not, with *status* and *error*. *waiting* is tried
    again, *dead* was given up. Times are epoch seconds, None: never.
    """

    webhook: int
    state: StandingState
    behind: int
    ok_at: float | None
    failed_at: float | None
    failing_since: float | None
    next_try_at: float | None
    status: int
    error: str
    answer: str
    waiting: int
    dead: int


def standing_of(
    webhook: Webhook, cursor: CursorRow | None, counts: LetterCounts, tail: int, last: int
) -> WebhookStanding:
    """Return how *webhook* does. *tail* is how far the log was handed out, *last* how far it goes."""
    row = cursor or CursorRow(webhook=webhook.id, position=last)
    position = row.position if row.behind else max(row.position, tail)
    return WebhookStanding(
        webhook=webhook.id,
        state=_state(webhook, cursor),
        behind=max(0, last - position) if row.behind else 0,
        ok_at=row.ok_at,
        failed_at=row.failed_at,
        failing_since=row.failing_since,
        next_try_at=row.open_until,
        status=row.status,
        error=row.error,
        answer=row.answer,
        waiting=counts.waiting,
        dead=counts.dead,
    )


def _state(webhook: Webhook, cursor: CursorRow | None) -> StandingState:
    if not webhook.enabled:
        return "off"
    if cursor is None:
        return "new"
    if cursor.open_until is not None:
        return "left alone"
    if cursor.failing_since is not None:
        return "fails"
    return "works" if cursor.ok_at is not None else "new"
