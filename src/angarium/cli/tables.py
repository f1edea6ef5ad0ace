"""Tables as lines of text. Pure.

Cells are never broken nor cut: an id, an address, a reply must stay whole to be read and copied. On a terminal that is
too narrow, columns that may yield go under their row, and a name that is longer than its column pushes what follows to
the next line. Without a width, for files and pipes, every row is one line.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from textwrap import TextWrapper
from typing import Literal, NamedTuple

Tone = Literal["", "bright", "dim", "good", "warn", "bad"]
"""How much a piece of text matters: "" is plain."""

_GAP = 2
_INDENT = "    "
_UNIT = re.compile(r"(?<=[0-9]) (?=(?:s|ms|min|h|d|B|KB|MB|GB)\b|%)")
"""The blank between a number and its unit, where no line is broken."""
_BOUND = "\0"
"""Stands for such a blank meanwhile; it is not printable, so no text has it."""
_ENOUGH = 16
"""So many columns let a name be known."""


class Toned(NamedTuple):
    """A piece of text, and how much it matters."""

    text: str
    tone: Tone = ""


Cell = str | Toned


class Column(NamedTuple):
    """A column's title, and what becomes of it where there is little room.

    *numeric*: it holds numbers, which stand to the right. *flexible*: it holds names, which may be longer than it is
    wide. *yields*: it goes under the row before others do.
    """

    title: str
    numeric: bool = False
    flexible: bool = False
    yields: bool = False


class Row(NamedTuple):
    """One row of cells. *details* are lines of text under it, dim unless they say otherwise."""

    cells: Sequence[Cell]
    details: Sequence[Cell] = ()


class Line(NamedTuple):
    """One line of a table, by pieces, and what it is."""

    pieces: tuple[Toned, ...]
    kind: Literal["head", "row", "detail"]

    @property
    def text(self) -> str:
        """The line without its tones."""
        return "".join(piece.text for piece in self.pieces)


def table_lines(columns: Sequence[Column], rows: Sequence[Row], width: int | None = None) -> list[Line]:
    """Return a table as lines, two spaces between columns, details indented under their row.

    *width* is how many columns of text there are; None: as many as it takes.
    """
    told = [[_toned(cell) for cell in row.cells] for row in rows]
    layout = _Layout(columns, told, width)
    lines = [
        Line(pieces, "head") for pieces in layout.place([Toned(each.title, "bright") for each in columns])
    ]
    for row, cells in zip(rows, told, strict=True):
        lines += [Line(pieces, "row") for pieces in layout.place(cells)]
        for detail in [*layout.below(cells), *row.details]:
            lines += [Line(pieces, "detail") for pieces in _detail(detail, width)]
    return lines


def cut_lines(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[tuple[Toned, ...]]:
    """Return a table with a line for each row, for a view that comes and goes: what has no room is cut or left out."""
    told = [[_toned(cell) for cell in row.cells] for row in rows]
    layout = _Layout(columns, told, width, enough=_ENOUGH)
    head = [Toned(each.title, "bright") for each in columns]
    return [layout.place(layout.cut(cells))[0] for cells in [head, *told]]


def cut(text: str, width: int) -> str:
    """Return *text* in at most *width* columns, with an ellipsis where something is missing."""
    if columns_of(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while columns_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…" if width > 0 else ""


def wrapped(text: str, width: int | None) -> list[str]:
    """Return a line of printable text as lines of at most *width*, broken between words.

    A word that is longer stays whole. Further lines are indented as the first, and some more.
    """
    if width is None or columns_of(text) <= width:
        return [text]
    words = text.lstrip(" ")
    indent = text[: len(text) - len(words)]
    wrapper = TextWrapper(
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = wrapper.wrap(_UNIT.sub(_BOUND, words))
    return [line.replace(_BOUND, " ") for line in lines]


def columns_of(text: str) -> int:
    """Return how many columns of a terminal *text* takes: letters of East Asia take two, accents that combine none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def clean(text: str) -> str:
    """Return *text* on one line, with what is not printable written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def _toned(cell: Cell, tone: Tone = "") -> Toned:
    return Toned(clean(cell), tone) if isinstance(cell, str) else Toned(clean(cell.text), cell.tone)


def _detail(detail: Cell, width: int | None) -> list[tuple[Toned, ...]]:
    text, tone = _toned(detail, "dim")
    return [(Toned(line, tone),) for line in wrapped(_INDENT + text, width)]


class _Layout:
    """Which columns stand side by side, and how wide each is."""

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[Toned]],
        width: int | None,
        enough: int | None = None,
    ) -> None:
        """With *enough*, no column yields while each of the flexible ones has so much room."""
        self._columns = columns
        self._room = width
        self._widths = [columns_of(column.title) for column in columns]
        for cells in rows:
            self._widths = [
                max(wide, columns_of(cell.text)) for wide, cell in zip(self._widths, cells, strict=True)
            ]
        self._beside = list(range(len(columns)))
        self._under: list[int] = []
        if width is not None:
            self._yield(width, enough)
            self._shrink(width)

    def _yield(self, width: int, enough: int | None) -> None:
        """Take columns out that may yield, the last first, until the others fit."""
        for number in reversed(range(len(self._columns))):
            if self._columns[number].yields and self._total(enough) > width:
                self._beside.remove(number)
                self._under.insert(0, number)

    def _shrink(self, width: int) -> None:
        """Make the widest of the flexible columns narrower, until all fit or are as narrow as their titles."""
        flexible = [number for number in self._beside if self._columns[number].flexible]
        for _ in range(self._total() - width):
            widest = max(flexible, key=self._widths.__getitem__, default=None)
            if widest is None or self._widths[widest] <= columns_of(self._columns[widest].title):
                return
            self._widths[widest] -= 1

    def _total(self, enough: int | None = None) -> int:
        return sum(self._needed(number, enough) + _GAP for number in self._beside) - _GAP

    def _needed(self, number: int, enough: int | None) -> int:
        wide = self._widths[number]
        return wide if enough is None or not self._columns[number].flexible else min(wide, enough)

    def cut(self, cells: Sequence[Toned]) -> list[Toned]:
        """Return *cells* cut to the widths of their columns."""
        return [Toned(cut(text, wide), tone) for (text, tone), wide in zip(cells, self._widths, strict=True)]

    def place(self, cells: Sequence[Toned]) -> list[tuple[Toned, ...]]:
        """Return the lines of a row. Names follow a name that was too long for its column, if there is room; all else
        begins a new line then, in its own column.
        """
        lines: list[list[Toned]] = [[]]
        start = end = 0
        for number in self._beside:
            text, tone = cells[number]
            before = self._widths[number] - columns_of(text) if self._columns[number].numeric else 0
            at, long = start + before, columns_of(text)
            if self._room is not None and at + long > self._room:
                at = max(0, self._room - long)
            if end and at < end + _GAP:
                if self._columns[number].flexible and end + _GAP + long <= (self._room or 0):
                    at = end + _GAP
                else:
                    lines.append([])
                    end = 0
            if text:
                lines[-1] += [Toned(" " * (at - end)), Toned(text, tone)]
                end = at + long
            start += self._widths[number] + _GAP
        return [tuple(piece for piece in line if piece.text) for line in lines]

    def below(self, cells: Sequence[Toned]) -> list[str]:
        """Return what yielded, as a detail of its row."""
        told = [f"{self._columns[number].title.lower()} {cells[number].text}" for number in self._under]
        return [", ".join(told)] if told else []
