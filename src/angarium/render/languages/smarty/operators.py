"""What the operators of the personalisation language do: what is no number counts as 0, and 0 and "" are false."""

import operator
import re
from collections.abc import Callable
from typing import Final

from angarium.render.languages.expressions import Operation, Operators, within
from angarium.render.languages.values import Value, is_number, shortest

_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?\s*")


def is_true(value: Value) -> bool:
    """Whether *value* is there and has something in it."""
    return bool(value)


def printed(value: Value) -> str:
    """Return *value* as a tag prints it: nothing for what is missing, a list, or an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return shortest(value) if is_number(value) else ""


def as_number(value: Value) -> int | float:
    """Return *value* as a number, 0 for what is none."""
    if is_number(value):
        return within(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else within(int(value))
    return int(value is True)


def _is_like_a_number(value: Value) -> bool:
    return is_number(value) or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)


def _compared(compare: Callable[[Value, Value], bool]) -> Operation:
    def compared(left: Value, right: Value) -> bool:
        """As numbers where one of them is one and the other looks like one, else as what is printed."""
        if is_number(left) or is_number(right):
            if _is_like_a_number(left) and _is_like_a_number(right):
                return compare(as_number(left), as_number(right))
        elif isinstance(left, bool) or isinstance(right, bool):
            return compare(is_true(left), is_true(right))
        return compare(printed(left), printed(right))

    return compared


def _calculated(calculate: Callable[[Value, Value], Value]) -> Operation:
    return lambda left, right: within(calculate(as_number(left), as_number(right)))


def _divided(left: Value, right: Value) -> Value:
    a, b = as_number(left), as_number(right)
    if not b:
        raise ValueError("division by zero")
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(left: Value, right: Value) -> Value:
    a, b = int(as_number(left)), int(as_number(right))
    if not b:
        raise ValueError("division by zero")
    return abs(a) % abs(b) * (1 if a >= 0 else -1)


_COMPARISONS: Final = {
    "==": operator.eq,
    "eq": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "ne": operator.ne,
    ">": operator.gt,
    "gt": operator.gt,
    ">=": operator.ge,
    "gte": operator.ge,
    "<": operator.lt,
    "lt": operator.lt,
    "<=": operator.le,
    "lte": operator.le,
}

OPERATORS: Final = Operators(
    ors=("||", "or", "OR"),
    ands=("&&", "and", "AND"),
    levels=(
        {spelling: _compared(compare) for spelling, compare in _COMPARISONS.items()},
        {"+": _calculated(operator.add), "-": _calculated(operator.sub)},
        {"*": _calculated(operator.mul), "/": _divided, "%": _remainder},
    ),
    before={
        "not": lambda value: not is_true(value),
        "NOT": lambda value: not is_true(value),
        "!": lambda value: not is_true(value),
        "-": lambda value: -as_number(value),
    },
    is_true=is_true,
)
