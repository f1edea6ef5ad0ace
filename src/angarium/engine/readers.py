"""What readers of mail do: opens and clicks, written down, within bounds."""

import asyncio
from typing import Any, Final

from angarium.core.bounded import Bounded
from angarium.core.clock import Clock
from angarium.core.ids import MessageId, new_id
from angarium.core.metrics import Counters
from angarium.core.records import Fact, FactKind
from angarium.spool.port import Spool, SpoolError

MOST_OF_ONE: Final = 5
WINDOW_S: Final = 60.0
"""The same thing of the same recipient is written so often in so many seconds: nobody reads faster, and whoever has one
address must not fill the disk with it."""
_REMEMBERED: Final = 20_000
MOST_TEXT: Final = 2048

Deed = tuple[FactKind, MessageId, int, int]
"""What was done, the message and recipient, and the link."""


class ReaderFacts:
    """Gathers what readers do and hands it to the spool each second: it counts, and nothing waits for it. What
    something follows from is written at once.
    """

    def __init__(self, spool: Spool, clock: Clock, counters: Counters) -> None:
        self._spool = spool
        self._clock = clock
        self._counters = counters
        self._gathered: list[Fact] = []
        self._recent: Bounded[Deed, list[float]] = Bounded(_REMEMBERED)

    def note(self, deed: Deed, fields: dict[str, Any]) -> None:
        """Note what a reader has just done, unless he does it all the time. *fields* are of `FACT_FIELDS`."""
        now = self._clock.now()
        if self._is_allowed(deed, now):
            self._gathered.append(_fact(deed, now, fields))
        else:
            self._counters.add("facts_left_out_total", deed[0])

    async def keep(self, deed: Deed, fields: dict[str, Any]) -> None:
        """Write down what something follows from: durable when this returns. Done again and again, it is written as
        seldom as what is noted. Raises SpoolError; then it is not written, and has to be done again.
        """
        now = self._clock.now()
        if not self._is_allowed(deed, now):
            return
        written: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self._spool.note([_fact(deed, now, fields)], written.set_result)
        error = await asyncio.shield(written)
        if error is not None:
            self._recent.pop(deed)
            raise error

    def _is_allowed(self, deed: Deed, now: float) -> bool:
        times = [at for at in self._recent.get(deed) or () if at > now - WINDOW_S]
        if len(times) >= MOST_OF_ONE:
            return False
        self._recent.put(deed, [*times, now])
        return True

    def write(self) -> None:
        """Hand what was noted to the spool; called each second."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._spool.note(gathered)


def _fact(deed: Deed, now: float, fields: dict[str, Any]) -> Fact:
    kind, message, index, _ = deed
    said = {
        name: value[:MOST_TEXT] if isinstance(value, str) else value
        for name, value in fields.items()
        if value not in ("", None)
    }
    return Fact(kind=kind, id=new_id(now), at=now, message=message, index=index, fields=said)
