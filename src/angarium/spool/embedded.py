"""The embedded engine: segment files and SQLite in one directory, for one process at a time."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from angarium.spool.disk import Disk, RealDisk
from angarium.spool.files.cursors import pinned_generation
from angarium.spool.files.durable import DurableMark
from angarium.spool.files.large import LargeBodyFiles
from angarium.spool.files.lock import lock_partition
from angarium.spool.files.segment import SegmentLog
from angarium.spool.partition import Partition
from angarium.spool.port import SpoolError
from angarium.spool.settings import SpoolSettings
from angarium.spool.sqlite.store import SqliteStore


def open_partition(
    path: Path,
    loop: asyncio.AbstractEventLoop,
    settings: SpoolSettings | None = None,
    disk: Disk | None = None,
) -> Partition:
    """Open the partition in the directory *path*, made when it is not there, for this process alone.

    Raises SpoolError, naming the directory, when another process has it or when it cannot be used. Call
    `recover` next.
    """
    settings = settings or SpoolSettings()
    return Partition(EmbeddedEngine(path, settings, disk or RealDisk()), loop, settings)


class EmbeddedEngine:
    """Implements `SpoolEngine`."""

    def __init__(self, path: Path, settings: SpoolSettings, disk: Disk) -> None:
        """Take the partition in *path* and open all that is in it. Raises SpoolError."""
        self.path = path
        self.name = str(path)
        self._disk = disk
        self._lock = lock_partition(path, disk)
        try:
            self._open(settings)
        except OSError as exc:
            os.close(self._lock)
            raise SpoolError(f"the spool partition {path} cannot be opened: {exc}") from exc
        except SpoolError:
            os.close(self._lock)
            raise

    def _open(self, settings: SpoolSettings) -> None:
        path, disk = self.path, self._disk
        for name in ("journal", "large", "damaged", "cursors"):
            disk.make_folder(path / name)
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="spool")
        self._mark = DurableMark(path / "durable")
        pinned = partial(pinned_generation, path / "cursors")
        self.log = SegmentLog(path / "journal", disk, settings, pinned, self._mark, self._mark.last)
        self.log.load()
        self.store = SqliteStore(path / "settled.db", disk, settings.store_reserve_bytes)
        self.large = LargeBodyFiles(path / "large", disk, settings, self.threads)

    def free_bytes(self) -> int:
        """See `SpoolEngine.free_bytes`."""
        return self._disk.free_bytes(self.path)

    def close(self) -> None:
        """See `SpoolEngine.close`."""
        self.store.close()
        self.log.close()
        self._mark.close()
        os.close(self._lock)
