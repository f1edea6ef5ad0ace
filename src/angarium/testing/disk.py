"""A disk that fails: at one call by error, or by dying there as a killed process or a machine without power
does.
"""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Literal

from angarium.spool.disk import RealDisk

Failure = Literal["error", "full", "tear", "kill", "power"]
"""*error*: the call fails with EIO. *full*: with ENOSPC. *tear*: a part of it is done, then the process is
killed. *kill*: the process is killed before it. *power*: the power is cut before it."""

FAILURES: tuple[Failure, ...] = ("error", "full", "tear", "kill", "power")


class UnsyncedWrite:
    """A write that has not been synced."""

    def __init__(self, offset: int, before: bytes, after: bytes) -> None:
        self.offset = offset
        self.before = before
        self.after = after


class OpenFile:
    """What may still be lost of a file. *doomed*: a sync has failed since, so no later one will save it."""

    def __init__(self, fd: int) -> None:
        self.fd = os.dup(fd)
        self.unsynced: list[UnsyncedWrite] = []
        self.doomed: list[UnsyncedWrite] = []


class FailingDisk:
    """Works on real files, does not really sync them, and fails at call number *at* (from 1; 0 for never).

    Calls that read names or sizes, and `close`, are not counted. When it has died, every call fails, and
    *on_death* has been called, on the thread that died. `cut_power` then, or at any time, leaves on the disk
    what may be left.
    """

    def __init__(self, failure: Failure = "error", at: int = 0, seed: int = 0) -> None:
        self.failure = failure
        self.at = at
        self.calls = 0
        self.dead = False
        self.on_death: Callable[[], None] | None = None
        self._random = Random(seed)
        self._disk = RealDisk()
        self._files: dict[int, OpenFile] = {}
        self._opened: list[OpenFile] = []
        self._names: list[tuple[Path, Callable[[], None]]] = []
        self._synced_database: dict[Path, bytes | None] = {}
        self._power_was_cut = False
        self._lock = threading.RLock()

    def _count(self) -> bool:
        """Count a call and fail if it is the one. Returns whether it must do a part of its work, then call
        `_die`.
        """
        if self.dead:
            raise OSError(errno.EIO, "the disk has died")
        self.calls += 1
        if self.calls != self.at:
            return False
        if self.failure == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.failure == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.failure == "tear":
            return True
        self._die()
        return False

    def _die(self) -> None:
        self.dead = True
        if self.on_death is not None:
            self.on_death()
        raise OSError(errno.EIO, "the disk has died")

    def _step(self) -> None:
        if self._count():
            self._die()

    def open(self, path: Path, flags: int) -> int:
        with self._lock:
            self._step()
            new = not path.exists()
            fd = self._disk.open(path, flags)
            self._files[fd] = OpenFile(fd)
            self._opened.append(self._files[fd])
            if new:
                self._names.append((path.parent, lambda: path.unlink(missing_ok=True)))
            return fd

    def close(self, fd: int) -> None:
        with self._lock:
            self._disk.close(fd)

    def fallocate(self, fd: int, size_bytes: int) -> None:
        with self._lock:
            self._step()
            self._disk.fallocate(fd, size_bytes)

    def pwritev(self, fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        with self._lock:
            torn = self._count()
            data = b"".join(buffers)
            if torn:
                data = data[: self._random.randrange(len(data) + 1)]
            before = self._disk.pread(fd, len(data), offset).ljust(len(data), b"\0")
            self._files[fd].unsynced.append(UnsyncedWrite(offset, before, data))
            self._disk.pwritev(fd, [data], offset)
            if torn:
                self._die()
            return len(data)

    def pread(self, fd: int, size_bytes: int, offset: int) -> bytes:
        with self._lock:
            self._step()
            return self._disk.pread(fd, size_bytes, offset)

    def fdatasync(self, fd: int) -> None:
        with self._lock:
            file = self._files[fd]
            try:
                self._step()
            except OSError:
                if not self.dead:
                    file.doomed += file.unsynced
                    file.unsynced = []
                raise
            file.unsynced = []

    def make_folder(self, path: Path) -> None:
        with self._lock:
            if path.is_dir():
                return
            self._step()
            path.mkdir(parents=True)
            self._names.append((path.parent, lambda: shutil.rmtree(path)))
            self.fsync_dir(path.parent)

    def fsync_dir(self, path: Path) -> None:
        with self._lock:
            self._step()
            self._names = [(directory, undo) for directory, undo in self._names if directory != path]

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step()
            self._disk.rename(source, target)
            self._names.append((target.parent, lambda: os.rename(target, source)))

    def link(self, source: Path, target: Path) -> None:
        with self._lock:
            self._step()
            self._disk.link(source, target)
            self._names.append((target.parent, lambda: target.unlink(missing_ok=True)))

    def unlink(self, path: Path) -> None:
        with self._lock:
            self._step()
            if path.exists():
                aside = path.parent.parent / f"unlinked-{self.calls}"
                path.rename(aside)
                self._names.append((path.parent, lambda: self._restore(aside, path)))

    def _restore(self, aside: Path, path: Path) -> None:
        aside.rename(path)

    def listdir(self, path: Path) -> list[str]:
        return self._disk.listdir(path)

    def free_bytes(self, path: Path) -> int:
        return self._disk.free_bytes(path)

    def commit(self, database: sqlite3.Connection) -> None:
        with self._lock:
            torn = self._count()
            is_synced = database.execute("PRAGMA synchronous").fetchone()[0] >= 2
            self._disk.commit(database)
            if is_synced:
                self._synced_database = _files_of(database)
            if torn:
                self._die()

    def cut_power(self) -> None:
        """Take from the files what was not synced: of each write all, nothing or its first bytes stay; of
        names made, changed or removed, the latest are forgotten."""
        with self._lock:
            self.dead = self._power_was_cut = True
            for file in self._opened:
                self._lose(file)
            kept = self._random.randrange(len(self._names) + 1)
            for _, undo in reversed(self._names[kept:]):
                undo()
            self._names = []

    def _lose(self, file: OpenFile) -> None:
        writes = file.doomed + file.unsynced
        for write in reversed(writes):
            os.pwrite(file.fd, write.before, write.offset)
        for write in writes:
            size = self._random.choice((0, len(write.after), self._random.randrange(len(write.after) + 1)))
            os.pwrite(file.fd, write.after[:size], write.offset)

    def release(self) -> None:
        """Close what it holds open beside its users, who are gone. Where the power was cut, a database that they had
        open may be as its last synced transaction left it.
        """
        if self._power_was_cut and self._random.random() < 0.5:
            for path, content in self._synced_database.items():
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
        for file in self._opened:
            os.close(file.fd)
        self._opened = []


def _files_of(database: sqlite3.Connection) -> dict[Path, bytes | None]:
    """Return a database's files as they are; of what SQLite makes anew, that it is gone."""
    path = Path(database.execute("PRAGMA database_list").fetchone()[2])
    log = path.with_name(f"{path.name}-wal")
    return {path: path.read_bytes(), log: log.read_bytes(), path.with_name(f"{path.name}-shm"): None}
