"""Files copied with their checksums, at a pace that leaves the disk to others."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from angarium.backup.manifest import FileEntry
from angarium.core.files import create_anew, make_folder

STEP_BYTES: Final = 4 << 20
"""What is written before it is synced: whoever waits for another sync of the disk does not wait for much of ours."""

Progress = Callable[[str, int], None]
"""Told the name of the file, and how many bytes more have been done."""


class Pace:
    """So many bytes a second in the long run; None: as fast as it goes."""

    def __init__(
        self,
        bytes_per_s: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._began = clock()
        self._done = 0

    def spend(self, count: int) -> None:
        """Wait until *count* bytes more may have been copied."""
        self._done += count
        if self._rate is not None and (ahead := self._began + self._done / self._rate - self._clock()) > 0:
            self._sleep(ahead)


class Copier:
    """Fills the folder *target*; *files* says with what."""

    def __init__(self, target: Path, pace: Pace, progress: Progress) -> None:
        self.files: list[FileEntry] = []
        self._target = target
        self._pace = pace
        self._progress = progress

    def place(self, path: str) -> Path:
        """Return where the file *path* belongs, in a folder that is there. Raises OSError."""
        place = self._target / path
        make_folder(place.parent)
        return place

    def copy(self, path: str, source: int, size: int, room: int) -> FileEntry:
        """Copy the first *size* bytes of the descriptor *source*, less where it ends before. Raises OSError."""
        digest, offset = hashlib.sha256(), 0
        with open(create_anew(self.place(path)), "wb", buffering=0) as file:
            while piece := os.pread(source, min(STEP_BYTES, size - offset), offset):
                file.write(piece)
                digest.update(piece)
                self._written(path, file.fileno(), source, offset, len(piece))
                offset += len(piece)
            os.fsync(file.fileno())
        return self._note(path, offset, digest.hexdigest(), room)

    def _written(self, path: str, target: int, source: int, offset: int, size: int) -> None:
        os.fdatasync(target)
        for fd in (target, source):  # the memory is of more use to others
            os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)
        self.spent(path, size)

    def spent(self, path: str, size: int) -> None:
        """Tell of *size* bytes that were written by another hand."""
        self._progress(path, size)
        self._pace.spend(size)

    def take(self, path: str) -> FileEntry:
        """Take in a file that is in its place already: sync it, and read it for its checksum. Raises OSError."""
        with open(self._target / path, "rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            os.posix_fadvise(file.fileno(), 0, size, os.POSIX_FADV_DONTNEED)
        return self._note(path, size, digest, size)

    def _note(self, path: str, size: int, digest: str, room: int) -> FileEntry:
        entry = FileEntry(path=path, size=size, sha256=digest, room=max(size, room))
        self.files.append(entry)
        return entry


def sync_folders(top: Path) -> None:
    """Make all names below *top* durable. Raises OSError."""
    for folder, _, _ in os.walk(top):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
