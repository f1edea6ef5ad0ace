"""The clock as a port: pure code gets the time as an argument, I/O code gets a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from. `SystemClock` in the program, `testing.clock.ManualClock` in tests."""

    def now(self) -> float:
        """Return the time in epoch seconds. Due times are kept in it, since they outlive the process."""
        ...


class SystemClock:
    """The machine's wall clock."""

    now = staticmethod(time.time)  # not a method of ours: it is called a dozen times a message
