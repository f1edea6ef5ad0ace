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
        self._is_planned = False
        self._at_end: list[Callable[[], object]] = []

    def at_end(self, carry_out: Callable[[], object]) -> None:
        """Call *carry_out* at the end of each turn in which something is planned."""
        self._at_end.append(carry_out)

    def plan(self) -> None:
        """Have the scheduler's commands carried out at the end of this turn."""
        if not self._is_planned:
            self._is_planned = True
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        self._is_planned = False
        for carry_out in self._at_end:
            carry_out()
