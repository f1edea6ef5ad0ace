"""What a parser of a template has gathered: the tree so far, the blocks that are open, and what is wrong."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from angarium.render.languages.output import DEEPEST
from angarium.render.languages.problem import MOST_PROBLEMS, TemplatePlace, TemplateProblem, TemplateProblems

N = TypeVar("N")
T = TypeVar("T")


class OpenBlock(Protocol[N]):
    """A block that is not closed yet: *inside* is what nodes go into."""

    inside: list[N]

    @property
    def place(self) -> TemplatePlace:
        """Where it was opened."""
        ...

    def never_ended(self) -> TemplateProblem:
        """Return what is said when the template ends before it."""
        ...

    def closed(self) -> N:
        """Return the node of the whole block."""
        ...


B = TypeVar("B", bound=OpenBlock)  # type: ignore[type-arg]


class Blocks(Generic[N, B]):
    """The way through one template."""

    def __init__(self) -> None:
        self._top: list[N] = []
        self.open: list[B] = []
        self.problems: list[TemplateProblem] = []

    @property
    def innermost(self) -> B | None:
        """The block that nodes go into, None outside all."""
        return self.open[-1] if self.open else None

    @property
    def is_too_deep(self) -> bool:
        """Whether no further block may be opened."""
        return len(self.open) >= DEEPEST

    def add(self, node: N) -> None:
        """Put *node* where the text is."""
        inside: list[N] = self.open[-1].inside if self.open else self._top
        inside.append(node)

    def close(self) -> None:
        """Close the innermost block."""
        node = self.open.pop().closed()
        self.add(node)

    def gather(self, pieces: Iterable[T], take: Callable[[T], None]) -> list[N]:
        """Have each of *pieces* taken, which raises TemplateProblems for what is wrong with one. Return the tree.
        Raises TemplateProblems with all of it, but no more than MOST_PROBLEMS.
        """
        for piece in pieces:
            try:
                take(piece)
            except TemplateProblems as wrong:
                self.problems += wrong.problems
            if len(self.problems) >= MOST_PROBLEMS:
                break
        else:
            self.problems += [block.never_ended() for block in self.open]
        if self.problems:
            raise TemplateProblems(sorted(self.problems)[:MOST_PROBLEMS])
        return self._top
