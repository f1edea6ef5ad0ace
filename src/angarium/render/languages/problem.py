"""What is wrong with a template, and where; and why one could not be rendered for somebody."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from angarium.core.errors import AngariumError

MOST_PROBLEMS: Final = 20
"""So many are told of one text; who has mended those sees the next."""


class TemplatePlace(NamedTuple):
    """Where something stands in a template: line and column, both from 1. Columns count UTF-16 units, as the editors in
    browsers do.
    """

    line: int
    column: int


class TemplateProblem(NamedTuple):
    """One thing that is wrong with a template. *hint* says what to write instead, or is empty. *near* is the piece of
    the text that is meant.
    """

    place: TemplatePlace
    problem: str
    hint: str = ""
    near: str = ""

    def __str__(self) -> str:
        line, column = self.place
        return f"line {line}, column {column}: {self.problem}" + (f": {self.hint}" if self.hint else "")


class TemplateProblems(AngariumError):
    """A template that cannot be compiled. *problems* has one at least, in the order of the text."""

    def __init__(self, problems: Sequence[TemplateProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = list(problems)


class TemplateFailure(AngariumError):
    """A good template that could not be rendered with this data. *place* is None where no single one is to blame."""

    def __init__(self, problem: str, place: TemplatePlace | None = None) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {problem}" if place else problem)
        self.problem = problem
        self.place = place


class Places:
    """Finds the line and column of an offset in *text*."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def at(self, offset: int) -> TemplatePlace:
        """Return where *offset* (in characters) is."""
        line = bisect_right(self._starts, offset)
        before = self._text[self._starts[line - 1] : offset]
        astral = sum(char > "\uffff" for char in before)
        return TemplatePlace(line, len(before) + astral + 1)
