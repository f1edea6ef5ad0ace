"""The tree of a configuration file, as written: nothing is known here of options and their types.

Two trees are equal when they say the same, wherever they say it.
"""

from dataclasses import dataclass, field

from angarium.config.problems import Position


@dataclass(frozen=True, slots=True)
class Scalar:
    """A bare word or a quoted text. *text* is without its quotes."""

    text: str
    quoted: bool
    at: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListValue:
    """`( a b "c" )`."""

    items: tuple[Scalar, ...]
    at: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DictValue:
    """`[ key = "value" … ]`, in the order written; a key may stand twice."""

    items: tuple[tuple[Scalar, Scalar], ...]
    at: Position = field(compare=False, repr=False)


Value = Scalar | ListValue | DictValue


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = value`."""

    name: str
    value: Value
    at: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stanza:
    """`name "label" { … }`; *label* None when it is anonymous."""

    name: str
    label: Scalar | None
    items: tuple["Item", ...]
    at: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Include:
    """`include path` or `readonly_include path`."""

    path: Scalar
    readonly: bool
    at: Position = field(compare=False, repr=False)


Item = Assignment | Stanza | Include


def format_value(value: Value) -> str:
    """Write one value as it may stand after `=`."""
    if isinstance(value, Scalar):
        return format_scalar(value)
    if isinstance(value, ListValue):
        return " ".join(("(", *map(format_scalar, value.items), ")"))
    pairs = (f"{format_scalar(key)} = {format_scalar(item)}" for key, item in value.items)
    return " ".join(("[", *pairs, "]"))


def format_scalar(scalar: Scalar) -> str:
    """Write a scalar, with its quotes when it had any."""
    if not scalar.quoted:
        return scalar.text
    escaped = scalar.text.replace('"', '\\"')
    return f'"{escaped}"'
