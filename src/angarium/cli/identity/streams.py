"""Managing the message streams of a server."""

import time
from typing import Any

import click

from angarium.cli.identity.options import changed, field_options, said_of, set_option
from angarium.cli.identity.pick import pick_server
from angarium.cli.identity.store import StorePlace, open_store, say, store_options
from angarium.cli.identity.words import STREAM_COLUMNS, lines, record, stream_row
from angarium.cli.output import print_json, print_lines, print_table
from angarium.identity.records import Stream

_server_option = click.option("--server", help="Whose stream; id or name; needed when there are several.")


@click.group()
def streams_command() -> None:
    """Manage message streams: kinds of mail of one server, transactional or broadcast. STREAM is its id."""


@streams_command.command("create")
@click.argument("stream")
@field_options(Stream, "new", required=("kind",))
@_server_option
@set_option
@store_options
def create_command(
    stream: str,
    name: str | None,
    server: str | None,
    place: StorePlace,
    settings: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Make a stream; mail names it by its id, up to 30 of a–z, 0–9, - and _."""
    fields = said_of(given, settings)
    with open_store(place) as opened:
        owner = pick_server(opened.store, server)
        made = opened.store.streams.create(owner.id, stream, name or stream, actor=opened.actor, **fields)
    say(f"stream {made.id} of server {owner.name} made", as_json, record(made))


@streams_command.command("list")
@_server_option
@click.option("--archived", is_flag=True, help="Archived ones too.")
@store_options
def list_command(server: str | None, archived: bool, place: StorePlace, as_json: bool) -> None:
    """List the streams of a server."""
    with open_store(place) as opened:
        found = opened.store.streams.of_server(pick_server(opened.store, server).id, archived=archived)
    if as_json:
        print_json(record(found))
    else:
        print_table(STREAM_COLUMNS, [stream_row(stream) for stream in found])


@streams_command.command("show")
@click.argument("stream")
@_server_option
@store_options
def show_command(stream: str, server: str | None, place: StorePlace, as_json: bool) -> None:
    """Show a stream."""
    with open_store(place) as opened:
        found = opened.store.streams.get(pick_server(opened.store, server).id, stream)
    if as_json:
        print_json(record(found))
    else:
        print_lines(lines(found, time.time()))


@streams_command.command("change")
@click.argument("stream")
@field_options(Stream, "change")
@_server_option
@set_option
@store_options
def change_command(
    stream: str, server: str | None, place: StorePlace, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change a stream's name, description or message options; its id and kind stay."""
    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        fields = changed(said_of(given, settings, opened.store.streams.get(owner, stream)))
        made = opened.store.streams.change(owner, stream, actor=opened.actor, **fields)
    say(f"stream {made.id} changed", as_json, record(made))


@streams_command.command("archive")
@click.argument("stream")
@_server_option
@store_options
def archive_command(stream: str, server: str | None, place: StorePlace, as_json: bool) -> None:
    """Archive a stream: mail that names it is refused from then on."""
    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        made = opened.store.streams.archive(owner, stream, actor=opened.actor)
    say(f"stream {made.id} archived", as_json, record(made))


@streams_command.command("unarchive")
@click.argument("stream")
@_server_option
@store_options
def unarchive_command(stream: str, server: str | None, place: StorePlace, as_json: bool) -> None:
    """Take an archived stream into use again."""
    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        made = opened.store.streams.unarchive(owner, stream, actor=opened.actor)
    say(f"stream {made.id} is in use again", as_json, record(made))
