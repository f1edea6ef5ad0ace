"""What the spool asks of the operating system, as a port, so that tests can let every single call fail.

All calls block and raise OSError. They are made from the spool's own threads, or before the loop serves.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from angarium.core.files import make_folder, open_own, sync_folder


class Disk(Protocol):
    """The calls that make data durable, and the few others that the spool needs beside them."""

    def open(self, path: Path, flags: int) -> int:
        """Open *path*; return the file descriptor."""
        ...

    def close(self, fd: int) -> None:
        """Close it."""
        ...

    def fallocate(self, fd: int, size_bytes: int) -> None:
        """Reserve the file's first *size_bytes*; its size is at least that afterwards."""
        ...

    def pwritev(self, fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        """Write at *offset*; return how many bytes were written, which may be fewer than given."""
        ...

    def pread(self, fd: int, size_bytes: int, offset: int) -> bytes:
        """Read up to *size_bytes* at *offset*; fewer at the end of the file."""
        ...

    def fdatasync(self, fd: int) -> None:
        """Make durable what was written. After an error, what was written before it must be taken for
        lost.
        """
        ...

    def make_folder(self, path: Path) -> None:
        """Make a directory, and its name durable; no error if it is there."""
        ...

    def fsync_dir(self, path: Path) -> None:
        """Make names created, changed or removed in the directory durable."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename, replacing *target*."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of whatever had that one."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; no error if it is not there."""
        ...

    def listdir(self, path: Path) -> list[str]:
        """Return the names in the directory, sorted."""
        ...

    def free_bytes(self, path: Path) -> int:
        """Return how much an ordinary user may still write to the file system of *path*."""
        ...

    def commit(self, database: sqlite3.Connection) -> None:
        """Commit the open transaction, durably where the connection says so."""
        ...


class RealDisk:
    """The operating system itself."""

    def open(self, path: Path, flags: int) -> int:
        return open_own(path, flags)

    def close(self, fd: int) -> None:
        os.close(fd)

    def fallocate(self, fd: int, size_bytes: int) -> None:
        os.posix_fallocate(fd, 0, size_bytes)

    def pwritev(self, fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        return os.pwritev(fd, buffers, offset)

    def pread(self, fd: int, size_bytes: int, offset: int) -> bytes:
        return os.pread(fd, size_bytes, offset)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def make_folder(self, path: Path) -> None:
        make_folder(path)

    def fsync_dir(self, path: Path) -> None:
        sync_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def listdir(self, path: Path) -> list[str]:
        return sorted(os.listdir(path))

    def free_bytes(self, path: Path) -> int:
        stat = os.statvfs(path)
        return stat.f_bavail * stat.f_frsize

    def commit(self, database: sqlite3.Connection) -> None:
        database.execute("COMMIT")
