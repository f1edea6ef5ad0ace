"""Managing accounts: one for each customer."""

import time
from typing import Any

import click

from angarium.cli.identity.options import (
    changed,
    field_options,
    limits_options,
    page_options,
    said_of,
    set_option,
    yes_option,
)
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
from angarium.cli.identity.words import ACCOUNT_COLUMNS, account_row, lines, record
from angarium.cli.output import print_json, print_lines, print_table
from angarium.identity.records import Account


@click.group()
def accounts_command() -> None:
    """Manage accounts, one for each customer. ACCOUNT is an id or a name."""


@accounts_command.command("create")
@click.argument("name")
@field_options(Account, "new")
@limits_options()
@set_option
@store_options
def create_command(
    name: str, place: StorePlace, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Make an account. It can send when it has a server with a token or login."""
    fields = said_of(given, settings)
    with open_store(place) as opened:
        made = opened.store.accounts.create(name, actor=opened.actor, **fields)
    say(f"account {made.id} {made.name} made", as_json, record(made))


@accounts_command.command("list")
@page_options
@store_options
def list_command(limit: int, after: int | None, place: StorePlace, as_json: bool) -> None:
    """List accounts."""
    with open_store(place) as opened:
        found = opened.store.accounts.page(after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(ACCOUNT_COLUMNS, [account_row(account) for account in found])


@accounts_command.command("show")
@click.argument("account")
@store_options
def show_command(account: str, place: StorePlace, as_json: bool) -> None:
    """Show an account."""
    with open_store(place) as opened:
        found = pick_account(opened.store, account)
    if as_json:
        print_json(record(found))
    else:
        print_lines(lines(found, time.time()))


@accounts_command.command("change")
@click.argument("account")
@field_options(Account, "change")
@limits_options()
@set_option
@store_options
def change_command(
    account: str, place: StorePlace, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change an account's name, limits or message options."""
    with open_store(place) as opened:
        found = pick_account(opened.store, account)
        _change(opened, found.id, changed(said_of(given, settings, found)), "changed", as_json)


@accounts_command.command("disable")
@click.argument("account")
@store_options
def disable_command(account: str, place: StorePlace, as_json: bool) -> None:
    """Suspend an account: nothing of it can log in or send. What is queued goes on."""
    with open_store(place) as opened:
        _change(opened, pick_account(opened.store, account).id, {"suspended": True}, "suspended", as_json)


@accounts_command.command("enable")
@click.argument("account")
@store_options
def enable_command(account: str, place: StorePlace, as_json: bool) -> None:
    """Let a suspended account send again."""
    with open_store(place) as opened:
        _change(opened, pick_account(opened.store, account).id, {"suspended": False}, "active", as_json)


def _change(opened: Opened, account: int, fields: dict[str, Any], done: str, as_json: bool) -> None:
    made = opened.store.accounts.change(account, actor=opened.actor, **fields)
    say(f"account {made.id} {made.name} {done}", as_json, record(made))


@accounts_command.command("delete")
@click.argument("account")
@yes_option
@store_options
def delete_command(account: str, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete an account with all that belongs to it: servers, streams, people, keys, logins, domains."""
    with open_store(place) as opened:
        found = pick_account(opened.store, account)
        store = opened.store
        servers = sum(1 for _ in everything(lambda **page: store.servers.page(found.id, **page)))
        logins = sum(1 for _ in everything(lambda **page: store.credentials.page(found.id, **page)))
        confirm(
            f"Account {found.name} is deleted, with its servers ({servers}), keys, tokens and logins ({logins}).",
            yes,
        )
        store.accounts.delete(found.id, actor=opened.actor)
    say(f"account {found.name} deleted", as_json, {"deleted": found.id})
