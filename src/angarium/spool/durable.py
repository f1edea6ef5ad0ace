"""How far the journal is durable, told to readers in other processes while the writer runs.

Eight bytes of shared memory in a file: the position behind the last synced record. It is not itself synced,
and means nothing once the writer is gone: then the segments tell.
"""

import mmap
import os
import struct
from pathlib import Path

from angarium.spool.codec import position

_POSITION = struct.Struct("<Q")


class DurableMark:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, bytes(_POSITION.size), 0)
            self._memory = mmap.mmap(fd, _POSITION.size)
        finally:
            os.close(fd)

    def set(self, generation: int, offset: int) -> None:
        """Tell that all before *offset* of segment *generation*, and all earlier segments, are durable."""
        _POSITION.pack_into(self._memory, 0, position(generation, offset))

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()


def read_mark(path: Path) -> int:
    """Return the position before which all is durable; 0 when there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    return int(_POSITION.unpack(data)[0]) if len(data) == _POSITION.size else 0
