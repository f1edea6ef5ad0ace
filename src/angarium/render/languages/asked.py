"""What a template asks for: the values, by their paths in the data, and the snippets. Pure.

A path is found without any data, so what is looked up by a value (`a[key]`), and each item of a list, is a step that
may be anything. What begins at something that is no path is passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from angarium.core.suggest import closest
from angarium.render.languages.compiled import (
    MustachioTemplate,
    SmartyTemplate,
    SubstitutionTemplate,
    Template,
)
from angarium.render.languages.expressions import Altered, Applied, Constant, Either
from angarium.render.languages.mustachio import nodes as mustachio
from angarium.render.languages.mustachio.paths import UP
from angarium.render.languages.nodes import ChoiceNode, PrintedNode
from angarium.render.languages.problem import TemplatePlace, TemplateProblem
from angarium.render.languages.smarty import nodes as smarty
from angarium.render.languages.substitution import nodes as substitution
from angarium.render.languages.substitution.scope import DYNAMIC

DataPath = tuple[str | None, ...]
"""Steps from the data as a whole. None: an item of a list, or what is called by a value."""

_OF_NODE: Final[Mapping[str, frozenset[str]]] = {
    "mustachio": frozenset(("address", "email")),
    "substitution": frozenset(("address", "email", "email_id", "env_from", "return_path", *DYNAMIC)),
    "smarty": frozenset(("recipient", "envelope")),
}
"""Values that the node has of each recipient, and texts that are the sender's."""


class AskedValue(NamedTuple):
    """A value that is asked for at *place*."""

    path: DataPath
    place: TemplatePlace


class AskedSnippet(NamedTuple):
    """A snippet that is asked for at *place*; None: a value says which."""

    name: str | None
    place: TemplatePlace


def asked_values(template: Template) -> list[AskedValue]:
    """Return what *template* asks of its data, in the order of the text, whatever branch it stands in."""
    match template:
        case MustachioTemplate():
            return list(_of_mustachio(template.nodes, ()))
        case SubstitutionTemplate():
            return _Substitution().values(template.nodes)
        case SmartyTemplate():
            return _Smarty().values(template.nodes)
    return []


def asked_snippets(template: Template) -> list[AskedSnippet]:
    """Return the snippets that *template* asks for, in the order of the text."""
    if not isinstance(template, SubstitutionTemplate):
        return []
    found = []
    for node in _all_nodes(template.nodes):
        if isinstance(node, substitution.SnippetNode):
            name = node.id.constant if isinstance(node.id, Constant) else None
            found.append(AskedSnippet(str(name) if name is not None else None, node.place))
    return found


def undeclared(template: Template, language: str, declared: Mapping[str, Any]) -> list[TemplateProblem]:
    """Return a problem for each value that *template* asks for and that an example of the data, *declared*, has not.
    What is null, empty, or an empty list in it may have anything within.
    """
    problems = []
    for path, place in asked_values(template):
        if not path or path[0] in _OF_NODE[language]:
            continue
        missing = _missing_step(path, declared)
        if missing is not None:
            problems.append(_problem(path, missing, declared, place))
    return problems


def _missing_step(path: DataPath, declared: Mapping[str, Any]) -> int | None:
    """Return the first step of *path* that leads nowhere, None where all are there or may be."""
    value: Any = declared
    for number, step in enumerate(path):
        if value is None or (isinstance(value, Mapping | list) and not value and number):
            return None
        if isinstance(value, list):
            if step is not None and not step.isdecimal():
                return number
            value = value[0]
        elif not isinstance(value, Mapping):
            return number
        elif step is None:
            return None
        elif step not in value:
            return number
        else:
            value = value[step]
    return None


def _problem(
    path: DataPath, missing: int, declared: Mapping[str, Any], place: TemplatePlace
) -> TemplateProblem:
    around: Any = declared
    for step in path[:missing]:
        around = around[0] if isinstance(around, list) else around[step]
    shown = ".".join(step or "*" for step in path[: missing + 1])
    known = list(around) if isinstance(around, Mapping) else []
    near = closest(path[missing] or "", known)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known[:10])}" if known else ""
    return TemplateProblem(place, f"{shown[:80]!r} is none of the template's variables", hint, shown[:80])


def _of_mustachio(nodes: mustachio.Block, scope: DataPath) -> Iterator[AskedValue]:
    for node in nodes:
        match node:
            case mustachio.ValueTag():
                yield AskedValue(_stepped(scope, node.steps), node.place)
            case mustachio.SectionTag():
                inner = _stepped(scope, node.steps)
                yield AskedValue(inner, node.place)
                yield from _of_mustachio(node.inside, inner)
            case mustachio.EachTag():
                items = _stepped(scope, node.steps)
                yield AskedValue(items, node.place)
                yield from _of_mustachio(node.inside, (*items, None))


def _stepped(scope: DataPath, steps: Sequence[str]) -> DataPath:
    for step in steps:
        scope = scope[:-1] if step == UP else (*scope, step)
    return scope


class _Substitution:
    """A walk through a template in the substitution language."""

    def __init__(self) -> None:
        self._loops: list[tuple[str, DataPath | None]] = []
        self._found: list[AskedValue] = []

    def values(self, nodes: Sequence[Any]) -> list[AskedValue]:
        """Return what *nodes* ask for."""
        for node in nodes:
            self._take(node)
        return self._found

    def _take(self, node: Any) -> None:
        match node:
            case PrintedNode():
                self._ask(node.expression, node.place)
            case ChoiceNode():
                for condition, inside in node.branches:
                    self._ask(condition, node.place)
                    self.values(inside)
                self.values(node.otherwise)
            case substitution.EachNode():
                self._ask(node.items, node.place)
                items = self._path(node.items)
                self._loops.append((node.name, None if items is None else (*items, None)))
                self.values(node.inside)
                self._loops.pop()
            case substitution.SnippetNode():
                self._ask(node.id, node.place)

    def _ask(self, expression: Any, place: TemplatePlace) -> None:
        for inner in _expressions(expression):
            if isinstance(inner, substitution.ListedPath):
                path = self._path(inner)
                if path is not None:
                    self._found.append(AskedValue(path, place))

    def _path(self, expression: Any) -> DataPath | None:
        """Return where an expression leads, None where that is no place in the data."""
        if not isinstance(expression, substitution.ListedPath):
            return None
        keys = [_key(key) for key in expression.keys]
        if expression.name == "loop_var" and self._loops:
            around = self._loops[-1][1]
        elif expression.name == "loop_vars" and self._loops and keys:
            around = next((path for name, path in reversed(self._loops) if name == keys[0]), None)
            keys = keys[1:]
        elif expression.name in ("loop_index", "loop_vars", "loop_var"):
            return None
        else:
            around = (expression.name,)
        return None if around is None else (*around, *keys)


class _Smarty:
    """A walk through a template in the personalisation language. *names* are those that it has given itself."""

    def __init__(self) -> None:
        self._names: dict[str, DataPath | None] = {}
        self._found: list[AskedValue] = []

    def values(self, nodes: Sequence[Any]) -> list[AskedValue]:
        """Return what *nodes* ask for."""
        for node in nodes:
            self._take(node)
        return self._found

    def _take(self, node: Any) -> None:
        match node:
            case PrintedNode():
                self._ask(node.expression, node.place)
            case ChoiceNode():
                for condition, inside in node.branches:
                    self._ask(condition, node.place)
                    self.values(inside)
                self.values(node.otherwise)
            case smarty.AssignNode():
                self._ask(node.expression, node.place)
                self._names[node.name] = None
            case smarty.ForeachNode():
                self._loop(node)

    def _loop(self, node: smarty.ForeachNode) -> None:
        self._ask(node.items, node.place)
        before = dict(self._names)
        items = self._path(node.items)
        self._names |= {node.key: None, node.item: None if items is None else (*items, None)}
        self.values(node.inside)
        self._names = before
        self.values(node.otherwise)

    def _ask(self, expression: Any, place: TemplatePlace) -> None:
        for inner in _expressions(expression):
            if isinstance(inner, smarty.NamedPath):
                path = self._path(inner)
                if path is not None:
                    self._found.append(AskedValue(path, place))

    def _path(self, expression: Any) -> DataPath | None:
        if not isinstance(expression, smarty.NamedPath):
            return None
        around = self._names.get(expression.name, (expression.name,))
        return None if around is None else (*around, *(_key(key) for key in expression.keys))


def _key(key: Any) -> str | None:
    return key.constant if isinstance(key, Constant) and isinstance(key.constant, str) else None


def _expressions(expression: Any) -> Iterator[Any]:
    """Yield an expression and all within it, the outer ones first."""
    waiting = [expression]
    while waiting:
        found = waiting.pop()
        yield found
        match found:
            case Applied() | Either():
                waiting += [found.right, found.left]
            case Altered():
                waiting.append(found.inner)
            case substitution.IsEmpty():
                waiting.append(found.items)
            case smarty.Modified():
                waiting += [*found.arguments, found.inner]
            case smarty.Hash():
                waiting += [found.method, found.inner]
            case substitution.ListedPath() | smarty.NamedPath():
                waiting += found.keys


def _all_nodes(nodes: Sequence[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        match node:
            case ChoiceNode():
                for _, inside in node.branches:
                    yield from _all_nodes(inside)
                yield from _all_nodes(node.otherwise)
            case substitution.EachNode():
                yield from _all_nodes(node.inside)
