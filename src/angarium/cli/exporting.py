"""All that a query finds, written to a file as lines of JSON, in the shape that the manage API has."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
import msgspec

from angarium.cli.options import Failure
from angarium.cli.output import amount, progress_of
from angarium.events.exporting import all_events, all_mail
from angarium.events.port import EventStore, Whose
from angarium.events.views import EventView, MailView, event_view, mail_view
from angarium.query.nodes import Node

_MOST_COUNTED = 100_000_000


def export_mail(store: EventStore, node: Node, target: str) -> None:
    """Write each recipient of each message that *node* finds. Raises Failure, EventStoreError."""
    total = store.count(node, Whose(), most=_MOST_COUNTED) if sys.stderr.isatty() else 0
    with _writing(target) as file, progress_of("exporting mail") as progress:
        done = 0
        for page in all_mail(store, node, Whose()):
            done += _write(file, map(mail_view, page))
            progress(done, max(done, total))
    _say(amount(done, "recipient"), target)


def export_events(store: EventStore, node: Node, after: int, types: Sequence[str], target: str) -> None:
    """Write everything that has happened, from the number *after* on. Raises Failure, EventStoreError."""
    upto, done = store.last(), 0
    with _writing(target) as file, progress_of("exporting events") as progress:
        for page in all_events(store, node, Whose(), after=after, upto=upto, types=types):
            done += _write(file, map(event_view, page))
            if page:
                progress(page[-1].number - after, upto - after)
    _say(amount(done, "event"), target)


def _write(file: IO[bytes], items: Iterable[MailView | EventView]) -> int:
    lines = [msgspec.json.encode(each) for each in items]
    file.writelines(line + b"\n" for line in lines)
    return len(lines)


@contextmanager
def _writing(target: str) -> Iterator[IO[bytes]]:
    """Give a file to write to, which has its name when it is whole. Raises Failure."""
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        os.replace(unfinished, path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error


def _say(what: str, target: str) -> None:
    if target != "-":
        click.echo(f"{what} written to {target}")
