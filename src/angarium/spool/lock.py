"""One process writes a partition: a lock on a file in it, which goes with the process."""

import fcntl
import os
from pathlib import Path

from angarium.spool.port import SpoolError


def lock_partition(path: Path) -> int:
    """Take the partition in *path*, made when it is not there, for this process.

    Returns the descriptor that holds the lock. Raises SpoolError when another process has it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise SpoolError(f"the spool partition {path} cannot be opened: {exc}") from exc
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(fd)
        raise SpoolError(f"the spool partition {path} is in use by another process") from exc
    return fd
