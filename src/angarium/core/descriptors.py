"""File descriptors of this process: how many are open, and how many may be."""

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path

import msgspec

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
_MOST_USEFUL = 1 << 20
"""More than a process of ours could ever have open; a limit without end would be written out in full."""


class Descriptors(msgspec.Struct, frozen=True):
    """Of one process: so many are *open*, and *most* may be."""

    open: int
    most: int


def descriptors() -> Descriptors:
    """Return those of this process. Where none is left even for looking, all are open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        return Descriptors(len(os.listdir(_FOLDER)) - 1, most)  # the listing has one itself
    except OSError as error:
        if error.errno not in _OUT_OF_FILES:
            raise
        return Descriptors(most, most)


def most_possible() -> int:
    """Return how many this process may have open once `raise_limit` has been called."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft, min(hard, _MOST_USEFUL)) if hard != resource.RLIM_INFINITY else _MOST_USEFUL


def raise_limit() -> None:
    """Let this process, and those that it starts, open as many as the system allows it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(OSError, ValueError):  # then it stays as it is, and is told of where it is too small
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_possible(), hard))


_FOLDER = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"
