"""Handing in a message that has copies of its own: all of them are durable before anybody is told so."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.spool.port import Body, LargeBody, LargeBodyWriter, SpoolError, Then

_PIECE_BYTES = 1 << 20
_AT_ONCE = 50


class Entrance(Protocol):
    """The way into spool and scheduler; `engine.enter.Acceptance` is one."""

    def enter(self, message: Message, body: Body, then: Then) -> None:
        """Make durable and deliver."""
        ...


class Files(Protocol):
    """Where large bodies are kept; every `spool.port.Spool` is one."""

    def large_body(self, message_id: MessageId) -> LargeBodyWriter:
        """Open a file for a body that is larger than the journal takes."""
        ...


Enter = Callable[[Message, Body, Then], None]
"""Has one message entered; raises nothing."""


async def enter_together(
    enter: Enter, messages: list[Message], bodies: list[Body], done: Callable[[SpoolError | None], None]
) -> None:
    """Hand in *messages*, and call *done* once all are answered: with None when all are durable.

    Other sessions have their turn in between. With an error some may be durable all the same and go out; the sender,
    told to try again, then repeats them.
    """
    waiting = len(messages)
    failed: SpoolError | None = None

    def answered(error: SpoolError | None) -> None:
        nonlocal waiting, failed
        waiting -= 1
        failed = failed or error
        if not waiting:
            done(failed)

    for number, (message, body) in enumerate(zip(messages, bodies, strict=True)):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        enter(message, body, answered)


async def bodies_for(files: Files, body: Body, message_ids: list[MessageId]) -> list[Body]:
    """Return a body for each of *message_ids*, a file of its own where *body* is one.

    Raises SpoolError; files that were made are gone then, whatever is raised.
    """
    if isinstance(body, bytes):
        return [body] * len(message_ids)
    made: dict[MessageId, Body] = {}
    try:
        for message_id in message_ids:
            made[message_id] = await _copied(files, body, message_id)
    except BaseException:
        for message_id in made:
            files.large_body(message_id).discard()
        raise
    return list(made.values())


async def _copied(files: Files, body: LargeBody, message_id: MessageId) -> Body:
    writer = files.large_body(message_id)
    try:
        with await asyncio.to_thread(open, body.path, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                await writer.write(piece)
        return await writer.finish()
    except OSError as error:
        writer.discard()
        raise SpoolError(f"a large body could not be copied: {error.strerror}") from error
    except BaseException:
        writer.discard()
        raise
