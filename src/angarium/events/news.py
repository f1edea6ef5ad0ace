"""Those who wait for something to happen are told when something was stored."""

import asyncio
from typing import Final

MOST_WAITING: Final = 64
"""So many may wait; others are answered at once, and ask again."""
_BETWEEN_S: Final = 0.25
"""So much lies between two looks of one who waits, however much happens."""


class StoredNews:
    """Of one event loop. Who stores calls `tell` in it."""

    def __init__(self) -> None:
        self._told: asyncio.Event | None = None
        self.waiting = 0
        """How many wait at the moment."""

    def tell(self) -> None:
        """Say that something was stored."""
        if self._told is not None:
            self._told.set()
            self._told = None

    def coming(self) -> asyncio.Event:
        """Return what is set with the next news. To be taken before a look, so that nothing falls between."""
        self._told = self._told or asyncio.Event()
        return self._told

    async def wait(self, coming: asyncio.Event, seconds: float) -> bool:
        """Wait for *coming*, up to *seconds*; return whether it is worth another look."""
        if seconds <= 0 or self.waiting >= MOST_WAITING:
            return False
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await coming.wait()
                await asyncio.sleep(_BETWEEN_S)
            return True
        except TimeoutError:
            return coming.is_set()
        finally:
            self.waiting -= 1
