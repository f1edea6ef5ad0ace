"""Managing servers: one for each application that sends."""

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
from angarium.cli.identity.pick import account_id, pick_account, pick_server
from angarium.cli.identity.store import (
    Opened,
    StorePlace,
    confirm,
    everything,
    open_store,
    say,
    store_options,
)
from angarium.cli.identity.words import (
    SERVER_COLUMNS,
    STREAM_COLUMNS,
    lines,
    record,
    server_row,
    stream_row,
)
from angarium.cli.output import print_json, print_lines, print_table
from angarium.identity.limits import OF_ACCOUNTS
from angarium.identity.records import Server


@click.group()
def servers_command() -> None:
    """Manage servers, one for each application that sends. SERVER is an id or a name."""


@servers_command.command("create")
@click.argument("name")
@click.option("--account", help="Whose it is; needed when there are several.")
@field_options(Server, "new")
@limits_options(without=OF_ACCOUNTS)
@set_option
@store_options
def create_command(
    name: str,
    account: str | None,
    place: StorePlace,
    settings: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Make a server with its two streams, outbound and broadcast."""
    fields = said_of(given, settings)
    with open_store(place) as opened:
        owner = pick_account(opened.store, account)
        made = opened.store.servers.create(owner.id, name, actor=opened.actor, **fields)
    say(f"server {made.id} {made.name} of account {owner.name} made", as_json, record(made))


@servers_command.command("list")
@click.option("--account", help="Those of this account only.")
@page_options
@store_options
def list_command(
    account: str | None, limit: int, after: int | None, place: StorePlace, as_json: bool
) -> None:
    """List servers."""
    with open_store(place) as opened:
        found = opened.store.servers.page(account_id(opened.store, account), after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(SERVER_COLUMNS, [server_row(server) for server in found])


@servers_command.command("show")
@click.argument("server")
@store_options
def show_command(server: str, place: StorePlace, as_json: bool) -> None:
    """Show a server and its streams."""
    with open_store(place) as opened:
        found = pick_server(opened.store, server)
        streams = opened.store.streams.of_server(found.id, archived=True)
    if as_json:
        print_json({**record(found), "streams": record(streams)})
        return
    print_lines(lines(found, time.time()))
    click.echo()
    print_table(STREAM_COLUMNS, [stream_row(stream) for stream in streams])


@servers_command.command("change")
@click.argument("server")
@field_options(Server, "change")
@limits_options(without=OF_ACCOUNTS)
@set_option
@store_options
def change_command(
    server: str, place: StorePlace, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change a server's name, limits, message options or what it may do."""
    with open_store(place) as opened:
        found = pick_server(opened.store, server)
        _change(opened, found.id, changed(said_of(given, settings, found)), "changed", as_json)


@servers_command.command("disable")
@click.argument("server")
@store_options
def disable_command(server: str, place: StorePlace, as_json: bool) -> None:
    """Suspend a server: none of its tokens and logins can send."""
    with open_store(place) as opened:
        _change(opened, pick_server(opened.store, server).id, {"suspended": True}, "suspended", as_json)


@servers_command.command("enable")
@click.argument("server")
@store_options
def enable_command(server: str, place: StorePlace, as_json: bool) -> None:
    """Let a suspended server send again."""
    with open_store(place) as opened:
        _change(opened, pick_server(opened.store, server).id, {"suspended": False}, "active", as_json)


def _change(opened: Opened, server: int, fields: dict[str, Any], done: str, as_json: bool) -> None:
    made = opened.store.servers.change(server, actor=opened.actor, **fields)
    say(f"server {made.id} {made.name} {done}", as_json, record(made))


@servers_command.command("delete")
@click.argument("server")
@yes_option
@store_options
def delete_command(server: str, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete a server with its streams, tokens and logins."""
    with open_store(place) as opened:
        store = opened.store
        found = pick_server(store, server)
        logins = sum(1 for _ in everything(lambda **page: store.credentials.page(server=found.id, **page)))
        confirm(f"Server {found.name} is deleted, with its streams, tokens and logins ({logins}).", yes)
        store.servers.delete(found.id, actor=opened.actor)
    say(f"server {found.name} deleted", as_json, {"deleted": found.id})
