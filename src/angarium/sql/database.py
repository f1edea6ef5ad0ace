"""A database that several stores have their tables in: transactions that read or write, and tables kept up to date."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, exc, inspect, text
from sqlalchemy.dialects import sqlite

from angarium.sql import engine
from angarium.sql.errors import StoreError
from angarium.sql.history import History
from angarium.sql.kind import DatabaseKind

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


class Database:
    """The database at *url*. SQLite's file is created, readable by its owner only. Raises StoreError.

    Blocking; from an event loop call it in a thread. Threads may share it.
    """

    def __init__(self, url: str, kind: DatabaseKind) -> None:
        self.engine = engine.open_engine(url, kind)
        self._kind = kind

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL; else it is SQLite."""
        return self.engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises StoreError when the database does not answer."""
        with self._asking(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees the same however often it looks. Raises StoreError."""
        with self._asking(), self.engine.connect() as connection:
            if self.is_postgresql:  # SQLite's are so anyway
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; what was done in it is undone if anything is raised. Raises StoreError."""
        with self._asking(), self.engine.connect() as raw:
            connection = raw.execution_options(writes=True)
            with connection.begin():
                if self.is_postgresql:  # SQLite's driver was told when the engine was made
                    wait = {"wait": f"{engine.BUSY_S}s"}
                    connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), wait)
                yield connection

    def has_tables(self) -> bool:
        """Whether there are tables of ours, up to date or not. Raises StoreError."""
        with self.reading() as connection:
            return inspect(connection).has_table("alembic_version")

    def migrate(self) -> None:
        """Bring the tables up to date. Safe when several processes start at once. Raises StoreError."""
        history = History(self._kind)
        with self.reading() as connection:
            is_up_to_date = history.is_at_end(connection)
        if not is_up_to_date:
            with self.writing() as connection:
                history.upgrade(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn the errors of the database into StoreError, without what was sent to it."""
        try:
            yield
        except exc.SQLAlchemyError as error:
            place = self.engine.url.render_as_string(hide_password=True)
            cause = getattr(error, "orig", None) or error
            # the rest of the text can quote values: "Key (username)=(…) already exists"
            reason = str(cause).partition("\n")[0][:200]
            raise StoreError(
                f"the {self._kind.called} {place} does not answer as it should: {reason}"
            ) from None


def inserting(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT into *table* that can be told what to do about rows that are there already."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # two megabytes, which a node on SQLite does without

    return postgresql.insert(table)
