"""What any client can make happen and is no message: written down, within bounds."""

from collections import Counter
from typing import Any

from angarium.core.clock import Clock
from angarium.core.ids import new_id
from angarium.core.metrics import Counters
from angarium.core.records import Fact, FactKind
from angarium.spool.port import Spool

MOST_AT_ONCE = 500
PER_S = 20
"""So many facts are written at once and, in the long run, a second: a stranger who is refused all the time makes a
worker write some ten kilobytes a second.
"""
MOST_TEXT = 256
"""So many characters of what a stranger says are kept."""


class FactWriter:
    """Gathers facts and hands them to the spool each second. Of what is beyond the bounds it writes how much it was."""

    def __init__(self, spool: Spool, clock: Clock, counters: Counters) -> None:
        self._spool = spool
        self._clock = clock
        self._counters = counters
        self._gathered: list[Fact] = []
        self._allowed = MOST_AT_ONCE
        self._left_out: Counter[str] = Counter()

    def note(self, kind: FactKind, *, account: int = 0, server: int = 0, **fields: Any) -> None:
        """Note what has just happened, unless there is too much of it. *fields* are of `FACT_FIELDS`; empty ones are
        left out.
        """
        if not self._allowed:
            self._left_out[kind] += 1
            self._counters.add("facts_left_out_total", kind)
            return
        self._allowed -= 1
        self._gather(kind, account, server, fields)

    def _gather(self, kind: FactKind, account: int, server: int, fields: dict[str, Any]) -> None:
        now = self._clock.now()
        said = {name: _short(value) for name, value in fields.items() if value not in ("", None)}
        self._gathered.append(
            Fact(kind=kind, id=new_id(now), at=now, account=account, server=server, fields=said)
        )

    def sweep(self) -> None:
        """Write what was noted in the last second, and allow for the next; called each second."""
        self.write()
        self._allowed = min(MOST_AT_ONCE, self._allowed + PER_S)

    def write(self) -> None:
        """Hand what was noted to the spool."""
        if self._left_out:
            self._gather("left_out", 0, 0, dict(self._left_out))
            self._left_out.clear()
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._spool.note(gathered)


def _short(value: Any) -> Any:
    return value[:MOST_TEXT] if isinstance(value, str) else value
