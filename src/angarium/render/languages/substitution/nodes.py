"""The tree of a template in the substitution language, and how it is rendered."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from angarium.render.languages.expressions import Expression
from angarium.render.languages.nodes import TemplateNode, render_all
from angarium.render.languages.problem import TemplateFailure, TemplatePlace, TemplateProblems
from angarium.render.languages.substitution.operators import is_true, printed
from angarium.render.languages.substitution.scope import (
    DYNAMIC,
    MOST_SNIPPETS,
    Loop,
    SubstitutionScope,
    at_index,
)
from angarium.render.languages.values import MISSING, Value, is_list

SubstitutionNode = TemplateNode[SubstitutionScope]
Nodes = Sequence[SubstitutionNode]
Valued = Expression[SubstitutionScope]


class EachNode(NamedTuple):
    """`{{ each list }}…{{ end }}`. *name* is how `loop_vars` knows it."""

    items: Valued
    name: str
    inside: Nodes
    place: TemplatePlace

    def render(self, scope: SubstitutionScope) -> None:
        """Write the inside for each item. Raises TemplateFailure for what is there and no list."""
        scope.output.step(self.place)
        items = self.items.value(scope)
        if not is_true(items):
            return
        if not is_list(items):
            raise TemplateFailure(f"each goes over a list, and {self.name} is none in the data", self.place)
        for number, item in enumerate(items, 1):
            scope.output.step(self.place)
            scope.loops.append(Loop(self.name, item, number))
            render_all(self.inside, scope)
            scope.loops.pop()


class ListedPath(NamedTuple):
    """`a.b['c'][1]`: a name, and what is looked up in it in turn."""

    name: str
    keys: Sequence[Valued]

    def value(self, scope: SubstitutionScope) -> Value:
        """Return what stands there, MISSING when nothing does."""
        value = scope.named(self.name)
        for key in self.keys:
            value = at_index(value, key.value(scope))
        return value


class IsEmpty(NamedTuple):
    """`empty(list)`."""

    items: Valued

    def value(self, scope: SubstitutionScope) -> Value:
        """Whether there is nothing in it."""
        value = self.items.value(scope)
        return not is_true(value) or (isinstance(value, Mapping | Sequence) and not value)


CURLY: Final = {
    f"{side}_{size}_curly": braces * count
    for side, braces in (("opening", "{"), ("closing", "}"))
    for count, size in enumerate(("single", "double", "triple"), 1)
}
"""Functions that write braces, which mean something otherwise."""


class DynamicNode(NamedTuple):
    """`render_dynamic_content(dynamic_html.key)`: a text of the sender that is a template, rendered where it stands."""

    text: ListedPath
    place: TemplatePlace

    def render(self, scope: SubstitutionScope) -> None:
        """Write what it renders to. It is not escaped: it is no value. Raises TemplateFailure."""
        scope.output.step(self.place)
        if scope.is_nested:
            raise TemplateFailure(
                "dynamic content stands in no snippet and in no dynamic content", self.place
            )
        text = self.text.value(scope)
        if text is None or text is MISSING:
            return
        if not isinstance(text, str):
            raise TemplateFailure("dynamic content is a text, and this is none in the data", self.place)
        _render_within(text, "dynamic content", self.place, scope)


class SnippetNode(NamedTuple):
    """`render_snippet("id")`."""

    id: Valued
    place: TemplatePlace

    def render(self, scope: SubstitutionScope) -> None:
        """Write the snippet. Raises TemplateFailure when there is none, or after MOST_SNIPPETS."""
        scope.output.step(self.place)
        name = printed(self.id.value(scope))
        scope.snippets += 1
        if scope.is_nested or scope.snippets > MOST_SNIPPETS:
            raise TemplateFailure(
                f"a template has {MOST_SNIPPETS} snippets at most, and none in another", self.place
            )
        text = scope.snippet(name)
        if text is None:
            raise TemplateFailure(f"there is no snippet {name[:60]!r} with such a part", self.place)
        _render_within(text, "snippet", self.place, scope)


def _render_within(text: str, what: str, place: TemplatePlace, scope: SubstitutionScope) -> None:
    """Render *text* as a template where it stands."""
    scope.output.spend(len(text))
    try:
        nodes: Nodes = scope.template(text)
    except TemplateProblems as problems:
        raise TemplateFailure(f"the {what} is no good: {problems}", place) from problems
    scope.is_nested = True
    render_all(nodes, scope)
    scope.is_nested = False


def is_dynamic(path: ListedPath) -> bool:
    """Whether *path* leads to where dynamic content may stand."""
    return path.name in DYNAMIC and bool(path.keys)
