"""One day's file, open to be asked."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from angarium.events.day_sql import Lead
from angarium.events.port import EventStoreError, Whose
from angarium.events.reading import DayReader, meta
from angarium.events.rollups.histogram import bucket_of
from angarium.events.sqlite.day_sql import SqliteDaySql
from angarium.events.sqlite.detail import unpacked
from angarium.events.sqlite.leads import SqliteLeads
from angarium.events.sqlite.schema import open_to_read
from angarium.events.sqlite.words import Recent
from angarium.query.nodes import Node

_SQL = SqliteDaySql()
_MOST_SHARED = 2_000


class DayFileReader:
    """A day's file, open to read. For one thread at a time. Raises sqlite3.Error; who asks *day*, EventStoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_to_read(path)
        self._db.create_function("meta", 2, meta, deterministic=True)
        self._db.create_function("latency", 1, bucket_of, deterministic=True)
        self._find = SqliteLeads(self._db)
        self._shared: Recent[int, Any] = Recent(self._value, _MOST_SHARED)
        self.day = DayReader(self._ask, _SQL, self._leads, self._said)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _ask(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise cannot(self._path, error) from error

    def _leads(self, node: Node, scope: Whose) -> Sequence[Lead]:
        try:
            return self._find(node, scope)
        except sqlite3.Error as error:
            raise cannot(self._path, error) from error

    def _said(self, detail: bytes, at: float) -> dict[str, Any]:
        return unpacked(detail, at, self._shared.__getitem__)

    def _value(self, number: int) -> Any:
        """Return the shared value with this number."""
        (value,) = self._ask("SELECT value FROM shared WHERE no = ?", [number])[0]
        return msgspec.msgpack.decode(value) if isinstance(value, bytes) else value


def cannot(path: Path, error: Exception) -> EventStoreError:
    """Return what is raised where a day's file cannot be read or written."""
    return EventStoreError(f"the event store's {path} does not answer: {error}")
