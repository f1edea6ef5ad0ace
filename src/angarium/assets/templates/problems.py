"""What is wrong with a template or a snippet that is to be saved: all of it, each with its place."""

from collections.abc import Sequence
from typing import NamedTuple

from angarium.render.languages.problem import TemplateProblem
from angarium.sql.errors import Invalid


class PartProblem(NamedTuple):
    """One thing that is wrong. *part* is `subject`, `from`, `reply_to`, `headers/NAME`, `text`, `html`, `amp`, or
    another field of the content. *found* says where in it, None: the part as a whole is meant. *problem* says what is
    wrong and what to write instead.
    """

    part: str
    problem: str
    found: TemplateProblem | None = None

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}"


def of_part(part: str, found: TemplateProblem) -> PartProblem:
    """Return what was found in the text of a part."""
    return PartProblem(part, str(found), found)


class ContentProblems(Invalid):
    """A content that is not saved. *problems* has one at least, in the order of the parts."""

    def __init__(self, problems: Sequence[PartProblem]) -> None:
        super().__init__("content", "\n".join(map(str, problems)))
        self.problems = list(problems)

    def __str__(self) -> str:
        return self.message
