"""How answers are printed: tables and lines that know the terminal, or JSON when asked for.

Everything that came from outside (addresses, replies) goes through `clean`: a peer's words must not steer a terminal.
Whether there are colours was decided when the command began (`begin`).
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from angarium.cli.tables import Cell, Column, Row, Tone, Toned, clean, table_lines, wrapped
from angarium.cli.times import rfc3339
from angarium.core.colours import wants_colours

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Final[Mapping[Tone, dict[str, Any]]] = {
    "": {},
    "bright": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
}
_INSTANTS: Final = frozenset(
    ("at", "oldest", "since", "next_try", "last_try", "not_before", "not_after", "complete_since")
)
"""Fields that hold a time, beside those that end in `_at`."""
_OF_OTHERS: Final = frozenset(("options", "metadata", "details", "fields"))
"""What is in these was named by others."""
_MOMENT_S: Final = 0.5


def begin(context: click.Context) -> None:
    """Decide for the whole command whether it writes colours."""
    context.color = wants_colours(sys.stdout.isatty(), os.environ)


def terminal_width() -> int | None:
    """Return how many columns the terminal has; None when the output goes to no terminal, and is not broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def console(*, stderr: bool = False) -> "Console":
    """Return what progress and live views are drawn with, with colours where there are to be any."""
    from rich.console import Console  # listings do not wait for it

    stream = sys.stderr if stderr else sys.stdout
    coloured = wants_colours(stream.isatty(), os.environ)
    return Console(stderr=stderr, color_system="auto" if coloured else None, highlight=False)


@contextmanager
def progress_of(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told how much of how much is done; a terminal shows it when that takes a while."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import Progress  # what is quick does not wait for it

    began = time.monotonic()
    with Progress(console=console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task(title, visible=False)

        def told(done: int, total: int) -> None:
            is_long = time.monotonic() - began > _MOMENT_S
            progress.update(task, completed=done, total=total, visible=is_long, refresh=is_long)

        yield told


def print_json(value: Any) -> None:
    """Print one document, indented, its times in UTC (RFC 3339)."""
    click.echo(msgspec.json.format(msgspec.json.encode(_for_programs(value)), indent=2))


def print_json_line(value: Any) -> None:
    """Print one line of a stream, at once, its times in UTC (RFC 3339)."""
    click.echo(msgspec.json.encode(_for_programs(value)))


def _for_programs(value: Any) -> Any:
    return _dated(msgspec.to_builtins(value, str_keys=True))


def _dated(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: each if key in _OF_OTHERS else _dated(each, key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_dated(each) for each in value]
    if isinstance(value, float | int) and (name in _INSTANTS or name.endswith("_at")):
        return rfc3339(value) if value > 0 else None
    return value


def warn(problems: Iterable[str]) -> None:
    """Say on standard error what is missing from an answer."""
    for problem in problems:
        click.echo(f"angarium: {clean(problem)}; the answer is without it", err=True)


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table, as wide as the terminal; in a pipe each row is one line, whatever it holds."""
    for line in table_lines(columns, rows, terminal_width()):
        click.echo("".join(map(styled, line.pieces)))


def print_lines(lines: Iterable[Cell]) -> None:
    """Print lines of text; on a terminal they are broken between words."""
    width = terminal_width()
    for each in lines:
        text, tone = each if isinstance(each, Toned) else Toned(each)
        for line in wrapped(clean(text), width):
            click.echo(styled(Toned(line, tone)))


def emphasised(lines: Iterable[str]) -> list[Cell]:
    """Return lines of which the first is the answer, and the others say more."""
    return [Toned(line, "" if number else "bright") for number, line in enumerate(lines)]


def styled(piece: Toned) -> str:
    """Return text with what makes it look as it matters; `click.echo` takes that out where it is not wanted."""
    return click.style(piece.text, **_STYLES[piece.tone]) if piece.tone else piece.text


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
