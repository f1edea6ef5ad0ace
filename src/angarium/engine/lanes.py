"""Bulk mail does not make the turns of the event loop long.

A peer that answers quickly has fifty connections ready in each turn, and a client that hands over transactional mail
would wait for a message on each of them, at every step of the dialogue. So only a few transactions of bulk mail begin
in a turn. That bounds the length of turns, and no rate: if nothing else is to be done, the next turn follows at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from angarium.core.records import BULK
from angarium.queue.commands import Deliver

BULK_STARTS_A_TURN = 4
"""Each costs some 0.2 ms until its end."""


class BulkStarts:
    """Has transactions of bulk mail begun by *begin*, a few in each turn of the loop; all others at once."""

    def __init__(self, begin: Callable[[Deliver], object]) -> None:
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._left = BULK_STARTS_A_TURN
        self._waiting: deque[Deliver] = deque()

    def deliver(self, command: Deliver) -> None:
        """Begin the transaction, if it is of bulk mail in this turn or a later one."""
        if command.recipients[0].message.lane != BULK:
            self._begin(command)
        elif self._left:
            self._start(command)
        else:
            self._waiting.append(command)

    def _start(self, command: Deliver) -> None:
        if self._left == BULK_STARTS_A_TURN:
            self._loop.call_soon(self._next_turn)
        self._left -= 1
        self._begin(command)

    def _next_turn(self) -> None:
        self._left = BULK_STARTS_A_TURN
        while self._waiting and self._left:
            self._start(self._waiting.popleft())
