"""Moving the identity store between SQLite and PostgreSQL."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from angarium.cli.identity.store import StorePlace, actor, confirm, in_use, say, store_options
from angarium.cli.options import Failure
from angarium.cli.output import amount, console, print_json
from angarium.config.load import load_config

if TYPE_CHECKING:
    from angarium.sql.database import Database

_AFTERWARDS = (
    "Set Identity_Store to it and start the node; what is changed in the old one from now on is not in the copy. "
    "Keep the key file: the secrets are encrypted under it."
)


@click.group()
def identity_command() -> None:
    """Move the identity store: accounts, servers, keys, logins, domains."""


@identity_command.command("copy")
@click.argument("target")
@click.option("--from", "source", help="The store to copy.  [default: the one of the configuration]")
@click.option("--replace", is_flag=True, help="Delete all that is in TARGET first.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied; make and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def copy_command(
    target: str, source: str | None, replace: bool, dry_run: bool, yes: bool, place: StorePlace, as_json: bool
) -> None:
    """Copy the whole store into TARGET, in one transaction.

    TARGET and --from are URLs as of Identity_Store (sqlite:////folder/identity.db, postgresql://user@host/database), or
    the path of a SQLite file. Stop the nodes first: what is changed during the copy and later stays in the old store.
    """
    from angarium.identity.store.copying import copy_store, rows_of

    from_url, to_url = _url(source) if source else _configured(place), _url(target)
    if from_url == to_url:
        raise Failure("the target is the store itself; name another database")
    with _opened(from_url, make=False) as old:
        rows = rows_of(old)
        if dry_run:
            _say_plan(rows, _rows_there(to_url), as_json)
            return
        with _opened(to_url, make=True) as new:
            if replace and (there := sum(rows_of(new).values())):
                confirm(f"{amount(there, 'row')} of the target will be deleted.", yes)
            with _progress(sum(rows.values()), as_json) as progress:
                copied = copy_store(
                    old, new, replace=replace, actor=actor(), now=time.time, progress=progress
                )
    say(f"{_told(copied.rows)} copied. {_AFTERWARDS}", as_json, copied._asdict())


def _say_plan(rows: dict[str, int], there: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json({"rows": rows, "there": there})
        return
    click.echo(f"{_told(rows)} would be copied.")
    found = f"has {_told(there)}, which --replace deletes" if any(there.values()) else "is empty"
    click.echo(f"The target {found}.")


def _told(rows: dict[str, int]) -> str:
    some = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in rows.items() if count)
    return f"{amount(sum(rows.values()), 'row')} ({some})" if some else "no rows"


def _configured(place: StorePlace) -> str:
    from angarium.identity.store.place import store_url

    place = in_use(place)
    config = load_config(place.config)
    return store_url(config, (place.data or config.globals.data_directory).absolute())


def _url(text: str) -> str:
    """Return a URL as it is, and that of a file given by its path."""
    from sqlalchemy import URL

    if "://" in text:
        return text
    return URL.create("sqlite", database=str(Path(text).absolute())).render_as_string()


@contextmanager
def _opened(url: str, *, make: bool) -> "Iterator[Database]":
    """Open a store whose tables are up to date. A file that is not there is a Failure, unless *make*."""
    from angarium.identity.store.place import open_database

    if not make and _is_missing(url):
        raise Failure("there is no store to copy; say --data, --config or --from")
    database = open_database(url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


def _rows_there(url: str) -> dict[str, int]:
    """Return what is in a target as it is, which may have no tables yet."""
    from angarium.identity.store.copying import rows_of
    from angarium.identity.store.place import open_database

    if _is_missing(url):
        return {}
    database = open_database(url)
    try:
        return rows_of(database) if database.has_tables() else {}
    finally:
        database.close()


def _is_missing(url: str) -> bool:
    from sqlalchemy import make_url

    return url.startswith("sqlite:") and not Path(make_url(url).database or "").exists()


@contextmanager
def _progress(total: int, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far it is."""
    from rich.progress import Progress

    shown = sys.stderr.isatty() and not as_json
    with Progress(console=console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("copying", total=total)
        yield lambda done: bar.update(task, completed=done)
