"""What a template is rendered with: what JSON can say."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

Value = Any
"""None, bool, int, float, str, a list or a mapping with string keys. Nothing else is ever looked into."""


class _Missing:
    """What a name stands for that nobody has given: apart from null only where a template wants to know."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


def is_list(value: Value) -> bool:
    """Whether *value* is a JSON array."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def is_number(value: Value) -> bool:
    """Whether *value* is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def child(value: Value, name: str) -> Value:
    """Return the member *name* of an object, MISSING where there is none or *value* is no object."""
    return value.get(name, MISSING) if isinstance(value, Mapping) else MISSING


def shortest(number: int | float) -> str:
    """Write a number without what says nothing: `5.00` is `5`."""
    if isinstance(number, int):
        return str(number) if number.bit_length() < 64 else repr(as_float(number))
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(number)


def as_float(number: int | float) -> float:
    """Return *number* as a float, infinite where it is beyond all of them."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
