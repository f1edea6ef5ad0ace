"""The pieces of a template that two languages have in common: text, a value that is printed, a choice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from angarium.render.languages.escaping import Escape
from angarium.render.languages.expressions import Expression
from angarium.render.languages.output import Output
from angarium.render.languages.problem import TemplateFailure, TemplatePlace
from angarium.render.languages.values import MISSING, Value


class TemplateScope(Protocol):
    """What a template sees while it is rendered. *is_strict*: a value that is not in the data fails."""

    @property
    def output(self) -> Output:
        """Where it writes."""
        ...

    @property
    def is_strict(self) -> bool:
        """Whether a value that is not in the data fails where it is written."""
        ...


S = TypeVar("S", bound=TemplateScope)
S_contra = TypeVar("S_contra", contravariant=True)


class TemplateNode(Protocol[S_contra]):
    """A piece of a template."""

    def render(self, scope: S_contra) -> None:
        """Write it to the scope's output. Raises TemplateFailure."""
        ...


def render_all(nodes: Sequence[TemplateNode[S]], scope: S) -> None:
    """Write *nodes* in order."""
    for node in nodes:
        node.render(scope)


@dataclass(slots=True, frozen=True)
class TextNode:
    """What stands there."""

    text: str

    def render(self, scope: TemplateScope) -> None:
        """Write it."""
        scope.output.write(self.text)


@dataclass(slots=True, frozen=True)
class PrintedNode(Generic[S]):
    """A tag that stands for a value. *printed* says how the language writes one, *escape* how it is written there."""

    expression: Expression[S]
    printed: Callable[[Value], str]
    escape: Escape
    place: TemplatePlace

    def render(self, scope: S) -> None:
        """Write its value."""
        scope.output.step(self.place)
        value = self.expression.value(scope)
        if value is MISSING and scope.is_strict:
            raise TemplateFailure("this value is not in the data", self.place)
        scope.output.write(self.escape(self.printed(value)))


Branches = Sequence[tuple[Expression[S], Sequence[TemplateNode[S]]]]


@dataclass(slots=True, frozen=True)
class ChoiceNode(Generic[S]):
    """if, elseif, else, end: the first of *branches* whose condition *is_true*."""

    branches: Branches[S]
    otherwise: Sequence[TemplateNode[S]]
    is_true: Callable[[Value], bool]
    place: TemplatePlace

    def render(self, scope: S) -> None:
        """Write one branch, or none."""
        scope.output.step(self.place)
        for condition, inside in self.branches:
            if self.is_true(condition.value(scope)):
                return render_all(inside, scope)
        return render_all(self.otherwise, scope)
