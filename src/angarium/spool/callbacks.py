"""Answers to those who wait for the spool."""

import asyncio

from angarium.spool.port import SpoolError, Then


class Callbacks:
    """Calls who waits, on the loop's thread. A mistake of one is reported, and costs the others nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call(self, then: Then | None, error: SpoolError | None) -> None:
        """Call *then*, if there is one."""
        if then is not None:
            try:
                then(error)
            except Exception as exc:  # noqa: BLE001 - see above
                self._loop.call_exception_handler({"message": "a spool callback failed", "exception": exc})
