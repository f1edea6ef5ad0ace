"""What finished messages may have left, and is removed once the settled store has said that it needs it no more."""

import asyncio
from collections.abc import Coroutine

from angarium.core.ids import MessageId
from angarium.spool.engine import LargeBodies
from angarium.spool.port import SpoolError
from angarium.spool.settlement.settler import Settler


class Leftovers:
    """Removes large bodies and contents in the background. What it cannot ask about, the next recovery removes."""

    def __init__(self, settler: Settler, large: LargeBodies, loop: asyncio.AbstractEventLoop) -> None:
        self._settler = settler
        self._large = large
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def close(self) -> None:
        """Finish, and begin nothing more."""
        self._closed = True
        await asyncio.gather(*self._tasks)

    def remove_unless_stored(self, message_id: MessageId) -> None:
        """Remove the large body of a message that the store does not have."""
        if not self._closed:
            self._begin(self._remove_unless_stored(message_id))

    def drop_unless_named(self, content_id: bytes) -> None:
        """Remove a content that no message in the store names, from the store and from among the large bodies."""
        if not self._closed:
            self._begin(self._drop_unless_named(content_id))

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove_unless_stored(self, message_id: MessageId) -> None:
        try:
            if await self._settler.ask(lambda store: not store.known([message_id])):
                self._large.remove(message_id)
        except SpoolError:
            return

    async def _drop_unless_named(self, content_id: bytes) -> None:
        try:
            dropped = await self._settler.ask(
                lambda store: store.drop_contents([content_id]), transaction=True
            )
        except SpoolError:
            return
        for each in dropped:
            self._large.remove(MessageId(each))
