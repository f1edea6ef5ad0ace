"""What a template of the substitution language sees while it is rendered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from angarium.render.languages.output import Output
from angarium.render.languages.values import MISSING, Value, is_list

DYNAMIC: Final = ("dynamic_html", "dynamic_plain", "dynamic_amp_html")
"""Names under which there may be texts that are templates themselves. They are the sender's, never a recipient's."""

MOST_SNIPPETS: Final = 5

Nodes = Any
"""A compiled template, `tuple[SubstitutionNode, ...]`; named here so that a scope need not know what renders it."""


class Loop(NamedTuple):
    """An `each` that is under way. *name* is the last name of the list's path; *number* counts from 1."""

    name: str
    item: Value
    number: int


@dataclass(slots=True)
class SubstitutionScope:
    """*data* is the recipient's, all layers merged; *dynamic* what the sender has put under one of DYNAMIC for all of
    them. *snippet* finds a snippet's text, None where there is none of that name; *template* compiles such texts, and
    raises TemplateProblems. *is_strict*: a value that is not in the data fails.
    """

    data: Mapping[str, Value]
    output: Output
    dynamic: Mapping[str, Value]
    snippet: Callable[[str], str | None]
    template: Callable[[str], Nodes]
    is_strict: bool = False
    loops: list[Loop] = field(default_factory=list)
    is_nested: bool = False
    snippets: int = 0

    def named(self, name: str) -> Value:
        """Return what *name* stands for, MISSING when it stands for nothing."""
        if name.startswith("loop_") and self.loops:
            if name == "loop_var":
                return self.loops[-1].item
            if name == "loop_index":
                return self.loops[-1].number
            if name == "loop_vars":
                return {loop.name: loop.item for loop in self.loops}
        return (self.dynamic if name in DYNAMIC else self.data).get(name, MISSING)


def at_index(value: Value, key: Value) -> Value:
    """Return `value[key]`: a member by its name, an item by its number from 1. MISSING where there is none."""
    if isinstance(value, Mapping):
        return value.get(key, MISSING) if isinstance(key, str) else MISSING
    if not is_list(value) or isinstance(key, bool) or not isinstance(key, int | float) or key != key // 1:
        return MISSING
    return value[int(key) - 1] if 1 <= key <= len(value) else MISSING
