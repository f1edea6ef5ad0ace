"""Hosted pictures that no mail has left with for long are removed: one worker looks for all."""

import asyncio
from collections.abc import Callable
from typing import Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.render.images.shelf import ImageShelf

LOOK_S: Final = 3600.0
"""How often is looked."""


class ImageSweep:
    """*retention* returns for how many days they are kept, 0 for good."""

    def __init__(self, images: ImageShelf, retention: Callable[[], int], clock: Clock, log: Log) -> None:
        self._images = images
        self._retention = retention
        self._clock = clock
        self._log = log

    async def look(self) -> None:
        """Remove what is too old, in a thread."""
        days = self._retention()
        if not days:
            return
        try:
            count = await asyncio.to_thread(self._images.drop_unused, days)
        except OSError as error:
            self._log.error("images", self._clock.now(), error=str(error))
            return
        if count:
            self._log.info("images", self._clock.now(), number=count)
