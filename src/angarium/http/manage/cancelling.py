"""The manage API: mail that waits, scheduled or put off, is cancelled before it leaves."""

import asyncio
from typing import Final

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId, parse_id
from angarium.core.operations import Changed
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.call import Call
from angarium.http.manage.happened import OneQuery, story_of
from angarium.sql.errors import Conflict

PATIENCE_S: Final = 20.0


class CancelledView(msgspec.Struct, frozen=True):
    """What was cancelled of a message: *cancelled* recipients will not get it; *in_flight* were just being handed it,
    and are left alone. *problems* says what is not known, in sentences.
    """

    id: str
    cancelled: int
    in_flight: int
    problems: list[str]


async def cancel_message(call: Call, message: str, query: OneQuery) -> CancelledView:
    """Cancel what waits of a message: mail that is scheduled with `send_at`, or was put off. No report is mailed. Where
    nothing of it waits any more it is a conflict.
    """
    story = await asyncio.to_thread(story_of, call, message, query)
    done = await _cancelled(call, parse_id(story.id))
    if not done.changed:
        raise _nothing(story.id, done)
    return CancelledView(story.id, done.changed, done.in_flight, done.problems)


async def _cancelled(call: Call, id: MessageId) -> Changed:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await call.cancelling(id, f"cancelled by {call.actor}")
    except TimeoutError as error:
        said = f"no answer within {PATIENCE_S:g} s; it may be cancelled yet: look at it, and ask again"
        raise HttpProblem("unavailable", said, headers={"Retry-After": "5"}) from error
    except AngariumError as error:
        raise HttpProblem(
            "unavailable", f"it was not cancelled: {error}", headers={"Retry-After": "5"}
        ) from error


def _nothing(id: str, done: Changed) -> AngariumError:
    if done.problems:  # somebody who may have it did not answer
        said = f"it was not cancelled: {'; '.join(done.problems)}"
        return HttpProblem("unavailable", said, headers={"Retry-After": "5"})
    if done.in_flight:
        return Conflict(f"message {id} is being handed over just now; ask again if it has to wait once more")
    return Conflict(f"nothing of message {id} waits any more: it has left, or was ended")
