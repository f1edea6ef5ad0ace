"""How answers are printed: aligned tables, with colours on a terminal only, or JSON when asked for.

Everything that came from outside (addresses, replies) goes through `clean`: a peer's words must not steer a terminal.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import click
import msgspec


class Column(NamedTuple):
    """A column's title, and whether it holds numbers."""

    title: str
    numeric: bool = False


class Row(NamedTuple):
    """One row of cells. *details* are lines of text under it."""

    cells: Sequence[str]
    details: Sequence[str] = ()


def print_json(value: Any) -> None:
    """Print one document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_json_line(value: Any) -> None:
    """Print one line of a stream, at once."""
    click.echo(msgspec.json.encode(value))


def warn(problems: Iterable[str]) -> None:
    """Say on standard error what is missing from an answer."""
    for problem in problems:
        click.echo(f"angarium: {clean(problem)}; the answer is without it", err=True)


class Line(NamedTuple):
    """One line of a table as text, and what it is."""

    text: str
    kind: Literal["head", "row", "detail"]


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table; on a terminal the head is bold and the details are dim."""
    for line in table_lines(columns, rows):
        click.secho(line.text, bold=line.kind == "head" or None, dim=line.kind == "detail" or None)


def table_lines(columns: Sequence[Column], rows: Sequence[Row]) -> list[Line]:
    """Return a table as lines of text, two spaces between columns, details indented under their row.

    Cells are never broken: an id or an address must stay whole to be copied.
    """
    cells = [[column.title for column in columns], *([clean(cell) for cell in row.cells] for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    lines = [Line(_align(columns, widths, cells[0]), "head")]
    for row, texts in zip(rows, cells[1:], strict=True):
        lines.append(Line(_align(columns, widths, texts), "row"))
        lines += [Line(f"    {clean(detail)}", "detail") for detail in row.details]
    return lines


def _align(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    padded = [
        cell.rjust(width) if column.numeric else cell.ljust(width)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    ]
    return "  ".join(padded).rstrip()


def clean(text: str) -> str:
    """Return *text* on one line, with what is not printable written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def when(at: float | None, now: float) -> str:
    """Return a time as the clock on the wall shows it, with the date unless it is within half a day of *now*."""
    if at is None:
        return "-"
    return time.strftime("%H:%M:%S" if abs(at - now) < 43_200 else "%Y-%m-%d %H:%M", time.localtime(at))


def moment(at: float) -> str:
    """Return a time of day to the millisecond."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03d}"


def span(seconds: float | None) -> str:
    """Return a length of time in its two largest units."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{whole} s"


def amount(count: int, noun: str) -> str:
    """Return `1 recipient`, `2 recipients`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """Return a number of bytes for reading."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return ""
