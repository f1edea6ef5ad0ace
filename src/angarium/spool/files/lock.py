"""One process writes a partition: a lock on a file in it, which goes with the process."""

import fcntl
import os
from pathlib import Path

from angarium.core.files import open_own
from angarium.spool.disk import Disk
from angarium.spool.port import SpoolError


def lock_partition(path: Path, disk: Disk) -> int:
    """Take the partition in *path*, made when it is not there, for this process.

    Returns the descriptor that holds the lock. Raises SpoolError when another process has it.
    """
    try:
        disk.make_folder(path)
        fd = open_own(path / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as exc:
        raise SpoolError(f"the spool partition {path} cannot be opened: {exc}") from exc
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(fd)
        raise SpoolError(f"the spool partition {path} is in use by another process") from exc
    return fd
