"""Expressions: what two languages have in common. Each brings its names, its operators and what is true in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from angarium.render.languages.pieces import TagPieces
from angarium.render.languages.problem import TemplateFailure, TemplatePlace
from angarium.render.languages.values import Value, as_float

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)

_LARGEST = 2**63


class Expression(Protocol[S_contra]):
    """Something that has a value in a scope."""

    def value(self, scope: S_contra) -> Value:
        """Return it. Raises TemplateFailure."""
        ...


class Constant(NamedTuple):
    """A number, a string, true, false, nil."""

    constant: Value

    def value(self, scope: object) -> Value:
        """Return it."""
        return self.constant


Operation = Callable[[Value, Value], Value]
"""Raises ValueError with a sentence for what it cannot be done to."""


@dataclass(slots=True, frozen=True)
class Applied(Generic[S]):
    """Two values, and what is done to them."""

    left: Expression[S]
    right: Expression[S]
    operation: Operation
    place: TemplatePlace

    def value(self, scope: S) -> Value:
        """Return what comes of it. Raises TemplateFailure."""
        try:
            return self.operation(self.left.value(scope), self.right.value(scope))
        except ValueError as error:
            raise TemplateFailure(str(error), self.place) from error


@dataclass(slots=True, frozen=True)
class Either(Generic[S]):
    """`left or right`, `left and right`: the first that decides, as it is."""

    left: Expression[S]
    right: Expression[S]
    is_true: Callable[[Value], bool]
    stops_at: bool

    def value(self, scope: S) -> Value:
        """Return the left one if it decides, else the right one."""
        left = self.left.value(scope)
        return left if self.is_true(left) is self.stops_at else self.right.value(scope)


@dataclass(slots=True, frozen=True)
class Altered(Generic[S]):
    """One value, and what is done to it: `not x`, `-x`, `#x`."""

    inner: Expression[S]
    change: Callable[[Value], Value]
    place: TemplatePlace

    def value(self, scope: S) -> Value:
        """Return what comes of it. Raises TemplateFailure."""
        try:
            return self.change(self.inner.value(scope))
        except ValueError as error:
            raise TemplateFailure(str(error), self.place) from error


@dataclass(frozen=True)
class Operators:
    """The operators of a language. *levels* are those of two sides, the weakest first; *before* stand before one value.
    *ors* and *ands* are their spellings.
    """

    ors: tuple[str, ...]
    ands: tuple[str, ...]
    levels: tuple[Mapping[str, Operation], ...]
    before: Mapping[str, Callable[[Value], Value]]
    is_true: Callable[[Value], bool]


class ExpressionParser(Generic[S]):
    """Reads an expression by precedence. *primary* reads what has no operator of its own."""

    def __init__(self, operators: Operators, primary: Callable[[TagPieces], Expression[S]]) -> None:
        self._operators = operators
        self._primary = primary

    def parse(self, pieces: TagPieces) -> Expression[S]:
        """Return the expression that comes next. Raises TemplateProblems."""
        left = self._and(pieces)
        while pieces.accept(*self._operators.ors):
            left = Either(left, self._and(pieces), self._operators.is_true, stops_at=True)
        return left

    def in_brackets(self, pieces: TagPieces, closer: str) -> Expression[S]:
        """Return the expression that ends with *closer*; what opened it is taken already."""
        pieces.deeper()
        inner = self.parse(pieces)
        pieces.expect(closer)
        pieces.back()
        return inner

    def _and(self, pieces: TagPieces) -> Expression[S]:
        left = self._level(pieces, 0)
        while pieces.accept(*self._operators.ands):
            left = Either(left, self._level(pieces, 0), self._operators.is_true, stops_at=False)
        return left

    def _level(self, pieces: TagPieces, number: int) -> Expression[S]:
        if number == len(self._operators.levels):
            return self._unary(pieces)
        operations = self._operators.levels[number]
        left = self._level(pieces, number + 1)
        while sign := pieces.accept(*operations):
            right = self._level(pieces, number + 1)
            left = Applied(left, right, operations[sign.text], pieces.place(sign))
        return left

    def _unary(self, pieces: TagPieces) -> Expression[S]:
        sign = pieces.accept(*self._operators.before)
        if sign is None:
            return self._primary(pieces)
        return Altered(self._unary(pieces), self._operators.before[sign.text], pieces.place(sign))


def within(number: int | float) -> int | float:
    """Return *number* as it is kept: whole numbers up to 64 bits, floats beyond, so that no data makes it grow."""
    return number if isinstance(number, float) or -_LARGEST < number < _LARGEST else as_float(number)
