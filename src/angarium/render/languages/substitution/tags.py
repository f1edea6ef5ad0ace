"""From the text of a template to text and tags, with the lines that statements stood on alone taken out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from angarium.render.languages.pieces import STRING, TagPieces, read_pieces
from angarium.render.languages.problem import Places, TemplateProblem, TemplateProblems

STATEMENTS: Final = ("if", "elseif", "else", "end", "each")

_PIECE: Final = re.compile(
    rf"""
    (?P<space> \s++ )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]*+ )
  | (?P<number> [0-9]++ (?: \.[0-9]++ )? )
  | (?P<string> {STRING} )
  | (?P<mark> == | != | ~= | <= | >= | [<>+\-*/\#()\[\].,] )
    """,
    re.VERBOSE | re.DOTALL,
)
_LINK: Final = re.compile(r"https?://[^\s\"'<>]*\Z", re.IGNORECASE)
_ENDS_LINK: Final = re.compile(r"[\s\"'<>]")


@dataclass(slots=True)
class TextRun:
    """Text between two tags."""

    text: str


@dataclass(slots=True)
class SubstitutionTag:
    """A tag. *is_raw*: of three braces. *in_link*: within a URL that stands there as text."""

    pieces: TagPieces
    is_raw: bool
    in_link: bool

    @property
    def statement(self) -> str:
        """Which of STATEMENTS it is, empty for an expression."""
        first = self.pieces.first
        return first.text if first.kind == "name" and first.text in STATEMENTS else ""


Run = TextRun | SubstitutionTag


def read_tags(text: str, places: Places) -> list[Run]:
    """Return text and tags in turn: there is a TextRun, maybe empty, before and after each tag. Raises TemplateProblems
    for the first that cannot be read.
    """
    runs: list[Run] = []
    end, in_link = 0, False
    while (at := text.find("{{", end)) >= 0:
        before = text[end:at]
        in_link = _goes_on_in_link(before, in_link)
        is_raw = text.startswith("{{{", at)
        pieces = _read(text, at, is_raw, places)
        runs += [TextRun(before), SubstitutionTag(pieces, is_raw, in_link)]
        end = pieces.end
    return [*runs, TextRun(text[end:])]


def _read(text: str, at: int, is_raw: bool, places: Places) -> TagPieces:
    start, closer = (at + 3, "}}}") if is_raw else (at + 2, "}}")
    pieces = read_pieces(text, start, closer, _PIECE, places)
    if pieces.first.kind == "end":
        hint = "write opening_double_curly() for the braces themselves"
        raise TemplateProblems([TemplateProblem(places.at(at), "this tag is empty", hint, text[at : at + 6])])
    return pieces


def _goes_on_in_link(before: str, was_in_link: bool) -> bool:
    """Whether a tag after the text *before* stands in a URL. Looks at its end alone."""
    tail = before[-4096:]
    return bool(_LINK.search(tail)) or (was_in_link and not _ENDS_LINK.search(tail))


def without_statement_lines(runs: Sequence[Run]) -> list[Run]:
    """Take out the lines on which there are statements and nothing else, and the line end before an `end` that begins a
    line on which text follows.
    """
    starts = _at_line_ends([run.text if isinstance(run, TextRun) else run for run in runs], forwards=True)
    ends = _at_line_ends([run.text if isinstance(run, TextRun) else run for run in runs], forwards=False)
    trimmed = [TextRun(run.text) if isinstance(run, TextRun) else run for run in runs]
    for number, run in enumerate(runs):
        if not isinstance(run, SubstitutionTag) or not run.statement or not starts[number]:
            continue
        before, after = trimmed[number - 1], trimmed[number + 1]
        assert isinstance(before, TextRun)
        assert isinstance(after, TextRun)
        if ends[number]:
            before.text = before.text.rstrip(" \t")
            after.text = _without_line_end(after.text)
        elif run.statement == "end":
            before.text = _without_last_line_end(before.text.rstrip(" \t"))
    return list(trimmed)


def _at_line_ends(runs: Sequence[str | SubstitutionTag], *, forwards: bool) -> list[bool]:
    """Say of each run whether nothing but blanks and statements is between it and the edge of its line."""
    found = [False] * len(runs)
    alone = True
    numbers = range(len(runs)) if forwards else range(len(runs) - 1, -1, -1)
    for number in numbers:
        run = runs[number]
        if isinstance(run, SubstitutionTag):
            found[number] = alone
            alone = alone and bool(run.statement)
        elif "\n" in run:
            edge = run.rsplit("\n", 1)[1] if forwards else run.split("\n", 1)[0]
            alone = not edge.strip()
        else:
            alone = alone and not run.strip()
    return found


def _without_line_end(text: str) -> str:
    rest = text.lstrip(" \t")
    return rest[1:] if rest[:1] == "\n" else rest[2:] if rest[:2] == "\r\n" else text


def _without_last_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
