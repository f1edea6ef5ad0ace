"""How a store is changed: one transaction, one number of `generation`, entries in the audit log.

The row of `generation` is locked first. So changes happen one after the other, in all processes and on all nodes, and
what a change has checked is still true when it writes.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Table, insert, select, update

from angarium.sql.database import Database
from angarium.sql.errors import Invalid
from angarium.sql.rows import columns


class ChangeTables(NamedTuple):
    """The tables that tell of changes.

    *generation* has one row, with `id` 1 and `value`. *audit* has `id`, `generation`, `at`, `actor`, `action`, `what`,
    `owner` and `details`.
    """

    generation: Table
    audit: Table


class Changing:
    """A change under way. *at* is its time, *generation* its number."""

    def __init__(self, connection: Connection, audit: Table, actor: str, at: float, generation: int) -> None:
        self.connection = connection
        self.at = at
        self.generation = generation
        self.is_noted = False
        self._audit = audit
        self._actor = actor

    def note(
        self,
        action: str,
        what: str,
        owner: int | None,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write an entry of the audit log."""
        told = {"before": before, "after": after}
        row = {
            "generation": self.generation,
            "at": self.at,
            "actor": self._actor,
            "action": action,
            "what": what,
            "owner": owner,
            "details": {name: columns(values) for name, values in told.items() if values},
        }
        self.connection.execute(insert(self._audit).values(row))
        self.is_noted = True

    def add(self, table: Table, **values: object) -> int:
        """Insert a row and return its id; None is left to the database."""
        made = self.connection.execute(insert(table).values(columns(values)).returning(table.c.id))
        return int(made.scalar_one())

    def set(self, table: Table, row: int, **values: object) -> None:
        """Change the row with that id."""
        self.connection.execute(update(table).where(table.c.id == row).values(columns(values)))


class ChangeLog:
    """Where changes are made, and told of. *now* is the clock."""

    def __init__(self, database: Database, tables: ChangeTables, now: Callable[[], float]) -> None:
        self._database = database
        self._tables = tables
        self._now = now

    def generation(self) -> int:
        """Return the number of the last change. Raises StoreError."""
        with self.reading() as connection:
            return connection.scalar(select(self._tables.generation.c.value)) or 0

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """Return a transaction that only reads. Raises StoreError."""
        return self._database.reading()

    @contextlib.contextmanager
    def changing(self, actor: str) -> Iterator[Changing]:
        """Begin a change by *actor*. It is undone when anything is raised, and when there is nothing to note of it.

        Raises StoreError, and Invalid without an *actor*.
        """
        if not actor:
            raise Invalid("actor", "write who makes the change, such as cli:root")
        with self._database.writing() as connection:
            generation = self._raised(connection)
            change = Changing(connection, self._tables.audit, actor[:200], self._now(), generation)
            yield change
            if not change.is_noted:
                connection.rollback()

    def _raised(self, connection: Connection) -> int:
        """Raise the generation and return it; other changes wait from here on."""
        table = self._tables.generation
        return int(
            connection.scalar(update(table).values(value=table.c.value + 1).returning(table.c.value)) or 0
        )
