"""`angarium top`: the node at a glance. On a terminal drawn anew with each look, with keys; in a pipe printed once."""

import os
import queue
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

import click

from angarium.cli.client import ControlClient, NoNode
from angarium.cli.glance import KEYS, Rates, glance_lines, screen_lines
from angarium.cli.options import data_option, json_option
from angarium.cli.output import console, print_json_line, print_lines, print_table
from angarium.cli.tables import Tone
from angarium.cli.where import connect, find_folder
from angarium.cli.words import QUEUE_COLUMNS, queue_rows
from angarium.core.operations import Glance, QueueOrder

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_QUEUES: Final = 200
"""So many queues are asked for at a terminal: more than any shows at once."""
_STYLES: Final[dict[Tone, str]] = {
    "": "",
    "bright": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
}
_LEAVE: Final = ("q", "Q", "\x03", "\x04", "")
"""Keys that end it: q, Ctrl-C where the terminal passes it on, Ctrl-D, and the end of what is typed."""


class _Asked(NamedTuple):
    interval_s: float
    limit: int
    sort: QueueOrder
    views: int | None
    """How many; None: until it is ended."""

    @property
    def args(self) -> dict[str, object]:
        return {"interval_s": self.interval_s, "limit": self.limit, "sort": self.sort}


@click.command()
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds.")
@click.option(
    "--sort",
    type=click.Choice(get_args(QueueOrder)),
    default="waiting",
    show_default=True,
    help="What comes first: most waiting, oldest mail, most in flight, next try, or by name.",
)
@click.option(
    "--limit",
    type=click.IntRange(0, 1000),
    show_default="what the terminal has room for, else 20",
    help="How many queues.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many views.")
@data_option
@json_option
def top_command(
    interval: float, sort: QueueOrder, limit: int | None, count: int | None, data: Path | None, as_json: bool
) -> None:
    """Show rates, connections and a line for each queue, drawn anew each second.

    On a terminal q or Ctrl-C ends it, and w, o, f, n, d sort by what waits, the oldest mail, what is in flight, the
    next try, and name. Where the output is no terminal it is printed once, after one interval, for the rates; with
    --count so often, and with --json a line for each look until it is ended.
    """
    folder = data or find_folder()
    is_live = sys.stdout.isatty() and not as_json
    asked = _Asked(interval, limit if limit is not None else _MOST_QUEUES if is_live else 20, sort, count)
    try:
        if is_live:
            _Live(folder, asked).run()
        else:
            _print(folder, asked, as_json)
    except KeyboardInterrupt:
        return


def _print(folder: Path, asked: _Asked, as_json: bool) -> None:
    rates = Rates()
    with connect(folder) as client:
        glances = client.stream("top", asked.args, kind=Glance)
        if as_json:
            for glance in islice(glances, asked.views):
                print_json_line(glance)
            return
        for glance in islice(glances, asked.views) if asked.views else _second(glances, rates):
            print_lines(glance_lines(glance, rates.since_last(glance)))
            print_table(QUEUE_COLUMNS, queue_rows(glance.queues.rows, glance.at))
            click.echo()


def _second(glances: Iterable[Glance], rates: Rates) -> Iterator[Glance]:
    """Yield the second glance alone: the first is what its rates are counted from."""
    for number, glance in enumerate(islice(glances, 2)):
        if number:
            yield glance
        else:
            rates.since_last(glance)


class _Live:
    """The view at a terminal. What happens comes through one queue: a glance, a key, another size, an end."""

    def __init__(self, folder: Path, asked: _Asked) -> None:
        self._folder = folder
        self._asked = asked
        self._happened: queue.SimpleQueue[tuple[int, Glance | str | Exception | None]] = queue.SimpleQueue()
        self._rates = Rates()
        self._round = 0
        """Grows when the node is asked anew: what was on its way before does not count."""
        self._glance: Glance | None = None
        self._per_second: dict[str, float] | None = None

    def run(self) -> None:
        """Show until it is left. Raises NoNode, RequestRefused, or KeyboardInterrupt for Ctrl-C."""
        from rich.live import Live  # help does not wait for it

        self._ask()
        with (
            _keys(self._happened),
            _resizing(self._happened),
            Live(console=console(), screen=True, auto_refresh=False) as live,
        ):
            shown = 0
            while shown != self._asked.views:
                shown += self._take(*self._happened.get())
                if self._round < 0:
                    return
                live.update(self._drawn(*live.console.size), refresh=True)

    def _take(self, of: int, happened: Glance | str | Exception | None) -> bool:
        """Take over what happened; return whether it was a new glance."""
        if isinstance(happened, str):
            self._key(happened)
        elif of != self._round:
            return False
        elif isinstance(happened, Glance):
            self._glance, self._per_second = happened, self._rates.since_last(happened)
            return True
        elif happened is not None:
            raise happened
        return False

    def _key(self, key: str) -> None:
        if key in _LEAVE:
            self._round = -1
        elif (sort := KEYS.get(key.lower())) is not None and sort != self._asked.sort:
            self._asked = self._asked._replace(sort=sort)
            self._ask()

    def _ask(self) -> None:
        """Have glances come, from a thread of their own: it may wait while keys are pressed."""
        self._round += 1
        client = connect(self._folder)
        threading.Thread(target=self._hear, args=(client, self._round, self._asked), daemon=True).start()

    def _hear(self, client: ControlClient, of: int, asked: _Asked) -> None:
        try:
            with client:
                for glance in client.stream("top", asked.args, kind=Glance):
                    self._happened.put((of, glance))
                    if of != self._round:
                        return
            raise NoNode(f"the node in {self._folder} hung up; it may have stopped")
        except Exception as error:  # noqa: BLE001 - it ends the view, not this thread alone
            self._happened.put((of, error))

    def _drawn(self, width: int, height: int) -> "RenderableType":
        from rich.text import Text

        if self._glance is None:
            return Text("one moment")
        lines = screen_lines(self._glance, self._per_second, self._asked.sort, width, height)
        text = Text(no_wrap=True, end="")
        for number, line in enumerate(lines):
            text.append("\n" if number else "")
            for piece in line:
                text.append(piece.text, _STYLES[piece.tone])
        return text


@contextmanager
def _keys(happened: "queue.SimpleQueue[tuple[int, Glance | str | Exception | None]]") -> Iterator[None]:
    """Have each key told as it is pressed, and the terminal as it was at the end. Nothing where nobody can type."""
    if not sys.stdin.isatty():
        yield
        return
    typed = sys.stdin.fileno()
    before = termios.tcgetattr(typed)

    def read() -> None:
        key = "?"
        while key:
            key = os.read(typed, 1).decode("ascii", "replace")
            happened.put((0, key))

    tty.setcbreak(typed)
    threading.Thread(target=read, daemon=True).start()
    try:
        yield
    finally:
        termios.tcsetattr(typed, termios.TCSADRAIN, before)


@contextmanager
def _resizing(
    happened: "queue.SimpleQueue[tuple[int, Glance | str | Exception | None]]",
) -> Iterator[None]:
    """Have it told when the terminal gets another size."""
    before = signal.signal(signal.SIGWINCH, lambda number, frame: happened.put((0, None)))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
