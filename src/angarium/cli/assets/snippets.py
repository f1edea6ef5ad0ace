"""Snippets: looked at, saved from files, deleted."""

from pathlib import Path

import click
import msgspec

from angarium.assets.templates.records import Snippet
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
from angarium.cli.output import print_json, print_lines, print_table
from angarium.cli.tables import Column, Row

_COLUMNS = (
    Column("ID", numeric=True),
    Column("ALIAS", flexible=True),
    Column("NAME", flexible=True),
    Column("PARTS"),
)
_account = click.option("--account", help="Whose; id or name; needed when there are several.")
_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def snippets_command() -> None:
    """Manage snippets: pieces that templates in the substitution language ask for by their alias."""


@snippets_command.command("list")
@click.option("--account", help="Only of this account; id or name.")
@store_options
def list_command(account: str | None, place: StorePlace, as_json: bool) -> None:
    """List the snippets."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id if account is not None else None
        found = list(everything(lambda **page: opened.store.snippets.page(owner, **page)))
    if as_json:
        print_json(found)
    else:
        rows = [[str(each.id), each.alias, each.name, " ".join(each.parts())] for each in found]
        print_table(_COLUMNS, [Row(cells) for cells in rows])


@snippets_command.command("show")
@click.argument("name")
@_account
@store_options
def show_command(name: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Show the snippet with the id or alias NAME."""
    with open_store(place) as opened:
        found = _pick(opened, name, account)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for part, text in found.parts().items():
        print_lines([f"-- {part} --", *text.splitlines()])


@snippets_command.command("save")
@click.argument("alias")
@click.option("--name", help="What people call it.  [default: the alias]")
@click.option("--html", type=_file, help="File of the HTML part.")
@click.option("--text", type=_file, help="File of the text part.")
@click.option("--amp", type=_file, help="File of the AMP part.")
@_account
@store_options
def save_command(
    alias: str, account: str | None, place: StorePlace, as_json: bool, **given: str | Path | None
) -> None:
    """Make the snippet ALIAS, or change the parts that are said."""
    fields = {
        name: value.read_bytes().decode("utf-8", "replace") if isinstance(value, Path) else value
        for name, value in given.items()
        if value is not None
    }
    with open_store(place) as opened:
        owner, store = pick_account(opened.store, account).id, opened.store.snippets
        found = everything(lambda **page: store.page(owner, **page))
        known = next((each for each in found if each.alias == alias), None)
        if known is None:
            saved = store.create(owner, alias, actor=opened.actor, **fields)
        else:
            saved = store.change(known.id, actor=opened.actor, **fields)
    say(f"snippet {saved.alias} saved", as_json, saved)


@snippets_command.command("delete")
@click.argument("name")
@_account
@yes_option
@store_options
def delete_command(name: str, account: str | None, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a snippet: mail of templates that ask for it fails from then on."""
    with open_store(place) as opened:
        found = _pick(opened, name, account)
        confirm(f"Snippet {found.alias} will be deleted.", yes or as_json)
        opened.store.snippets.delete(found.id, actor=opened.actor)
    say(f"snippet {found.alias} deleted", as_json, {"deleted": found.id})


def _pick(opened: Opened, name: str, account: str | None) -> Snippet:
    if name.isascii() and name.isdecimal():
        return opened.store.snippets.get(int(name))
    return opened.store.snippets.find(pick_account(opened.store, account).id, name)
