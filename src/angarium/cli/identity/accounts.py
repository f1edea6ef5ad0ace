"""Managing accounts: one for each customer."""

import time
from typing import Any

import click

from angarium.cli.identity.options import (
    account_limits_options,
    changed,
    limits_said,
    options_said,
    page_options,
    set_option,
    yes_option,
)
from angarium.cli.identity.pick import pick_account
from angarium.cli.identity.store import Opened, Place, confirm, open_store, say, store_options
from angarium.cli.output import clean, print_json, print_table


@click.group()
def accounts_command() -> None:
    """Manage accounts, one for each customer. ACCOUNT is an id or a name."""


@accounts_command.command("create")
@click.argument("name")
@account_limits_options
@set_option
@store_options
def create_command(name: str, place: Place, settings: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Make an account. It can send when it has a server with a token or login."""
    from angarium.cli.identity.words import record
    from angarium.core.options import NO_OPTIONS
    from angarium.identity.records import NO_LIMITS

    with open_store(place) as opened:
        made = opened.store.create_account(
            name,
            limits=limits_said(NO_LIMITS, given) or NO_LIMITS,
            options=options_said(NO_OPTIONS, settings) or NO_OPTIONS,
            actor=opened.actor,
        )
    say(f"account {made.id} {made.name} made", as_json, record(made))


@accounts_command.command("list")
@page_options
@store_options
def list_command(limit: int, after: int | None, place: Place, as_json: bool) -> None:
    """List accounts."""
    from angarium.cli.identity.words import ACCOUNT_COLUMNS, account_row, record

    with open_store(place) as opened:
        found = opened.store.accounts(after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(ACCOUNT_COLUMNS, [account_row(account) for account in found])


@accounts_command.command("show")
@click.argument("account")
@store_options
def show_command(account: str, place: Place, as_json: bool) -> None:
    """Show an account."""
    from angarium.cli.identity.words import lines, record

    with open_store(place) as opened:
        found = pick_account(opened.store, account)
    if as_json:
        print_json(record(found))
    else:
        click.echo("\n".join(map(clean, lines(found, time.time()))))


@accounts_command.command("change")
@click.argument("account")
@click.option("--name", help="A new name.")
@account_limits_options
@set_option
@store_options
def change_command(
    account: str, name: str | None, place: Place, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change an account's name, limits or message options."""
    with open_store(place) as opened:
        found = pick_account(opened.store, account)
        fields = {
            "name": name,
            "limits": limits_said(found.limits, given),
            "options": options_said(found.options, settings),
        }
        _change(opened, found.id, fields, "changed", as_json)


@accounts_command.command("disable")
@click.argument("account")
@store_options
def disable_command(account: str, place: Place, as_json: bool) -> None:
    """Suspend an account: nothing of it can log in or send. What is queued goes on."""
    with open_store(place) as opened:
        _change(opened, pick_account(opened.store, account).id, {"suspended": True}, "suspended", as_json)


@accounts_command.command("enable")
@click.argument("account")
@store_options
def enable_command(account: str, place: Place, as_json: bool) -> None:
    """Let a suspended account send again."""
    with open_store(place) as opened:
        _change(opened, pick_account(opened.store, account).id, {"suspended": False}, "active", as_json)


def _change(opened: Opened, account: int, fields: dict[str, Any], done: str, as_json: bool) -> None:
    from angarium.cli.identity.words import record

    made = opened.store.change_account(account, actor=opened.actor, **changed(fields))
    say(f"account {made.id} {made.name} {done}", as_json, record(made))


@accounts_command.command("delete")
@click.argument("account")
@yes_option
@store_options
def delete_command(account: str, yes: bool, place: Place, as_json: bool) -> None:
    """Delete an account with all that belongs to it: servers, streams, people, keys, logins, domains."""
    from angarium.cli.identity.store import everything

    with open_store(place) as opened:
        found = pick_account(opened.store, account)
        store = opened.store
        servers = sum(1 for _ in everything(lambda **page: store.servers(found.id, **page)))
        logins = sum(1 for _ in everything(lambda **page: store.credentials(found.id, **page)))
        confirm(
            f"Account {found.name} is deleted, with its servers ({servers}), keys, tokens and logins ({logins}).",
            yes,
        )
        store.delete_account(found.id, actor=opened.actor)
    say(f"account {found.name} deleted", as_json, {"deleted": found.id})
