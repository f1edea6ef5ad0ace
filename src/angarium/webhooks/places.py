"""Places for requests under way: those that are quick, and those that are not, each have so many."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

SLOW_S: Final = 2.0
"""What takes longer leaves its place to the quick ones, and takes one among the slow."""


class RequestPlaces:
    """*count* of each sort."""

    def __init__(self, count: int) -> None:
        self._quick = asyncio.Semaphore(count)
        self._slow = asyncio.Semaphore(count)

    async def do(self, work: Coroutine[Any, Any, T], *, is_slow: bool) -> T:
        """Do *work* once there is a place for it: of those that are expected to be slow, or else of the others, until
        it has shown to be so.
        """
        try:
            place = self._slow if is_slow else self._quick
            await place.acquire()
        except BaseException:
            work.close()
            raise
        task = asyncio.ensure_future(work)
        try:
            if not is_slow:
                await asyncio.wait({task}, timeout=SLOW_S)
                if not task.done() and not self._slow.locked():
                    await self._slow.acquire()
                    place.release()
                    place = self._slow
            return await task
        finally:
            task.cancel()
            place.release()
