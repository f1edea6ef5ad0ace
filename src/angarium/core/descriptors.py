"""File descriptors of this process: how many it may have, and whether any are left."""

import os
import resource
from contextlib import suppress
from typing import Final

import msgspec

ENOUGH: Final = 8
"""With fewer left a process takes no connection reliably."""
_MOST_USEFUL: Final = 1 << 20
"""More than a process of ours could ever have open; a limit without end would be written out in full."""


class Descriptors(msgspec.Struct, frozen=True):
    """Of one process: *most* may be open, and so many are *left*, counted no further than ENOUGH."""

    left: int
    most: int


def descriptors() -> Descriptors:
    """Return those of this process. It tries: to count what is open takes the longer the more there are."""
    tried: list[int] = []
    with suppress(OSError):
        while len(tried) < ENOUGH:
            tried.append(os.open(os.devnull, os.O_RDONLY))
    for descriptor in tried:
        os.close(descriptor)
    return Descriptors(len(tried), resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def most_possible() -> int:
    """Return how many this process may have open once `raise_limit` has been called."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft, min(hard, _MOST_USEFUL)) if hard != resource.RLIM_INFINITY else _MOST_USEFUL


def raise_limit() -> None:
    """Let this process, and those that it starts, open as many as the system allows it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(OSError, ValueError):  # then it stays as it is, and is told of where it is too small
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_possible(), hard))
