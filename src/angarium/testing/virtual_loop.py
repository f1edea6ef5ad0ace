"""An event loop with a clock of its own, which goes on at once to when something is due: hours take no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualClock:
    """Implements core.clock.Clock by a loop's time. *start* is what it says at the beginning, in epoch seconds."""

    def __init__(self, start: float = 1_796_000_000.0) -> None:
        self._start = start
        self.passed = 0.0

    def now(self) -> float:
        """See Clock."""
        return self._start + self.passed


class _Selector(selectors.SelectSelector):
    """Waits for nothing that is not there already: time goes on instead."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found:
            if timeout is None:
                raise RuntimeError("nothing will ever happen again")
            self._clock.passed += max(timeout, 0.0)
        return found


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_Selector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.passed


def run_virtually(work: Callable[[VirtualClock], Awaitable[T]]) -> T:
    """Run *work* to its end. It may not use threads or other processes: time does not wait for them."""
    clock = VirtualClock()
    loop = _VirtualLoop(clock)
    try:
        return loop.run_until_complete(work(clock))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def at_once(what: Callable[..., T], *arguments: Any) -> T:
    """Call what blocks, and block."""
    return what(*arguments)
