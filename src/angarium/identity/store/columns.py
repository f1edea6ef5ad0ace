"""The columns of a table, from the fields of the record that is kept in it."""

from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from angarium.identity.fields import DescribedField, fields_of

ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is called INTEGER."""


def columns_of(record: type[msgspec.Struct], key: tuple[str, ...] = ("id",)) -> list[SchemaItem]:
    """Return a column for each field of *record*, and that those of *key* are its primary key."""
    columns = [_column(field, field.name in key) for field in fields_of(record).values()]
    return [*columns, PrimaryKeyConstraint(*key)]


def owner(table: str, *, nullable: bool = False, index: bool = True) -> Column[int]:
    """Return the column with the id of the row of *table* that a row belongs to, and goes with."""
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(table.removesuffix("s"), ID, key, nullable=nullable, index=index)


def _column(field: DescribedField, in_key: bool) -> Column[Any]:
    if field.about.owner:
        return owner(field.about.owner, nullable=field.optional, index=not in_key)
    unique = field.about.unique or None
    return Column(
        field.name,
        _type(field),
        nullable=field.optional,
        unique=unique,
        default=_default(field),
        server_default=field.default if field.about.added else None,
    )


def _type(field: DescribedField) -> TypeEngine[Any]:
    if field.kind is int:
        return ID
    if field.kind is float:
        return Float()
    if field.kind is bool:
        return Boolean()
    if field.is_record:
        return JSON()
    return Text() if field.about.longest is None else String(field.about.longest)


def _default(field: DescribedField) -> Any:
    if field.required or field.optional:
        return None
    return dict if field.is_record else field.default
