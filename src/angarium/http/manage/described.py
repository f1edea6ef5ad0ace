"""Bodies and answers of the manage API, made from what records say of their fields.

A class that is decorated says what there is beside: its name, its docstring, and fields that the record has not. A
field with the name of one of the record's stands in its place.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from angarium.identity.fields import DescribedField, When, fields_of, sayable

K = TypeVar("K", bound=type[msgspec.Struct])
Given = tuple[Any, ...]
"""A field for `msgspec.defstruct`: name, type, and the default if there is one."""

Within = Callable[[DescribedField], Any]
"""Returns what stands for the type of a field of a record, None left out."""


def taking(
    record: type[msgspec.Struct], when: When, within: Within, without: tuple[str, ...] = ()
) -> Callable[[K], K]:
    """Return a decorator that gives a body the fields of *record* that can be said then, but those *without*.

    What need not be said is UNSET if it is not, and comes behind the fields of the class itself.
    """
    found = [field for field in sayable(record, when) if field.name not in without]
    needed = [field for field in found if when == "new" and field.required]
    must: list[Given] = [(field.name, within(field)) for field in needed]
    may: list[Given] = [
        (field.name, _or_none(field, within(field)) | UnsetType, UNSET)
        for field in found
        if field not in needed
    ]
    return lambda body: _merged(body, must, may)


def showing(record: type[msgspec.Struct], within: Within) -> Callable[[K], K]:
    """Return a decorator that gives an answer all fields of *record*, moments as RFC 3339."""
    fields = fields_of(record).values()
    shown: list[Given] = [
        (field.name, _or_none(field, datetime if field.is_moment else within(field))) for field in fields
    ]
    return lambda answer: _merged(answer, shown, [])


def _or_none(field: DescribedField, kind: Any) -> Any:
    return kind | None if field.optional else kind


def _merged(kind: K, first: Iterable[Given], last: Iterable[Given]) -> K:
    own = {field.name: _given(field) for field in msgspec.structs.fields(kind)}
    before = [own.pop(given[0], given) for given in first]
    after = [own.pop(given[0], given) for given in last]
    config = kind.__struct_config__
    made: Any = msgspec.defstruct(
        kind.__name__,
        [*before, *own.values(), *after],
        bases=kind.__bases__,
        module=kind.__module__,
        namespace={"__doc__": kind.__doc__},
        kw_only=True,
        frozen=config.frozen,
        forbid_unknown_fields=config.forbid_unknown_fields,
    )
    return made  # type: ignore[no-any-return]


def _given(field: msgspec.structs.FieldInfo) -> Given:
    return (field.name, field.type) if field.required else (field.name, field.type, field.default)
