"""The tree of a configuration file, as written: nothing is known here of options and their types.

Two trees are equal when they say the same, wherever they say it.
"""

from collections.abc import Iterable, Iterator
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


def format_items(items: Iterable[Item]) -> str:
    """Write a tree as a configuration file; parsing it again gives an equal tree."""
    return "".join(f"{line}\n" for line in _lines(items, ""))


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


def _lines(items: Iterable[Item], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Assignment):
            yield f"{indent}{item.name} = {format_value(item.value)}"
        elif isinstance(item, Include):
            yield f"{indent}{'readonly_' if item.readonly else ''}include {format_scalar(item.path)}"
        else:
            label = f" {format_scalar(item.label)}" if item.label is not None else ""
            yield f"{indent}{item.name}{label} {{"
            yield from _lines(item.items, indent + "  ")
            yield f"{indent}}}"
