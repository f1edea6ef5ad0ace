"""What others keep a picture of: all that suppresses, and what has changed since. Blocking."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, or_, select

from angarium.sql.database import Database
from angarium.sql.rows import record_of
from angarium.suppressions.records import Cause
from angarium.suppressions.store.schema import causes, changes

_KEY = causes.c
_ROWS_AT_ONCE: Final = 10_000


class Number(NamedTuple):
    """The last change of the ledger. Numbers of another *epoch* are of another database."""

    epoch: str
    number: int


class Newer(NamedTuple):
    """What has changed up to *number*. *entries* are those that suppress now; *is_all* False: there were more than was
    asked for. *rules*: domains or patterns have changed.
    """

    number: Number
    entries: set[int]
    rules: bool
    is_all: bool


class Whole(NamedTuple):
    """All that suppresses as of *number*: *about* so many *entries*, in order, some of them twice, in pieces."""

    number: Number
    about: int
    entries: Iterator[list[int]]


class Touched(NamedTuple):
    """The *entries* that were changed up to *number*, in order, and which of them are *present*."""

    number: Number
    entries: list[int]
    present: set[int]


class Following:
    """Reads the ledger in *database*. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self) -> Number:
        """Return the number of the last change."""
        with self._database.reading() as connection:
            return _number(connection)

    def changed(self, since: int, most: int) -> Newer:
        """Return what changed after the number *since*, up to *most* entries."""
        is_rule = _KEY.kind != "address"
        query = select(_KEY.entry, is_rule, _KEY.holds).where(_KEY.changed > since, or_(_KEY.holds, is_rule))
        with self._database.snapshot() as connection:
            number = _number(connection)
            found = connection.execute(query.limit(most + 1)).all()
        entries = {entry for entry, _, holds in found if holds}
        return Newer(number, entries, any(is_rule for _, is_rule, _ in found), len(found) <= most)

    def is_far(self, since: int, most: int) -> bool:
        """Whether more than *most* causes have changed after the number *since*."""
        query = select(_KEY.id).where(_KEY.changed > since).limit(most + 1).subquery()
        with self._database.reading() as connection:
            return (connection.scalar(select(func.count()).select_from(query)) or 0) > most

    def rules(self) -> list[Cause]:
        """See `rules_in`."""
        with self._database.reading() as connection:
            return rules_in(connection)

    @contextmanager
    def whole(self) -> Iterator[Whole]:
        """Read all that suppresses, as of one moment."""
        query = select(_KEY.entry).where(_KEY.holds).order_by(_KEY.entry)
        with self._database.snapshot() as connection:
            number, about = _number(connection), _count(connection)
            found = connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}).scalars()
            yield Whole(number, about, (list(piece) for piece in found.partitions()))

    def touched(self, since: int) -> Touched:
        """Return what changed after the number *since*."""
        entries = select(_KEY.entry).where(_KEY.changed > since, _KEY.effect == "suppress").distinct()
        present = select(_KEY.entry).where(_KEY.holds, _KEY.entry.in_(entries)).distinct()
        with self._database.snapshot() as connection:
            number = _number(connection)
            touched = sorted(connection.scalars(entries))
            return Touched(number, touched, set(connection.scalars(present)))


def rules_in(connection: Connection) -> list[Cause]:
    """Return the domains and patterns that suppress, unless they have expired, the oldest first."""
    query = select(causes).where(_KEY.kind != "address", _KEY.holds).order_by(_KEY.id)
    return [record_of(row, Cause) for row in connection.execute(query).mappings()]


def _number(connection: Connection) -> Number:
    row = connection.execute(select(changes.c.epoch, changes.c.number)).one()
    return Number(row.epoch, row.number)


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(causes).where(_KEY.holds)) or 0
