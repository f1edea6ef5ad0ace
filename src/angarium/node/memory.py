"""What the system counts as this process's memory, and giving back what is not in use."""

import ctypes
import gc
import os
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

_PAGE_BYTES = resource.getpagesize()
_TRIM_EVERY_S = 60.0


def trim() -> None:
    """Collect garbage, and have the C library give back what it has free. It keeps that otherwise, for later use."""
    gc.collect()
    library: Any = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # glibc only; others give back by themselves
        library.malloc_trim(0)


def resident_bytes_of(statm: int) -> int:
    """Return the resident set that `/proc/self/statm`, open as *statm*, tells."""
    return int(os.pread(statm, 128, 0).split()[1]) * _PAGE_BYTES


def _own() -> Callable[[], int]:
    # Opened once, for when no more can be.
    return partial(resident_bytes_of, os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC))


class ProcessMemory:
    """Looks at the resident set. *look* and *give_back* are the system's."""

    def __init__(self, look: Callable[[], int] | None = None, give_back: Callable[[], None] = trim) -> None:
        self._look: Callable[[], int] = look or _own()
        self._give_back = give_back
        self._trimmed_at = float("-inf")

    def resident_bytes(self, most_bytes: int, now: float) -> int:
        """Return the resident set. Where it reaches *most_bytes* (0: no bound), what is free is given back first, at
        most once a minute: with a full memory that takes a good part of a second.
        """
        found = self._look()
        if not most_bytes or found < most_bytes or now < self._trimmed_at + _TRIM_EVERY_S:
            return found
        self._trimmed_at = now
        self._give_back()
        return self._look()
