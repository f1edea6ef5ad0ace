"""Between rows and records.

What is kept of a record has the names of its fields. A record within it is kept as JSON, by name, without what it does
not say.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from sqlalchemy import Connection, RowMapping, Table, select

from angarium.core.options import Options, as_mapping
from angarium.sql.errors import NotFound

Row = Mapping[Any, Any]

R = TypeVar("R", bound=msgspec.Struct)

_NOT_TOLD = ("id", "created_at", "last_used_at")


def row_of(connection: Connection, table: Table, row: object, what: str) -> RowMapping:
    """Return the row with an id. Raises NotFound, in which *what* says what that would have been the id of."""
    is_id = isinstance(row, int) and not isinstance(row, bool) and 0 < row < 1 << 63
    found = connection.execute(select(table).where(table.c.id == row)).mappings().first() if is_id else None
    if found is None:
        raise NotFound(f"{what} {str(row)[:60]}")
    return found


def record_of(row: Row, kind: type[R]) -> R:
    """Read a row as a *kind*; columns that it has no field for stay behind, and NULL leaves a field at its default."""
    values = {name: row[name] for name in kind.__struct_fields__ if name in row and row[name] is not None}
    for name, read in _readers(kind).items():
        if name in values:
            values[name] = read(values[name])
    return kind(**values)


def columns(values: Mapping[str, object]) -> dict[str, Any]:
    """Return *values* in the form of columns."""
    return {name: _column(value) for name, value in values.items()}


def said(record: msgspec.Struct, *without: str) -> dict[str, object]:
    """Return what the audit log tells of something new or gone: the fields that say anything, but those *without*."""
    left_out = (*_NOT_TOLD, *without)
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name not in left_out}
    return {name: value for name, value in columns(fields).items() if value not in (None, "", [], {})}


def before_of(record: msgspec.Struct, fields: Mapping[str, object]) -> dict[str, object]:
    """Return what *fields* were before they changed."""
    return {name: getattr(record, name) for name in fields}


@lru_cache
def _readers(kind: type[msgspec.Struct]) -> Mapping[str, Callable[[Any], Any]]:
    """Return what makes values of those columns that are not kept as they are."""
    found = {field.name: _reader(field.type) for field in msgspec.structs.fields(kind)}
    return {name: reader for name, reader in found.items() if reader is not None}


def _reader(kind: Any) -> Callable[[Any], Any] | None:
    if get_origin(kind) is Annotated:
        return _reader(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):  # or None, which is not read
        return next(filter(None, map(_reader, get_args(kind))), None)
    if get_origin(kind) is tuple:
        return tuple
    if kind is Options:
        return _options_of
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return lambda value: msgspec.convert(value, kind)
    return None


def _options_of(said: Mapping[str, Any]) -> Options:
    return msgspec.convert([said.get(name) for name in Options.__struct_fields__], Options)


def _column(value: object) -> object:
    if isinstance(value, Options):
        return msgspec.to_builtins(as_mapping(value))
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return list(value) if isinstance(value, tuple) else value
