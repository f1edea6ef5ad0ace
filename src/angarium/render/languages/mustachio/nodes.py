"""The tree of a Mustachio template, and how it is rendered."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from angarium.render.languages.escaping import Escape
from angarium.render.languages.mustachio.paths import ModelScope, found
from angarium.render.languages.output import Output
from angarium.render.languages.problem import TemplateFailure, TemplatePlace
from angarium.render.languages.values import MISSING, Value, is_list, is_number, shortest


class MustachioNode(Protocol):
    """A piece of a template."""

    def render(self, scope: ModelScope, output: Output) -> None:
        """Write what it is in *scope*. Raises TemplateFailure."""
        ...


Block = Sequence[MustachioNode]


def render_all(nodes: Block, scope: ModelScope, output: Output) -> None:
    """Write *nodes* in order."""
    for node in nodes:
        node.render(scope, output)


class MustachioText(NamedTuple):
    """What stands there. A tag that is filled in later is text, too."""

    text: str

    def render(self, scope: ModelScope, output: Output) -> None:
        """Write it."""
        output.write(self.text)


class ValueTag(NamedTuple):
    """`{{path}}`, `{{{path}}}`: a value. *is_strict*: it has to be given."""

    steps: tuple[str, ...]
    path: str
    escape: Escape
    place: TemplatePlace
    is_strict: bool

    def render(self, scope: ModelScope, output: Output) -> None:
        """Write the value, nothing for what is missing, a list or an object."""
        output.step(self.place)
        value = found(scope, self.steps).value
        if value is MISSING and self.is_strict:
            raise TemplateFailure(f"{self.path} is not in the data", self.place)
        output.write(self.escape(_printed(value)))


class SectionTag(NamedTuple):
    """`{{#path}}…{{/path}}`, or `{{^path}}…`: its inside once, in the scope of the value."""

    steps: tuple[str, ...]
    is_inverted: bool
    inside: Block
    place: TemplatePlace
    path: str

    def render(self, scope: ModelScope, output: Output) -> None:
        """Write the inside where the value is true, or false."""
        output.step(self.place)
        inner = found(scope, self.steps)
        if is_true(inner.value) is not self.is_inverted:
            render_all(self.inside, inner, output)


class EachTag(NamedTuple):
    """`{{#each path}}…{{/each}}`: its inside for each item, whose parent is the list."""

    steps: tuple[str, ...]
    inside: Block
    place: TemplatePlace
    path: str

    def render(self, scope: ModelScope, output: Output) -> None:
        """Write the inside for each. Raises TemplateFailure for what is true and no list."""
        output.step(self.place)
        items = found(scope, self.steps)
        if not is_true(items.value):
            return
        if not is_list(items.value):
            raise TemplateFailure(f"each goes over a list, and {self.path} is none in the data", self.place)
        for item in items.value:
            output.step(self.place)
            render_all(self.inside, ModelScope(item, items), output)


def is_true(value: Value) -> bool:
    """Whether a section shows: not for what is missing, null, false, 0, or has nothing in it."""
    return bool(value)


def _printed(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return shortest(value) if is_number(value) else ""
