"""One day's file, open to be asked."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from angarium.events.port import EventStoreError
from angarium.events.reading import DayReader, meta
from angarium.events.sqlite.day_sql import SqliteDaySql
from angarium.events.sqlite.schema import open_to_read

_SQL = SqliteDaySql()


class DayFileReader:
    """A day's file, open to read. For one thread at a time. Raises sqlite3.Error; who asks *day*, EventStoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_to_read(path)
        self._db.create_function("meta", 2, meta, deterministic=True)
        self.day = DayReader(self._ask, _SQL)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _ask(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise cannot(self._path, error) from error


def cannot(path: Path, error: Exception) -> EventStoreError:
    """Return what is raised where a day's file cannot be read or written."""
    return EventStoreError(f"the event store's {path} does not answer: {error}")
