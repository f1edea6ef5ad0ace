"""What is commanded of an order, carried out on its slices that are in the queue."""

import asyncio
from collections.abc import Sequence
from typing import Final

from angarium.core.ids import MessageId, format_id
from angarium.core.operations import ActArgs, Action, SelectionArgs
from angarium.core.orders import Command
from angarium.engine.operate import Operator

_ACTIONS: Final[dict[Command, Action]] = {"paused": "hold", "": "release", "cancelled": "fail"}
_NOTES: Final[dict[Command, str]] = {
    "paused": "the campaign is paused",
    "": "the campaign goes on",
    "cancelled": "the campaign was cancelled",
}


class Obey:
    """Has an *operator* do it, slice by slice. What is in flight ends as it does."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def carry_out(self, command: Command, slices: Sequence[MessageId], name: str) -> None:
        """Hold, release or fail the recipients of *slices* that wait. Raises SpoolError."""
        for each in slices:
            args = ActArgs(
                action=_ACTIONS[command],
                selection=SelectionArgs(message=format_id(each)),
                note=f"{_NOTES[command]}: {name}",
                quiet=command == "cancelled",
            )
            await self._operator.act(args, _nobody)
            await asyncio.sleep(0)


def _nobody(done: int) -> None:
    """Hear how far it has come."""
