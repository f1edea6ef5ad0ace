"""The identity store: all of it into another database. What is encrypted stays under the keys of the same key file."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, select

from angarium.assets.store import schema as assets
from angarium.identity.store.schema import CHANGES, generation, metadata
from angarium.sql import copying
from angarium.sql.changes import ChangeLog
from angarium.sql.copying import Progress
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, StoreError
from angarium.suppressions.store import schema as suppressions

_TABLES = [
    *metadata.sorted_tables,
    *suppressions.metadata.sorted_tables,
    *assets.metadata.sorted_tables,
]
_COUNTERS = (generation, suppressions.changes)


class Copied(NamedTuple):
    """How many rows of each table were copied, how many the target had before, and the number of its last change."""

    rows: dict[str, int]
    replaced: dict[str, int]
    generation: int


def rows_of(database: Database) -> dict[str, int]:
    """Return how many rows each table of a store has. Raises StoreError."""
    with database.reading() as connection:
        return _rows(connection)


def copy_store(
    source: Database,
    target: Database,
    *,
    replace: bool,
    actor: str,
    now: Callable[[], float],
    progress: Progress,
) -> Copied:
    """Make *target*, which has its tables, a copy of *source* as of one moment, in one transaction.

    Whoever has read of *target* before reads all of it anew. Raises Conflict when there is something in it and not
    *replace*, and StoreError; then it is as it was.
    """
    with source.snapshot() as reading, ChangeLog(target, CHANGES, now).changing(actor) as change:
        replaced = _rows(change.connection)
        if any(replaced.values()) and not replace:
            raise Conflict(
                "there is something in the target already; name an empty database, or say --replace to have all of it "
                "deleted first"
            )
        before = change.generation
        copying.clear(change.connection, _TABLES)
        copying.copy(reading, change.connection, _TABLES, progress)
        copied = _rows(change.connection)
        if copied != _rows(reading):
            raise StoreError("the copy has other rows than the store; nothing was changed")
        # One number is left out. Of that change the audit log says nothing, so nobody believes what was read before.
        newest = change.connection.scalar(select(generation.c.value)) or 0
        change.generation = max(before, newest) + 2
        change.connection.execute(generation.update().values(value=change.generation))
        change.note("copy", "store", None, after={"rows": sum(copied.values())})
        return Copied(copied, replaced, change.generation)


def _rows(connection: Connection) -> dict[str, int]:
    """The rows that count the changes are there in an empty store, too."""
    return copying.counts(connection, [table for table in _TABLES if table not in _COUNTERS])
