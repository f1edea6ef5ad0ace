"""The one connection that writes, and what it knows of the days that are there.

What was taken is visible at once and may be lost with the server's power until `sync`, as it is in SQLite. So the
connection is never made anew in silence: when it breaks, what was taken since is told to be unsure, and told again.
"""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import Engine

from angarium.core.ids import MessageId
from angarium.events.days import day_of
from angarium.events.port import EventStoreError, Judge, Told
from angarium.events.postgres.day import DayTables
from angarium.events.postgres.forgetting import SWEPT_TABLES, forget, is_forgotten, is_swept
from angarium.events.postgres.schema import FORMAT, SCHEMA, base_statements, day_statements, schema_of
from angarium.events.postgres.words import Cursor, storable

_LOCK = f"SELECT last, format FROM {SCHEMA}.series FOR UPDATE"
_KEEP = f"UPDATE {SCHEMA}.series SET last = %s"
_FOUND = """
SELECT r.no FROM {day}.recipient r JOIN {day}.message m ON m.no = r.no >> 20
WHERE lower(r.address) = lower(%s) AND r.address <> '' AND (m.account = %s OR %s)"""
_ALONE = """
SELECT m.id FROM {day}.message m
WHERE m.no IN (SELECT r >> 20 FROM unnest(CAST(%s AS bigint[])) r) AND NOT EXISTS (
  SELECT 1 FROM {day}.recipient WHERE no >> 20 = m.no AND address <> '' AND NOT no = ANY(%s))"""
_ERASE = (
    "UPDATE {day}.recipient SET address = '', reply = '', words = '' WHERE no = ANY(%s)",
    "UPDATE {day}.event SET reply = '', detail = NULL WHERE recipient = ANY(%s)",
    """UPDATE {day}.message m SET sender = '', subject = '', message_id = '', metadata = NULL, meta = NULL
    WHERE no IN (SELECT r >> 20 FROM unnest(CAST(%s AS bigint[])) r) AND NOT EXISTS (
      SELECT 1 FROM {day}.recipient WHERE no >> 20 = m.no AND address <> '')""",
)
_LOCK_S = 15
_DAYS_KNOWN = 40


class PostgresWriter:
    """Writes by a connection of its own from *engine*. For one thread. Raises psycopg.Error, SQLAlchemyError and
    EventStoreError; then nothing of what it was called with is stored, and nothing is sure that was not synced.
    """

    def __init__(self, engine: Engine, judge: Judge) -> None:
        self._engine = engine
        self._judge = judge
        self._connection: psycopg.Connection[Any] | None = None
        self._days: dict[str, DayTables] = {}
        self._last = -1

    def take(self, told: Sequence[Told]) -> None:
        """Store what was told, all of it or nothing."""
        by_day: dict[str, list[Told]] = {}
        for each in told:
            by_day.setdefault(day_of(each), []).append(each)
        with self._writing() as cursor:
            numbers = self._numbers(cursor)
            for day, some in by_day.items():
                self._tables(cursor, day).take(cursor, some, numbers)
            last = next(numbers) - 1
            cursor.execute(_KEEP, (last,))
        self._last = last

    def alone(self, day: str, address: str, account: int | None) -> list[MessageId]:
        """Return the messages of a day that went to an address and to nobody else who is still known."""
        with self._writing() as cursor:
            numbers = _numbers_of(cursor, day, address, account)
            found = cursor.execute(_ALONE.format(day=schema_of(day)), (numbers, numbers)).fetchall()
        return [MessageId(id) for (id,) in found]

    def erase(self, day: str, address: str, account: int | None) -> int:
        """Take an address and all that names it out of a day's tables; return how many recipients had it."""
        schema = schema_of(day)
        with self._writing() as cursor:
            self._numbers(cursor)  # so that nobody else writes
            numbers = _numbers_of(cursor, day, address, account)
            for sql in _ERASE:
                cursor.execute(sql.format(day=schema), (numbers,))
        return len(numbers)

    def forget(self, day: str) -> bool:
        """Take all that names somebody out of a day's tables; return whether nothing of it is left in their files."""
        with self._writing() as cursor:
            self._numbers(cursor)  # so that nobody else writes
            if is_swept(cursor, day):
                return True
            if not is_forgotten(cursor, day):
                self._days.pop(day, None)
                forget(cursor, day)
        return self._sweep(day)

    def drop(self, day: str) -> None:
        """Drop a day's tables."""
        with self._writing() as cursor:
            self._numbers(cursor)  # so that nobody else writes
            self._days.pop(day, None)
            cursor.execute(f"DROP SCHEMA IF EXISTS {schema_of(day)} CASCADE")

    def _sweep(self, day: str) -> bool:
        """Write a day's tables anew, without what was in them; False where they are in use."""
        assert self._connection is not None
        try:
            for table in SWEPT_TABLES:  # each in a transaction of its own
                self._connection.execute(f"VACUUM (FULL) {schema_of(day)}.{table}")
        except psycopg.errors.LockNotAvailable:
            return False
        self._connection.execute(f"UPDATE {schema_of(day)}.forgotten SET is_swept = true")
        return True

    def sync(self) -> None:
        """Have all that was taken survive a power cut: a commit is on the disk when all before it are."""
        with self._writing() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = on")
            cursor.execute(_KEEP.replace("%s", "last"))

    def close(self) -> None:
        """Close the connection."""
        self._forget()
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Cursor]:
        """A transaction that is not waited for. Whatever fails in it, all that is in memory is forgotten."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection.transaction(), self._connection.cursor() as cursor:
                yield cursor
        except BaseException:
            self._forget()
            if self._connection is not None and self._connection.closed:
                self._connection = None
            raise

    def _connect(self) -> psycopg.Connection[Any]:
        made = self._engine.raw_connection()
        connection = made.driver_connection
        made.detach()  # from the pool, which would make it anew when it breaks
        assert isinstance(connection, psycopg.Connection)
        connection.rollback()
        connection.autocommit = True
        with connection.transaction():
            if connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.series",)).fetchone() == (None,):
                connection.execute(base_statements())
        connection.execute("SET synchronous_commit = off")
        connection.execute(f"SET lock_timeout = '{_LOCK_S}s'")
        return connection

    def _numbers(self, cursor: Cursor) -> Iterator[int]:
        """Return the numbers of the next events. Nobody else writes from here on, until the transaction ends."""
        found = cursor.execute(_LOCK).fetchone()
        assert found is not None
        last, version = found
        if version != FORMAT:
            raise EventStoreError(
                f"the event store in PostgreSQL has format {version}; this program reads {FORMAT}"
            )
        if last != self._last:  # somebody else has written
            self._forget()
        return count(last + 1)

    def _tables(self, cursor: Cursor, day: str) -> DayTables:
        """Return a day's tables, made where they are not there yet, with the ones used last kept in memory."""
        tables = self._days.pop(day, None)
        if tables is None:
            there = cursor.execute("SELECT to_regnamespace(%s)", (schema_of(day),)).fetchone()
            if there == (None,):
                cursor.execute(day_statements(day))
            tables = DayTables(day, self._judge, is_forgotten=is_forgotten(cursor, day))
        self._days[day] = tables
        while len(self._days) > _DAYS_KNOWN:
            self._days.pop(next(iter(self._days)))
        return tables

    def _forget(self) -> None:
        self._days.clear()
        self._last = -1


def _numbers_of(cursor: Cursor, day: str, address: str, account: int | None) -> list[int]:
    """Return the numbers of the recipients with an address, of the mail of *account*; None: of all."""
    sql = _FOUND.format(day=schema_of(day))
    found = cursor.execute(sql, (storable(address), account or 0, account is None)).fetchall()
    return [number for (number,) in found]
