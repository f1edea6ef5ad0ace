"""What the operators of the substitution language do. Lua's rules: only false and nil are false, indices begin at 1."""

import operator
import re
from collections.abc import Callable
from typing import Final

from angarium.render.languages.expressions import Operation, Operators, within
from angarium.render.languages.values import MISSING, Value, as_float, is_list, is_number, shortest

_NUMBER: Final = re.compile(r"\s*-?[0-9]{1,30}(?:\.[0-9]{1,30})?\s*")


def is_true(value: Value) -> bool:
    """Whether *value* is neither false nor nil nor missing. 0 and the empty string are true."""
    return value is not None and value is not False and value is not MISSING


def printed(value: Value) -> str:
    """Return *value* as an expression prints it: nothing for what is missing, a list, or an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return shortest(value) if is_number(value) else ""


def _equal(left: Value, right: Value) -> bool:
    left, right = (None if side is MISSING else side for side in (left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right) and (left is None or isinstance(left, int | float | str))


def _ordered(compare: Callable[[Value, Value], bool]) -> Operation:
    def ordered(left: Value, right: Value) -> bool:
        """What cannot be put in order is not less, not greater: a missing age is not over 18."""
        alike = (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return alike and compare(left, right)

    return ordered


def _number(value: Value) -> int | float:
    if is_number(value):
        return within(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else within(int(value))
    kind = "nothing" if value is None or value is MISSING else f"a {_kind(value)}"
    raise ValueError(f"one can calculate with numbers only, and this is {kind}")


def _kind(value: Value) -> str:
    return "string" if isinstance(value, str) else "list" if is_list(value) else "value of another kind"


def _calculated(calculate: Callable[[Value, Value], Value]) -> Operation:
    return lambda left, right: within(calculate(_number(left), _number(right)))


def _divided(left: Value, right: Value) -> Value:
    by = _number(right)
    if not by:
        raise ValueError("division by zero")
    result = as_float(_number(left)) / by
    return int(result) if result.is_integer() and abs(result) < 2**53 else result


def _length(value: Value) -> int:
    """`#x`: of a list or a string; nothing has none."""
    return len(value) if is_list(value) or isinstance(value, str) else 0


OPERATORS: Final = Operators(
    ors=("or",),
    ands=("and",),
    levels=(
        {
            "==": _equal,
            "!=": lambda left, right: not _equal(left, right),
            "~=": lambda left, right: not _equal(left, right),
            "<": _ordered(operator.lt),
            ">": _ordered(operator.gt),
            "<=": _ordered(operator.le),
            ">=": _ordered(operator.ge),
        },
        {"+": _calculated(operator.add), "-": _calculated(operator.sub)},
        {"*": _calculated(operator.mul), "/": _divided},
    ),
    before={
        "not": lambda value: not is_true(value),
        "#": _length,
        "-": lambda value: -_number(value),
    },
    is_true=is_true,
)
