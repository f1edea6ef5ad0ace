"""A SQLite database as of one moment, copied while others go on writing it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from angarium.core.files import open_own
from angarium.sql.errors import StoreError

_MAGIC = b"SQLite format 3\0"
BESIDE = ("-wal", "-shm", "-journal", "-ballast")
"""How the names of files end that lie beside a database, and are of no use to a copy of it."""

Progress = Callable[[int, int], None]
"""Told how many bytes have been copied, and of how many."""


def is_sqlite(file: BinaryIO) -> bool:
    """Whether a file is a SQLite database. Raises OSError."""
    return os.pread(file.fileno(), len(_MAGIC), 0) == _MAGIC


class Snapshot:
    """The moment is that in which this is made; it is held until `close`. Nobody waits for it."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError."""
        self.path = path
        # Who only reads leaves a log as it is, the room that its writer keeps in it too; but he needs one.
        mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
            )
            self._database.execute("BEGIN")
            (pages,) = self._database.execute("PRAGMA page_count").fetchone()
            self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (self._page_bytes,) = self._database.execute("PRAGMA page_size").fetchone()
        except sqlite3.Error as error:
            raise self._cannot("be read", error) from error
        self.size_bytes: int = pages * self._page_bytes

    def copy_to(self, path: Path, progress: Progress, step_bytes: int) -> None:
        """Write the database to *path*, which must not be there; *progress* is told after each step. Does not sync.

        Raises StoreError, and OSError.
        """
        os.close(open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))

        def stepped(_status: int, left: int, pages: int) -> None:
            progress((pages - left) * self._page_bytes, pages * self._page_bytes)

        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as copy:
                for pragma in ("journal_mode = OFF", "synchronous = OFF"):
                    copy.execute(f"PRAGMA {pragma}")
                self._database.backup(copy, pages=max(1, step_bytes // self._page_bytes), progress=stepped)
        except sqlite3.Error as error:
            raise self._cannot("be copied", error) from error

    def close(self) -> None:
        """Let go of the moment."""
        self._database.close()

    def _cannot(self, what: str, error: sqlite3.Error) -> StoreError:
        return StoreError(f"the database {self.path} cannot {what}: {error}")
