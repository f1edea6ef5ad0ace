"""Lists of recipients: made, brought in from files, taken out."""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import click

from angarium.assets.lists.duplicates import DuplicateFinder
from angarium.assets.lists.pages import mark_of
from angarium.assets.lists.records import DuplicateRule, ListedRecipient, ListLoaded, StoredList
from angarium.assets.lists.rows import COLUMNS, RowFormat, format_of, read_rows, row_of_csv, row_of_json
from angarium.cli.identity.options import yes_option
from angarium.cli.identity.pick import pick_account
from angarium.cli.identity.store import (
    Opened,
    StorePlace,
    confirm,
    everything,
    open_store,
    say,
    store_options,
)
from angarium.cli.options import Failure
from angarium.cli.output import amount, print_json, print_json_line, print_lines, print_table, progress_of
from angarium.cli.tables import Column, Row, clean
from angarium.smtp.address import AddressError

_COLUMNS = (
    Column("ID", numeric=True),
    Column("ALIAS", flexible=True),
    Column("NAME", flexible=True),
    Column("ACCOUNT", numeric=True, yields=True),
    Column("RECIPIENTS", numeric=True),
)
_SHOWN = 20
"""Rows that are wrong are named up to so many."""
_ADDED = 10_000
_account = click.option("--account", help="Whose; id or name; needed when there are several.")


@click.group()
def lists_command() -> None:
    """Manage lists of recipients that are kept here. LIST is an id or an alias."""


@lists_command.command("list")
@click.option("--account", help="Only of this account; id or name.")
@store_options
def list_command(account: str | None, place: StorePlace, as_json: bool) -> None:
    """List the lists, without who is on them."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id if account is not None else None
        found = list(everything(lambda **page: opened.store.lists.page(owner, **page)))
    if as_json:
        print_json(found)
        return
    rows = [[str(each.id), each.alias, each.name, str(each.account), f"{each.count:,}"] for each in found]
    print_table(_COLUMNS, [Row(cells) for cells in rows])


@lists_command.command("create")
@click.argument("alias")
@click.option("--name", default="", help="What people call it.  [default: the alias]")
@click.option("--description", default="", help="A few words for those who look at it later.")
@_account
@store_options
def create_command(
    alias: str, name: str, description: str, account: str | None, place: StorePlace, as_json: bool
) -> None:
    """Make a list with nobody on it."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id
        made = opened.store.lists.create(owner, alias, name=name, description=description, actor=opened.actor)
    say(f"list {made.alias} made", as_json, made)


@lists_command.command("show")
@click.argument("name", metavar="LIST")
@click.option("--address", help="The rows with this address. Exit code 1 when there is none.")
@_account
@store_options
def show_command(
    name: str, address: str | None, account: str | None, place: StorePlace, as_json: bool
) -> None:
    """Show a list, or the rows of one address on it."""
    with open_store(place) as opened:
        found = _pick(opened, name, account)
        try:
            rows = opened.store.lists.rows_of(found.id, address) if address is not None else []
        except AddressError as error:
            raise Failure(f"{address!r} is no address: {error}") from error
    if address is None:
        if as_json:
            print_json(found)
        else:
            said = f": {found.description}" if found.description else ""
            print_lines([f"list {found.alias} {found.name!r}{said}", amount(found.count, "recipient")])
        return
    if as_json:
        print_json([row_of_json(each) for each in rows])
    else:
        print_lines(
            [f"{each.address} {each.name} {each.data.decode()}" for each in rows] or ["not on the list"]
        )
    if not rows:
        raise click.exceptions.Exit(1)


@lists_command.command("import")
@click.argument("name", metavar="LIST")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option(
    "--format", "kind", type=click.Choice(get_args(RowFormat)), help="By default by the file's name."
)
@click.option(
    "--keep",
    type=click.Choice(get_args(DuplicateRule)),
    default="first",
    show_default=True,
    help="Which rows stay of those with one address.",
)
@click.option("--append", is_flag=True, help="Behind those on it, instead of in place of them.")
@click.option("--dry-run", is_flag=True, help="Say what is wrong; write nothing.")
@_account
@store_options
def import_command(
    name: str,
    file: Path,
    kind: RowFormat | None,
    keep: DuplicateRule,
    append: bool,
    dry_run: bool,
    account: str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Put the recipients in FILE (- for standard input), CSV or lines of JSON, on a list in place of all on it.

    It is replaced at once, when the last row was read. Rows that are wrong are named and left out; exit code 1 when
    there were any.
    """
    with open_store(place) as opened, _Reading(file, kind or format_of(file.name)) as reading:
        found = _pick(opened, name, account)
        if dry_run:
            loaded = _tried(reading, keep)
        elif append:
            loaded = _appended(opened, found, reading, keep)
        else:
            loaded = opened.store.lists.replace(found.id, reading.good(), keep=keep, actor=opened.actor)
    would = "would be " if dry_run else ""
    told = {"recipients": loaded.recipients, "duplicates": loaded.duplicates, "wrong": reading.wrong}
    where = "in the file" if dry_run else f"on list {found.alias}"
    say(
        f"{amount(loaded.recipients, 'recipient')} {would}{where}, {amount(loaded.duplicates, 'duplicate')} left out,"
        f" {amount(reading.wrong, 'row')} wrong",
        as_json,
        {**told, "dry_run": dry_run},
    )
    if reading.wrong:
        raise click.exceptions.Exit(1)


@lists_command.command("export")
@click.argument("name", metavar="LIST")
@_account
@store_options
def export_command(name: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Write who is on a list to standard output, as CSV that `import` reads; with --json a line each."""
    with open_store(place) as opened:
        found = _pick(opened, name, account)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if not as_json:
            writer.writerow(COLUMNS)
        for each in opened.store.lists.recipients(found.id):
            if as_json:
                print_json_line(row_of_json(each))
            else:
                writer.writerow(row_of_csv(each))


@lists_command.command("delete")
@click.argument("name", metavar="LIST")
@_account
@yes_option
@store_options
def delete_command(name: str, account: str | None, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a list with who is on it; what is being sent to it ends where it is."""
    with open_store(place) as opened:
        found = _pick(opened, name, account)
        confirm(
            f"List {found.alias} with {amount(found.count, 'recipient')} will be deleted.", yes or as_json
        )
        opened.store.lists.delete(found.id, actor=opened.actor)
    say(f"list {found.alias} deleted", as_json, {"deleted": found.id})


class _Reading:
    """A file that is read, with its progress; what is wrong is told at once."""

    def __init__(self, file: Path, kind: RowFormat) -> None:
        self._file = file
        self._kind = kind
        self.wrong = 0

    def __enter__(self) -> "_Reading":
        try:
            self._bytes = click.open_file(str(self._file), "rb")
        except OSError as error:
            raise Failure(f"{self._file} cannot be read: {(error.strerror or str(error)).lower()}") from error
        self._size = self._file.stat().st_size if self._file.is_file() else 0
        return self

    def __exit__(self, *_: Any) -> None:
        self._bytes.close()

    def good(self) -> Iterator[ListedRecipient]:
        """Yield the recipients."""
        with progress_of("reading") as told:
            for row in read_rows(self._lines(told), self._kind):
                if row.recipient is not None:
                    yield row.recipient
                    continue
                self.wrong += 1
                if self.wrong <= _SHOWN:
                    click.echo(f"line {row.number}: {clean(row.problem)}", err=True)

    def _lines(self, told: Any) -> Iterator[str]:
        done = 0
        for number, line in enumerate(self._bytes):
            done += len(line)
            if number % 10_000 == 0 and self._size:
                told(done, self._size)
            yield line.decode("utf-8", "replace")


def _tried(reading: _Reading, keep: DuplicateRule) -> ListLoaded:
    finder, count = DuplicateFinder(), 0
    try:
        for each in reading.good():
            finder.add(mark_of(each.address))
            count += 1
        dropped = finder.dropped(keep).count
    finally:
        finder.close()
    return ListLoaded(count - dropped, dropped)


def _appended(opened: Opened, found: StoredList, reading: _Reading, keep: DuplicateRule) -> ListLoaded:
    loaded, duplicates, rows = ListLoaded(found.count, 0), 0, reading.good()
    while some := list(islice(rows, _ADDED)):
        loaded = opened.store.lists.add(found.id, some, keep=keep, actor=opened.actor)
        duplicates += loaded.duplicates
    return ListLoaded(loaded.recipients, duplicates)


def _pick(opened: Opened, name: str, account: str | None) -> StoredList:
    if name.isascii() and name.isdecimal():
        return opened.store.lists.get(int(name))
    return opened.store.lists.find(pick_account(opened.store, account).id, name)
