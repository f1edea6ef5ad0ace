"""How anything is changed in the identity store: one transaction, one number of `generation`, entries in the audit log.

The row of `generation` is locked first. So changes happen one after the other, in all processes and on all nodes, and
what a change has checked is still true when it writes.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, Table, insert, select, update

from angarium.core.options import Options, as_mapping
from angarium.identity.checks import Check
from angarium.identity.records import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store import engine, schema
from angarium.sql.errors import Invalid, NotFound

R = TypeVar("R", bound=msgspec.Struct)

_NOT_TOLD = {"id", "keys", "created_at", "last_used_at"}


class Changing:
    """A change under way. *at* is its time, *generation* its number."""

    def __init__(self, connection: Connection, actor: str, at: float, generation: int) -> None:
        self.connection = connection
        self.at = at
        self.generation = generation
        self.is_noted = False
        self._actor = actor

    def note(
        self,
        action: str,
        what: str,
        account: int | None,
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
            "account": account,
            "details": {name: columns(values) for name, values in told.items() if values},
        }
        self.connection.execute(insert(schema.audit).values(row))
        self.is_noted = True

    def add(self, table: Table, **values: object) -> int:
        """Insert a row and return its id; None is left to the database."""
        made = self.connection.execute(insert(table).values(columns(values)).returning(table.c.id))
        return int(made.scalar_one())

    def set(self, table: Table, row: int, **values: object) -> None:
        """Change the row with that id."""
        self.connection.execute(update(table).where(table.c.id == row).values(columns(values)))


class StoreBase:
    """The engine, the keys and the clock, and transactions."""

    def __init__(self, engine: Engine, ring: KeyRing, now: Callable[[], float]) -> None:
        self._engine = engine
        self._ring = ring
        self._now = now

    def generation(self) -> int:
        """Return the number of the last change. Raises StoreError."""
        with self._reading() as connection:
            return connection.scalar(select(schema.generation.c.value)) or 0

    def _reading(self) -> contextlib.AbstractContextManager[Connection]:
        return engine.reading(self._engine)

    @contextlib.contextmanager
    def _changing(self, actor: str) -> Iterator[Changing]:
        """Begin a change by *actor*. It is undone when anything is raised, and when there is nothing to note of it."""
        if not actor:
            raise Invalid("actor", "write who makes the change, such as cli:root")
        with engine.writing(self._engine) as connection:
            change = Changing(connection, actor[:200], self._now(), _raised(connection))
            yield change
            if not change.is_noted:
                connection.rollback()


def _raised(connection: Connection) -> int:
    """Raise the generation and return it; other changes wait from here on."""
    value = schema.generation.c.value
    return int(connection.scalar(update(schema.generation).values(value=value + 1).returning(value)) or 0)


def row_of(connection: Connection, table: Table, row: object, what: str) -> RowMapping:
    """Return the row with an id. Raises NotFound; *what* is what an account's id, say, is the id of: "account"."""
    is_id = isinstance(row, int) and not isinstance(row, bool) and 0 < row < 1 << 63
    found = connection.execute(select(table).where(table.c.id == row)).mappings().first() if is_id else None
    if found is None:
        raise NotFound(f"{what} {str(row)[:60]}")
    return found


def differing(record: R, given: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return those of the *given* fields, checked, that differ from *record*. Raises Invalid."""
    for name in given:
        if name not in checks:
            raise Invalid(name, f"this cannot be changed; what can: {', '.join(checks)}")
    checked = {name: checks[name](name, value) for name, value in given.items()}
    return {name: value for name, value in checked.items() if value != getattr(record, name)}


def said(record: msgspec.Struct) -> dict[str, object]:
    """Return what the audit log tells of something new or gone: the fields that say anything."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name not in _NOT_TOLD}
    return {name: value for name, value in columns(fields).items() if value not in (None, "", [], {})}


def before_of(record: msgspec.Struct, fields: Mapping[str, object]) -> dict[str, object]:
    """Return what *fields* were before they changed."""
    return {name: getattr(record, name) for name in fields}


def columns(values: Mapping[str, object]) -> dict[str, Any]:
    """Return *values* in the form of columns."""
    return {name: _column(value) for name, value in values.items()}


def _column(value: object) -> object:
    if isinstance(value, Options):
        return msgspec.to_builtins(as_mapping(value))
    if isinstance(value, Limits):
        return msgspec.to_builtins(value)
    return list(value) if isinstance(value, tuple) else value
