"""What a field may be: a check returns a value as it is kept, or raises Invalid, which says what to write instead."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from angarium.sql.errors import Invalid

Check = Callable[[str, Any], Any]
"""Given the name of a field and the value for it, returns the value as it is kept. Raises Invalid."""

R = TypeVar("R", bound=msgspec.Struct)

LONGEST_TEXT: Final = 200


def text(field: str, value: object, longest: int = LONGEST_TEXT) -> str:
    """One line, or nothing."""
    if not isinstance(value, str):
        raise Invalid(field, "write a text")
    if len(value) > longest:
        raise Invalid(field, f"{len(value)} characters are too many; write {longest} at most")
    value = value.strip()
    if not value.isprintable():
        raise Invalid(field, "write one line without control characters")
    return value


def checked(given: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the *given* fields as they are kept. Raises Invalid."""
    for name in given:
        if name not in checks:
            raise Invalid(name, f"this cannot be changed; what can: {', '.join(checks)}")
    return {name: checks[name](name, value) for name, value in given.items()}


def differing(record: R, given: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return those of the *given* fields, checked, that differ from *record*. Raises Invalid."""
    return {name: value for name, value in checked(given, checks).items() if value != getattr(record, name)}
