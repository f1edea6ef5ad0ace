"""The end of the present turn of the event loop, at which the scheduler's commands are carried out."""

import asyncio
from collections.abc import Callable


class Turn:
    """Between those who tell the scheduler something and the one who carries out what it makes of it.

    Neither knows the other. However much is told in one turn of the loop, a burst of acknowledgements or replies, is
    carried out in one pass.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[None] = self._loop.create_future()

    def plan(self) -> None:
        """Have the scheduler's commands carried out at the end of this turn."""
        if not self._ending.done():
            self._ending.set_result(None)

    def at_end(self, carry_out: Callable[[], object]) -> None:
        """Call *carry_out* once, at the end of the first turn from now on in which something is planned."""
        self._ending = self._loop.create_future()
        self._ending.add_done_callback(lambda ended: carry_out())
