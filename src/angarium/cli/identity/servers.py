"""Managing servers: one for each application that sends."""

import time
from typing import Any

import click

from angarium.cli.identity.options import (
    changed,
    limits_options,
    limits_said,
    options_said,
    page_options,
    set_option,
    yes_option,
)
from angarium.cli.identity.pick import account_id, pick_account, pick_server
from angarium.cli.identity.store import Opened, Place, confirm, everything, open_store, say, store_options
from angarium.cli.output import clean, print_json, print_table

_smtp_option = click.option("--smtp/--no-smtp", default=None, help="Whether it may be used by SMTP.")
_on_error_option = click.option(
    "--on-error",
    type=click.Choice(["vendor", "accept", "refuse"]),
    help="What becomes of mail whose options are wrong: as the vendor does, taken, or refused.",
)


@click.group()
def servers_command() -> None:
    """Manage servers, one for each application that sends. SERVER is an id or a name."""


@servers_command.command("create")
@click.argument("name")
@click.option("--account", help="Whose it is; needed when there are several.")
@_smtp_option
@_on_error_option
@limits_options
@set_option
@store_options
def create_command(
    name: str, account: str | None, place: Place, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Make a server with its two streams, outbound and broadcast."""
    from angarium.cli.identity.words import record
    from angarium.core.options import NO_OPTIONS
    from angarium.identity.records import NO_LIMITS

    fields = {
        "limits": limits_said(NO_LIMITS, given) or NO_LIMITS,
        "options": options_said(NO_OPTIONS, settings) or NO_OPTIONS,
        **{option: value for option, value in given.items() if value is not None},
    }
    with open_store(place) as opened:
        owner = pick_account(opened.store, account)
        made = opened.store.create_server(owner.id, name, actor=opened.actor, **fields)
    say(f"server {made.id} {made.name} of account {owner.name} made", as_json, record(made))


@servers_command.command("list")
@click.option("--account", help="Those of this account only.")
@page_options
@store_options
def list_command(account: str | None, limit: int, after: int | None, place: Place, as_json: bool) -> None:
    """List servers."""
    from angarium.cli.identity.words import SERVER_COLUMNS, record, server_row

    with open_store(place) as opened:
        found = opened.store.servers(account_id(opened.store, account), after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(SERVER_COLUMNS, [server_row(server) for server in found])


@servers_command.command("show")
@click.argument("server")
@store_options
def show_command(server: str, place: Place, as_json: bool) -> None:
    """Show a server and its streams."""
    from angarium.cli.identity.words import STREAM_COLUMNS, lines, record, stream_row

    with open_store(place) as opened:
        found = pick_server(opened.store, server)
        streams = opened.store.streams(found.id, archived=True)
    if as_json:
        print_json({**record(found), "streams": record(streams)})
        return
    click.echo("\n".join(map(clean, lines(found, time.time()))))
    click.echo()
    print_table(STREAM_COLUMNS, [stream_row(stream) for stream in streams])


@servers_command.command("change")
@click.argument("server")
@click.option("--name", help="A new name.")
@_smtp_option
@_on_error_option
@limits_options
@set_option
@store_options
def change_command(server: str, place: Place, settings: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Change a server's name, limits, message options or what it may do."""
    with open_store(place) as opened:
        found = pick_server(opened.store, server)
        limits = limits_said(found.limits, given)
        fields = {**given, "limits": limits, "options": options_said(found.options, settings)}
        _change(opened, found.id, fields, "changed", as_json)


@servers_command.command("disable")
@click.argument("server")
@store_options
def disable_command(server: str, place: Place, as_json: bool) -> None:
    """Suspend a server: none of its tokens and logins can send."""
    with open_store(place) as opened:
        _change(opened, pick_server(opened.store, server).id, {"suspended": True}, "suspended", as_json)


@servers_command.command("enable")
@click.argument("server")
@store_options
def enable_command(server: str, place: Place, as_json: bool) -> None:
    """Let a suspended server send again."""
    with open_store(place) as opened:
        _change(opened, pick_server(opened.store, server).id, {"suspended": False}, "active", as_json)


def _change(opened: Opened, server: int, fields: dict[str, Any], done: str, as_json: bool) -> None:
    from angarium.cli.identity.words import record

    made = opened.store.change_server(server, actor=opened.actor, **changed(fields))
    say(f"server {made.id} {made.name} {done}", as_json, record(made))


@servers_command.command("delete")
@click.argument("server")
@yes_option
@store_options
def delete_command(server: str, yes: bool, place: Place, as_json: bool) -> None:
    """Delete a server with its streams, tokens and logins."""
    with open_store(place) as opened:
        store = opened.store
        found = pick_server(store, server)
        logins = sum(1 for _ in everything(lambda **page: store.credentials(server=found.id, **page)))
        confirm(f"Server {found.name} is deleted, with its streams, tokens and logins ({logins}).", yes)
        store.delete_server(found.id, actor=opened.actor)
    say(f"server {found.name} deleted", as_json, {"deleted": found.id})
