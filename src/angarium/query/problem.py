"""What is wrong with a query, and where."""

from angarium.core.errors import AngariumError

_BEFORE, _AFTER = 50, 25


class QueryProblem(AngariumError):
    """A query that cannot be understood. *text* is the query, *at* the offset of what is wrong in it, *hint* says what
    to write instead, or is empty.
    """

    def __init__(self, text: str, at: int, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}: {hint}" if hint else problem)
        self.text = text
        self.at = at
        self.problem = problem
        self.hint = hint

    def pointed(self) -> str:
        """Return the query, or the part of it round the place, with a caret below the place."""
        start = max(0, self.at - _BEFORE)
        part = self.text[start : self.at + _AFTER]
        shown = "".join(char if char.isprintable() else "?" for char in part)
        return f"{shown}\n{' ' * (self.at - start)}^"
