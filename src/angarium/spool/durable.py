"""How far the journal is durable and from where on it is needed: two numbers in shared memory, in a file.

The position behind the last synced record is for readers beside a running writer; it means nothing once the
writer is gone, since then the segments tell. The first generation needed spares recovery what was released
since the last seal. It only grows, and is set after what makes it true is durable: so any value that a crash
may leave is true, and the file is never synced.
"""

import mmap
import os
import struct
from pathlib import Path

from angarium.spool.codec import position

_POSITION = struct.Struct("<Q")
_SIZE = 2 * _POSITION.size


class DurableMark:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, bytes(_POSITION.size), 0)
            os.posix_fallocate(fd, 0, _SIZE)
            self._memory = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)

    def set(self, generation: int, offset: int) -> None:
        """Tell that all before *offset* of segment *generation*, and all earlier segments, are durable."""
        _POSITION.pack_into(self._memory, 0, position(generation, offset))

    @property
    def first(self) -> int:
        """The first generation that is needed, as far as it is known here."""
        return int(_POSITION.unpack_from(self._memory, _POSITION.size)[0])

    def set_first(self, generation: int) -> None:
        """Tell that nothing before segment *generation* is needed any more."""
        _POSITION.pack_into(self._memory, _POSITION.size, generation)

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()


def read_mark(path: Path) -> int:
    """Return the position before which all is durable; 0 when there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    return int(_POSITION.unpack_from(data)[0]) if len(data) == _SIZE else 0
