"""What API keys, tokens and logins have in common: list, show, disable, enable, delete, and showing a secret once."""

import time
from collections.abc import Collection
from typing import Any

import click

from angarium.cli.identity.options import page_options, yes_option
from angarium.cli.identity.pick import account_id, pick_credential, pick_server
from angarium.cli.identity.store import StorePlace, confirm, open_store, say, store_options
from angarium.cli.identity.words import CREDENTIAL_COLUMNS, credential_row, lines, record
from angarium.cli.output import print_json, print_lines, print_table
from angarium.cli.tables import clean
from angarium.identity.records import Credential, Kind


def add_common(group: click.Group, noun: str, kinds: Collection[Kind]) -> None:
    """Add list, show, disable, enable and delete to the commands for *kinds* of credentials."""
    _add_list(group, noun, kinds)
    _add_show(group, noun, kinds)
    _add_switch(group, noun, kinds, "disable", "Refuse it from now on, within a second.")
    _add_switch(group, noun, kinds, "enable", "Let it be used again.")
    _add_delete(group, noun, kinds)


def _add_list(group: click.Group, noun: str, kinds: Collection[Kind]) -> None:
    @group.command("list", help=f"List {noun}s; the first four characters of keys and tokens are shown.")
    @click.option("--account", help="Those of this account only.")
    @click.option("--server", help="Those of this server only.")
    @page_options
    @store_options
    def list_command(
        account: str | None,
        server: str | None,
        limit: int,
        after: int | None,
        place: StorePlace,
        as_json: bool,
    ) -> None:
        with open_store(place) as opened:
            store = opened.store
            owner = account_id(store, account)
            of_server = None if server is None else pick_server(store, server, owner).id
            found = [
                row
                for kind in kinds
                for row in store.credentials.page(owner, of_server, kind, after=after, limit=limit)
            ]
        found = sorted(found, key=lambda row: row.id)[:limit]
        if as_json:
            print_json(record(found))
        else:
            print_table(CREDENTIAL_COLUMNS, [credential_row(row, time.time()) for row in found])


def _add_show(group: click.Group, noun: str, kinds: Collection[Kind]) -> None:
    @group.command("show", help=f"Show a {noun}, without its secret.")
    @click.argument("wanted", metavar="ID")
    @store_options
    def show_command(wanted: str, place: StorePlace, as_json: bool) -> None:
        with open_store(place) as opened:
            found = pick_credential(opened.store, wanted, kinds, noun)
        if as_json:
            print_json(record(found))
        else:
            print_lines(lines(found, time.time()))


def _add_switch(group: click.Group, noun: str, kinds: Collection[Kind], verb: str, sentence: str) -> None:
    @group.command(verb, help=sentence)
    @click.argument("wanted", metavar="ID")
    @store_options
    def switch_command(wanted: str, place: StorePlace, as_json: bool) -> None:
        change(wanted, kinds, noun, {"enabled": verb == "enable"}, f"{verb}d", place, as_json)


def _add_delete(group: click.Group, noun: str, kinds: Collection[Kind]) -> None:
    @group.command("delete", help=f"Delete a {noun}. It is refused within a second.")
    @click.argument("wanted", metavar="ID")
    @yes_option
    @store_options
    def delete_command(wanted: str, yes: bool, place: StorePlace, as_json: bool) -> None:
        with open_store(place) as opened:
            found = pick_credential(opened.store, wanted, kinds, noun)
            confirm(f"{_called(found, noun)} is deleted.", yes)
            opened.store.credentials.delete(found.id, actor=opened.actor)
        say(f"{_called(found, noun)} deleted", as_json, {"deleted": found.id})


def change(
    wanted: str,
    kinds: Collection[Kind],
    noun: str,
    fields: dict[str, Any],
    done: str,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Change a credential and say so."""
    with open_store(place) as opened:
        found = pick_credential(opened.store, wanted, kinds, noun)
        made = opened.store.credentials.change(found.id, actor=opened.actor, **fields)
    say(f"{_called(made, noun)} {done}", as_json, record(made))


def show_secret(made: Credential, secret: str, noun: str, as_json: bool) -> None:
    """Print a new credential with its secret, the only time."""
    if as_json:
        print_json({**record(made), "secret": secret})
        return
    click.echo(clean(f"{_called(made, noun)} made"))
    if made.username:
        click.echo(f"    user name  {made.username}")
    click.echo(f"    {'password' if made.username else noun:<9}  {secret}")
    click.echo("It is shown only now; keep it safe.")


def _called(credential: Credential, noun: str) -> str:
    return f'{noun} {credential.id} "{credential.label}"' if credential.label else f"{noun} {credential.id}"
