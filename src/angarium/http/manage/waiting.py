"""What holds a recipient now, and what comes next: asked of those who deliver, beside what was recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.operations import Changed, MessageHistory, RecipientRow
from angarium.core.reasons import sentence

Asking = Callable[[MessageId], Awaitable[MessageHistory]]
"""Asks the workers what they know of a message. Raises AngariumError."""

Cancelling = Callable[[MessageId, str], Awaitable[Changed]]
"""Has the workers end what waits of a message, for a reason in words. Raises AngariumError."""

PATIENCE_S: Final = 4.0
"""The supervisor answers in half of it, whatever its workers do."""


async def nobody_to_ask(message: MessageId) -> MessageHistory:
    """Ask where nobody delivers: see Asking."""
    raise AngariumError("nobody delivers mail here")


async def nobody_to_cancel(message: MessageId, note: str) -> Changed:
    """End mail where nobody delivers: see Cancelling."""
    raise AngariumError("nobody delivers mail here")


class WaitView(msgspec.Struct, frozen=True):
    """What holds a recipient now: a *kind*, and *why* in a sentence. *next_try_at* is null where nothing comes by
    itself, or where that is not known; it is given up at *expires_at*. *route* is where it goes then, for the operator.
    """

    address: str
    status: str
    kind: str
    why: str
    attempts: int
    next_try_at: datetime | None
    expires_at: datetime | None
    route: list[str]


class Waits(NamedTuple):
    """The recipients that wait, and what is missing of that, in sentences."""

    waits: list[WaitView]
    problems: list[str]


async def waits_of(asking: Asking, message: MessageId, *, is_operator: bool) -> Waits:
    """Return what holds the recipients of *message* now. Whoever does not answer within `PATIENCE_S` is told of."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            history = await asking(message)
    except TimeoutError:
        return Waits([], [f"what holds it now is not known: no answer within {PATIENCE_S:g} s"])
    except AngariumError as error:
        return Waits([], [f"what holds it now is not known: {error}"])
    rows = [row for row in history.recipients if row.held_by is not None]
    return Waits([_view(row, is_operator) for row in rows], history.problems)


def _view(row: RecipientRow, is_operator: bool) -> WaitView:
    reason = row.held_by
    assert reason is not None
    return WaitView(
        address=row.recipient,
        status=row.state,
        kind=reason.kind,
        why=str(reason) if is_operator else reason.text or sentence(reason),
        attempts=row.attempts,
        next_try_at=_moment(row.next_try),
        expires_at=_moment(row.expires_at),
        route=row.plan.addresses if row.plan is not None and is_operator else [],
    )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
