"""How soon a process that has ended is started again, and how its end is told."""

import asyncio
import signal

_SHORTEST_S, _LONGEST_S = 0.2, 10.0
_STABLE_S = 30.0
"""One that has lived so long is started again at once, however often it had to be before."""


class Restarts:
    """The waits between the lives of one process: each twice as long as the one before, as long as it lives shortly."""

    def __init__(self) -> None:
        self._wait_s = _SHORTEST_S

    def after(self, lived_s: float) -> float:
        """Return for how many seconds to wait, now that it has ended after *lived_s*."""
        self._wait_s = _SHORTEST_S if lived_s > _STABLE_S else min(self._wait_s * 2, _LONGEST_S)
        return self._wait_s


async def pause(seconds: float, stopping: asyncio.Event) -> None:
    """Wait for so long, or until *stopping* is set."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def how_ended(code: int) -> str:
    """Return the end of a process in words, by its exit status as asyncio has it."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
