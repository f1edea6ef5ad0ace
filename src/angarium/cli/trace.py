"""The transcript of what is said on connections, as it is said."""

from pathlib import Path
from typing import Any

import click

from angarium.cli.options import data_option, json_option
from angarium.cli.output import print_json_line, warn
from angarium.cli.tables import clean
from angarium.cli.times import clock
from angarium.cli.where import connect
from angarium.core.ids import parse_id

_COLOURS = {"C": "green", "S": "cyan"}


@click.group()
def trace_command() -> None:
    """Watch what is said on outbound connections."""


@trace_command.command("on")
@click.argument("target", metavar="DOMAIN|MESSAGE")
@data_option
@json_option
def on_command(target: str, data: Path | None, as_json: bool) -> None:
    """Show the SMTP dialogues for a routing domain, or of one message by its id, until Ctrl-C.

    C is what this node says, S what the peer answers. Bodies are summarised. Nothing is sent for the sake of watching:
    `angarium flush --domain DOMAIN` makes something happen.
    """
    with connect(data) as client:
        try:
            for item in client.stream("trace", trace_args(target), kind=dict):
                _show_traced(item, as_json)
        except KeyboardInterrupt:
            return


def trace_args(target: str) -> dict[str, str]:
    """Return what to trace: a message when *target* is an id, else a domain."""
    try:
        parse_id(target)
    except ValueError:
        return {"domain": target}
    return {"message": target}


def _show_traced(item: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json_line(item)
    elif "tracing" in item:
        click.echo(f"tracing {clean(item['tracing'])}; Ctrl-C ends it", err=True)
        warn(item["problems"])
    elif "lost" in item:
        click.echo(f"{item['lost']} lines were lost: they came faster than they could be shown")
    else:
        click.secho(traced_line(item), fg=_COLOURS.get(item["direction"]))


def traced_line(item: dict[str, Any]) -> str:
    """Return one line of a transcript: time, session, peer, direction, what was said."""
    words = (clock(item["at"]), item["session"], item["peer"], item["direction"], item["line"])
    return " ".join(clean(str(word)) for word in words)
