"""Managing the message streams of a server."""

import time
from typing import Any

import click

from angarium.cli.identity.options import changed, options_said, set_option
from angarium.cli.identity.pick import pick_server
from angarium.cli.identity.store import Place, open_store, say, store_options
from angarium.cli.output import clean, print_json, print_table

_server_option = click.option("--server", help="Whose stream; id or name; needed when there are several.")


@click.group()
def streams_command() -> None:
    """Manage message streams: kinds of mail of one server, transactional or broadcast. STREAM is its id."""


@streams_command.command("create")
@click.argument("stream")
@click.option(
    "--kind", type=click.Choice(["transactional", "broadcast"]), required=True, help="What mail it is for."
)
@click.option("--name", help="A name for people.  [default: its id]")
@click.option("--description", default="", help="What it is for.")
@_server_option
@set_option
@store_options
def create_command(
    stream: str,
    name: str | None,
    server: str | None,
    place: Place,
    settings: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Make a stream; mail names it by its id, up to 30 of a–z, 0–9, - and _."""
    from angarium.cli.identity.words import record
    from angarium.core.options import NO_OPTIONS

    options = options_said(NO_OPTIONS, settings) or NO_OPTIONS
    with open_store(place) as opened:
        owner = pick_server(opened.store, server)
        made = opened.store.create_stream(
            owner.id, stream, name or stream, options=options, actor=opened.actor, **given
        )
    say(f"stream {made.id} of server {owner.name} made", as_json, record(made))


@streams_command.command("list")
@_server_option
@click.option("--archived", is_flag=True, help="Archived ones too.")
@store_options
def list_command(server: str | None, archived: bool, place: Place, as_json: bool) -> None:
    """List the streams of a server."""
    from angarium.cli.identity.words import STREAM_COLUMNS, record, stream_row

    with open_store(place) as opened:
        found = opened.store.streams(pick_server(opened.store, server).id, archived=archived)
    if as_json:
        print_json(record(found))
    else:
        print_table(STREAM_COLUMNS, [stream_row(stream) for stream in found])


@streams_command.command("show")
@click.argument("stream")
@_server_option
@store_options
def show_command(stream: str, server: str | None, place: Place, as_json: bool) -> None:
    """Show a stream."""
    from angarium.cli.identity.words import lines, record

    with open_store(place) as opened:
        found = opened.store.stream(pick_server(opened.store, server).id, stream)
    if as_json:
        print_json(record(found))
    else:
        click.echo("\n".join(map(clean, lines(found, time.time()))))


@streams_command.command("change")
@click.argument("stream")
@click.option("--name", help="A new name.")
@click.option("--description", help="What it is for.")
@_server_option
@set_option
@store_options
def change_command(
    stream: str, server: str | None, place: Place, settings: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Change a stream's name, description or message options; its id and kind stay."""
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        options = options_said(opened.store.stream(owner, stream).options, settings)
        fields = changed({**given, "options": options})
        made = opened.store.change_stream(owner, stream, actor=opened.actor, **fields)
    say(f"stream {made.id} changed", as_json, record(made))


@streams_command.command("archive")
@click.argument("stream")
@_server_option
@store_options
def archive_command(stream: str, server: str | None, place: Place, as_json: bool) -> None:
    """Archive a stream: mail that names it is refused from then on."""
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        made = opened.store.archive_stream(owner, stream, actor=opened.actor)
    say(f"stream {made.id} archived", as_json, record(made))


@streams_command.command("unarchive")
@click.argument("stream")
@_server_option
@store_options
def unarchive_command(stream: str, server: str | None, place: Place, as_json: bool) -> None:
    """Take an archived stream into use again."""
    from angarium.cli.identity.words import record

    with open_store(place) as opened:
        owner = pick_server(opened.store, server).id
        made = opened.store.unarchive_stream(owner, stream, actor=opened.actor)
    say(f"stream {made.id} is in use again", as_json, record(made))
