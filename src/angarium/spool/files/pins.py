"""A pin keeps the journal of a partition for as long as the process that laid it lives, unlike a cursor.

It is a locked file among the cursors. The lock goes with the process, and the writer takes away what nobody holds: one
who is killed while he copies does not hold the journal for ever.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from angarium.core.files import give_to_owner_of, open_own

_PIN = ".pin"
_numbers = count(1)


@contextmanager
def pinned(directory: Path, name: str) -> Iterator[None]:
    """From now on, and until the end, no segment of the journal is used again. Raises OSError."""
    path = directory / f"{name}-{os.getpid()}-{next(_numbers)}{_PIN}"
    fd = _locked(directory, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)


def _locked(directory: Path, path: Path) -> int:
    while True:
        fd = open_own(path, os.O_RDWR | os.O_CREAT)
        give_to_owner_of(directory, fd)  # else a writer who is not root could not tell whether it is held
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)  # the writer took it away before it was locked


def is_pinned(directory: Path) -> bool:
    """Whether anybody holds a pin. Takes away those that nobody holds. Raises OSError."""
    held = [path for path in directory.glob(f"*{_PIN}") if _is_held(path)]
    return bool(held)


def _is_held(path: Path) -> bool:
    try:
        fd = open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # it is being laid by root
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
