"""The event store in PostgreSQL, written by one thread and asked by any. Implements `EventStore`."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, exc

from angarium.core.ids import MessageId
from angarium.events import over_days
from angarium.events.days import day_of_id
from angarium.events.port import (
    EventStoreError,
    Extent,
    FoundMailPage,
    Happening,
    Judge,
    Timeline,
    Told,
    Whose,
)
from angarium.events.postgres.day_sql import PostgresDaySql
from angarium.events.postgres.leads import PostgresLeads
from angarium.events.postgres.schema import SCHEMA, days_in
from angarium.events.postgres.words import storable
from angarium.events.postgres.writing import PostgresWriter
from angarium.events.reading import DayReader, Span
from angarium.events.rollups.port import Counted, CountQuery, EventRows, ReplyCount
from angarium.query.nodes import Node
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.kind import DatabaseKind

T = TypeVar("T")

EVENTS = DatabaseKind("event store", "Event_Database", "events.db", ())

_SCHEMAS = f"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '{SCHEMA}_')"
_SIZES = f"""
SELECT n.nspname, CAST(sum(pg_total_relation_size(c.oid)) AS bigint)
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
WHERE starts_with(n.nspname, '{SCHEMA}_') GROUP BY n.nspname ORDER BY n.nspname"""


class PostgresEventStore:
    """The store in the database at *url*. It is not connected to before it is asked. Raises EventStoreError for a URL
    that is none of PostgreSQL. *judge* is for what is taken.
    """

    def __init__(self, url: str, judge: Judge = lambda event: "") -> None:
        try:
            self._database = Database(url, EVENTS)
        except StoreError as error:
            raise EventStoreError(str(error)) from error
        if not self._database.is_postgresql:
            raise EventStoreError(
                'Event_Database is for PostgreSQL; write "postgresql://user@host/database", or leave it out for SQLite '
                "in the data folder"
            )
        self._writer = PostgresWriter(self._database.engine, judge)

    def take(self, told: Sequence[Told]) -> None:
        """See `EventStore.take`."""
        with self._answering():
            self._writer.take(told)

    def sync(self) -> None:
        """See `EventStore.sync`."""
        with self._answering():
            self._writer.sync()

    def search(self, node: Node, scope: Whose, *, limit: int, after: str | None = None) -> FoundMailPage:
        """See `EventStore.search`."""
        return self._asked(
            lambda asking: over_days.search(asking.days(), asking.day, node, scope, limit, after)
        )

    def count(self, node: Node, scope: Whose, *, most: int) -> int:
        """See `EventStore.count`."""
        return self._asked(lambda asking: over_days.count(asking.days(), asking.day, node, scope, most))

    def log(
        self, node: Node, scope: Whose, *, after: int, limit: int, types: Sequence[str] = ()
    ) -> list[Happening]:
        """See `EventStore.log`."""
        return self._log(node, scope, Span(after, types=types), limit, newest=False)

    def latest(
        self,
        node: Node,
        scope: Whose,
        *,
        limit: int,
        types: Sequence[str] = (),
        before: int | None = None,
    ) -> list[Happening]:
        """See `EventStore.latest`."""
        return self._log(node, scope, Span(0, before, types), limit, newest=True)

    def last(self) -> int:
        """See `EventStore.last`."""
        return self._asked(lambda asking: max((asking.extent(day).last for day in asking.days()), default=0))

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """See `EventStore.timeline`."""
        day = day_of_id(message)
        return self._asked(
            lambda asking: asking.day(day).timeline(message, scope) if day in asking.days() else None
        )

    def counted(self, wanted: CountQuery) -> Iterator[Counted]:
        """See `CountedEvents.counted`."""
        return iter(self._asked(lambda asking: list(over_days.counted(asking.days(), asking.day, wanted))))

    def each(self, after: int, upto: int) -> Iterator[EventRows]:
        """See `CountedEvents.each`."""
        return iter(
            self._asked(
                lambda asking: list(over_days.each(asking.days(), asking.day, asking.extent, after, upto))
            )
        )

    def replies(self, wanted: CountQuery) -> Iterator[ReplyCount]:
        """See `CountedEvents.replies`."""
        return iter(self._asked(lambda asking: list(over_days.replies(asking.days(), asking.day, wanted))))

    def first_day(self) -> str | None:
        """See `CountedEvents.first_day`."""
        return self._asked(lambda asking: min(asking.days(), default=None))

    def sizes(self) -> Mapping[str, int]:
        """See `EventStore.sizes`."""
        return self._asked(lambda asking: {days_in([name])[0]: size for name, size in asking(_SIZES)})

    def alone(self, day: str, address: str, account: int | None = None) -> list[MessageId]:
        """See `EventStore.alone`."""
        if day not in self.sizes():
            return []
        with self._answering():
            return self._writer.alone(day, address, account)

    def erase(self, day: str, address: str, account: int | None = None) -> int:
        """See `EventStore.erase`."""
        if day not in self.sizes():
            return 0
        with self._answering():
            return self._writer.erase(day, address, account)

    def forget(self, day: str) -> bool:
        """See `EventStore.forget`."""
        if day not in self.sizes():
            return True
        with self._answering():
            return self._writer.forget(day)

    def drop(self, day: str) -> None:
        """See `EventStore.drop`."""
        with self._answering():
            self._writer.drop(day)

    def close(self) -> None:
        """Close all connections."""
        self._writer.close()
        self._database.close()

    def _log(self, node: Node, scope: Whose, span: Span, limit: int, *, newest: bool) -> list[Happening]:
        return self._asked(
            lambda asking: over_days.log(
                asking.days, asking.day, asking.extent, node, scope, span, limit, newest=newest
            )
        )

    def _asked(self, question: "Callable[[_Asking], T]") -> T:
        """Return what *question* returns, asked again where a day was dropped in the middle of it."""
        try:
            return self._asked_once(question)
        except _DayGone:
            return self._asked_once(question)

    def _asked_once(self, question: "Callable[[_Asking], T]") -> T:
        with self._answering(), self._database.snapshot() as connection:
            return question(_Asking(connection))

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, exc.SQLAlchemyError) as error:
            place = self._database.engine.url.render_as_string(hide_password=True)
            reason = str(getattr(error, "orig", None) or error).partition("\n")[0][:200]
            raise EventStoreError(f"the event store {place} does not answer: {reason}") from error
        except StoreError as error:
            raise EventStoreError(str(error)) from error


class _DayGone(Exception):
    """A day that was there is not there any more."""


class _Asking:
    """A transaction that reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        given = tuple(storable(value) if isinstance(value, str) else value for value in values)
        try:
            return [tuple(row) for row in self._connection.exec_driver_sql(sql.replace("?", "%s"), given)]
        except exc.ProgrammingError as error:
            if isinstance(error.orig, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
                raise _DayGone from error
            raise

    def days(self) -> list[str]:
        """Return the days that are there."""
        return days_in(name for (name,) in self(_SCHEMAS))

    def day(self, day: str) -> DayReader:
        """Return a day to be asked."""
        sql = PostgresDaySql(day)
        return DayReader(self, sql, PostgresLeads(sql))

    def extent(self, day: str) -> Extent:
        """Return the first and the last number in a day."""
        return self.day(day).extent
