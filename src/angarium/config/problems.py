"""What is wrong with a configuration: every problem at once, with its place and what to write instead."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from angarium.core.errors import AngariumError

_EXCERPT_WIDTH = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class SourceText:
    """The text of one configuration file, under the name that people know it by."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of *offset*, both counted from 1, columns in characters."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a line without its end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source."""

    source: SourceText
    offset: int

    @property
    def file(self) -> str:
        """The name of the source."""
        return self.source.name

    @property
    def line(self) -> int:
        """The line, from 1."""
        return self.source.place(self.offset)[0]

    def __repr__(self) -> str:
        line, column = self.source.place(self.offset)
        return f"{self.file}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong. *line* and *column* count from 1; 0 when it is about a file, or a line, as a whole.

    *hint* says what to write instead, or is empty. *excerpt* is the source line (long ones cut), and *caret*
    the place in it, from 0.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    excerpt: str = ""
    caret: int = 0

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])

    def render(self) -> str:
        """Return the problem in several lines: place and message, the source line, a caret, the hint."""
        lines = [str(self)]
        if self.excerpt:
            lines += [f"    {self.excerpt}", f"    {' ' * self.caret}^"]
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


class ConfigErrors(AngariumError):
    """A configuration cannot be used. Nothing was put in force. *problems* are in order of file and place.

    *dropped* counts further problems, beyond the number that a person would read.
    """

    def __init__(self, problems: list[ConfigProblem], dropped: int = 0) -> None:
        count = len(problems) + dropped
        first = f": {problems[0]}" if problems else ""
        super().__init__(f"{count} problem{'' if count == 1 else 's'} in the configuration{first}")
        self.problems = tuple(problems)
        self.dropped = dropped

    def render(self) -> str:
        """Return all problems as text, and how many there are."""
        count = len(self.problems) + self.dropped
        parts = [problem.render() for problem in self.problems]
        if self.dropped:
            parts.append(f"… and {self.dropped} more")
        parts.append(f"{count} problem{'' if count == 1 else 's'}")
        return "\n".join(parts)


class ProblemList:
    """Collects problems while a configuration is read. Keeps the first *limit* and counts the rest."""

    def __init__(self, limit: int = 200) -> None:
        self.limit = limit
        self.problems: list[ConfigProblem] = []
        self.dropped = 0

    @property
    def is_full(self) -> bool:
        """Whether what is noted from here on is counted, and not told."""
        return len(self.problems) >= self.limit

    def add(self, at: Position, message: str, hint: str = "") -> None:
        """Note that *message* is true of the place *at*."""
        if self.is_full:
            self.dropped += 1
            return
        line, column = at.source.place(at.offset)
        excerpt, caret = _excerpt(at.source.line(line), column - 1)
        self.problems.append(ConfigProblem(at.file, line, column, message, hint, excerpt, caret))

    def add_file(self, file: str, message: str, hint: str = "") -> None:
        """Note that *message* is true of a file as a whole."""
        self.problems.append(ConfigProblem(file, 0, 0, message, hint))

    def __bool__(self) -> bool:
        return bool(self.problems)

    def raise_any(self) -> None:
        """Raise ConfigErrors when there is a problem."""
        if self.problems:
            files = {file: index for index, file in enumerate(dict.fromkeys(p.file for p in self.problems))}
            ordered = sorted(self.problems, key=lambda p: (files[p.file], p.line, p.column))
            raise ConfigErrors(ordered, self.dropped)


def _excerpt(line: str, caret: int) -> tuple[str, int]:
    """Cut *line* around *caret* and make it harmless to show."""
    start = max(0, min(caret - _EXCERPT_WIDTH // 2, len(line) - _EXCERPT_WIDTH))
    piece = _CONTROL.sub(" ", line[start : start + _EXCERPT_WIDTH])
    stripped = piece.lstrip() if not start else piece
    return stripped, max(0, caret - start - (len(piece) - len(stripped)))
