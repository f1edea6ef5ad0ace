"""What the writer notes of the journal outside of it: a few numbers in shared memory, in a file.

The position behind the last synced record is for readers beside a running writer, and tells the next start what
must be there. The first generation needed spares recovery what was released since the last seal. Both only grow,
and are set after what makes them true is durable: so any value that a crash may leave is true, and the file is
never synced.

How far was written is set before the write. It is true as long as the system that the writer ran on has not been
started again, and of this very file, not of a copy. With it a start need not search the rest of a segment for
what may follow an unfinished write.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

from angarium.core.files import open_own
from angarium.spool.codec import MAX_OFFSET, position

_POSITION = struct.Struct("<Q")
_FIRST, _WRITTEN, _SALT, _SYSTEM = 8, 16, 24, 32
_SIZE = 56
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class LastRun(NamedTuple):
    """What a writer that is gone has left. *durable* and *written* are positions, *first* is a generation, *salt*
    that of the segment written last. *written* is 0 when it cannot be trusted.
    """

    durable: int = 0
    first: int = 0
    written: int = 0
    salt: int = 0

    def bounds(self, generation: int, salt: int) -> tuple[int, int | None]:
        """Return up to where a segment is known to have been durable, and behind where nothing was written."""
        if salt != self.salt:
            return 0, None
        durable = self.durable & MAX_OFFSET if self.durable >> 32 == generation else 0
        return durable, self.written & MAX_OFFSET if self.written >> 32 == generation else None


class DurableMark:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OSError."""
        fd = open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            self.last = _read(fd)
            os.posix_fallocate(fd, 0, _SIZE)
            self._memory = mmap.mmap(fd, _SIZE)
            system = _system(fd)
        finally:
            os.close(fd)
        self._salt = -1
        if not self.last.written:
            _POSITION.pack_into(self._memory, _WRITTEN, 0)
        self._memory[_SYSTEM:_SIZE] = system

    def set(self, generation: int, offset: int) -> None:
        """Tell that all before *offset* of segment *generation*, and all earlier segments, are durable."""
        _POSITION.pack_into(self._memory, 0, position(generation, offset))

    def writing(self, generation: int, salt: int, end: int) -> None:
        """Tell that segment *generation* may be written up to *end* from now on."""
        if salt != self._salt:
            self._begin(generation, salt)
        _POSITION.pack_into(self._memory, _WRITTEN, position(generation, end))

    def _begin(self, generation: int, salt: int) -> None:
        if (
            self.last.durable >> 32 >= generation
        ):  # of a segment that was taken away: its number is used again
            self.set(0, 0)
        self._salt = salt
        _POSITION.pack_into(self._memory, _SALT, salt)

    def set_first(self, generation: int) -> None:
        """Tell that nothing before segment *generation* is needed any more."""
        _POSITION.pack_into(self._memory, _FIRST, generation)

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()


def _system(fd: int) -> bytes:
    """Name the open file and the start of the system under which it is written."""
    try:
        boot_id = bytes.fromhex(_BOOT_ID.read_text("ascii").replace("-", ""))
    except (OSError, ValueError):
        boot_id = os.urandom(16)  # nobody will take the next start for this one
    return struct.pack("<Q16s", os.fstat(fd).st_ino, boot_id)


def _read(fd: int) -> LastRun:
    data = os.pread(fd, _SIZE, 0)
    if len(data) < _SIZE:
        return LastRun()
    durable, first, written, salt = struct.unpack_from("<QQQQ", data)
    return LastRun(durable, first, written if data[_SYSTEM:] == _system(fd) else 0, salt)


def read_mark(path: Path) -> LastRun:
    """Return what the writer has noted up to now; nothing when there is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return LastRun()
    try:
        return _read(fd)
    finally:
        os.close(fd)
