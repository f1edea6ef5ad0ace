"""The tree of a template in the personalisation language, and how it is rendered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from angarium.render.languages.expressions import Expression
from angarium.render.languages.nodes import TemplateNode, render_all
from angarium.render.languages.output import Output
from angarium.render.languages.problem import TemplateFailure, TemplatePlace
from angarium.render.languages.smarty.modifiers import hashed, modified
from angarium.render.languages.smarty.operators import printed
from angarium.render.languages.values import MISSING, Value, is_list

MOST_NAMES: Final = 1000
"""A template may give so many values a name."""


@dataclass(slots=True)
class SmartyScope:
    """What a template sees: *data* is the recipient's; *names* what the template has given a name itself. *is_strict*:
    a value that is not in the data fails.
    """

    data: Mapping[str, Value]
    output: Output
    is_strict: bool = False
    names: dict[str, Value] = field(default_factory=dict)


SmartyNode = TemplateNode[SmartyScope]
Nodes = Sequence[SmartyNode]
Valued = Expression[SmartyScope]


class AssignNode(NamedTuple):
    """`{assign EXPR to $x}`, `{$x = EXPR}`."""

    name: str
    expression: Valued
    place: TemplatePlace

    def render(self, scope: SmartyScope) -> None:
        """Give the value its name; nothing is written."""
        scope.output.step(self.place)
        if len(scope.names) >= MOST_NAMES:
            raise TemplateFailure(f"a template gives {MOST_NAMES} names at most", self.place)
        scope.names[self.name] = self.expression.value(scope)


class ForeachNode(NamedTuple):
    """`{foreach $list as $key => $item}…{foreachelse}…{/foreach}`. *key* is empty where it has no name."""

    items: Valued
    key: str
    item: str
    inside: Nodes
    otherwise: Nodes
    place: TemplatePlace

    def render(self, scope: SmartyScope) -> None:
        """Write the inside for each item, or what stands after foreachelse. The names end with the loop."""
        scope.output.step(self.place)
        items = self.items.value(scope)
        if not (is_list(items) or isinstance(items, Mapping)) or not items:
            return render_all(self.otherwise, scope)
        before = {name: scope.names.get(name, MISSING) for name in (self.key, self.item)}
        for key, item in _keys_and_items(items):
            scope.output.step(self.place)
            scope.names |= {self.key: key, self.item: item}
            render_all(self.inside, scope)
        return self._give_back(scope, before)

    @staticmethod
    def _give_back(scope: SmartyScope, before: dict[str, Value]) -> None:
        for name, value in before.items():
            if value is MISSING:
                scope.names.pop(name, None)
            else:
                scope.names[name] = value


def _keys_and_items(items: Value) -> Iterator[tuple[Value, Value]]:
    """Keys of objects are sorted, as the vendor's engine has them."""
    return iter(sorted(items.items())) if isinstance(items, Mapping) else iter(enumerate(items))


class NamedPath(NamedTuple):
    """`$a.b[4]`."""

    name: str
    keys: Sequence[Valued]

    def value(self, scope: SmartyScope) -> Value:
        """Return what stands there, MISSING when nothing does."""
        value = scope.names.get(self.name, MISSING)
        if value is MISSING:
            value = scope.data.get(self.name, MISSING)
        for key in self.keys:
            value = _at(value, key.value(scope))
        return value


def _at(value: Value, key: Value) -> Value:
    if isinstance(value, Mapping):
        return value.get(printed(key), MISSING)
    if is_list(value) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return MISSING


class Modified(NamedTuple):
    """`EXPR|name:argument`."""

    inner: Valued
    name: str
    arguments: Sequence[Valued]
    place: TemplatePlace

    def value(self, scope: SmartyScope) -> Value:
        """Return what the modifier makes of it. Raises TemplateFailure."""
        scope.output.step(self.place)
        value = self.inner.value(scope)
        arguments = [argument.value(scope) for argument in self.arguments]
        try:
            result = modified(self.name, value, arguments)
        except ValueError as error:
            raise TemplateFailure(str(error), self.place) from error
        if isinstance(result, str):
            scope.output.spend(len(result))
        return result


class Hash(NamedTuple):
    """`hash($x, 'sha256')`."""

    inner: Valued
    method: Valued
    place: TemplatePlace

    def value(self, scope: SmartyScope) -> Value:
        """Return the digest, in hexadecimal. Raises TemplateFailure."""
        scope.output.step(self.place)
        try:
            return hashed(self.inner.value(scope), self.method.value(scope))
        except ValueError as error:
            raise TemplateFailure(str(error), self.place) from error
