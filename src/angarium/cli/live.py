"""The live views: the transcript of what is said on connections, and the node at a glance."""

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from angarium.cli.glance import Rates, glance_lines
from angarium.cli.options import data_option, json_option
from angarium.cli.output import print_json_line, print_table, warn
from angarium.cli.tables import clean, table_lines
from angarium.cli.times import clock
from angarium.cli.where import connect
from angarium.cli.words import QUEUE_COLUMNS, queue_rows
from angarium.core.ids import parse_id
from angarium.core.operations import Glance

_COLOURS = {"C": "green", "S": "cyan"}
_STYLES = {"head": "bold", "row": "", "detail": "dim"}


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


@click.command()
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds.")
@click.option("--limit", type=click.IntRange(0, 1000), default=20, show_default=True, help="How many queues.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many views.")
@data_option
@json_option
def top_command(interval: float, limit: int, count: int | None, data: Path | None, as_json: bool) -> None:
    """Show rates, connections and the queues with most mail, drawn anew each second, until Ctrl-C."""
    with connect(data) as client:
        glances = client.stream("top", {"interval_s": interval, "limit": limit}, kind=Glance)
        show = _draw if sys.stdout.isatty() and not as_json else _follow
        try:
            show(islice(glances, count), as_json)
        except KeyboardInterrupt:
            return


def _follow(glances: Iterable[Glance], as_json: bool) -> None:
    rates = Rates()
    for glance in glances:
        if as_json:
            print_json_line(glance)
        else:
            for line in glance_lines(glance, rates.since_last(glance)):
                click.echo(line)
            print_table(QUEUE_COLUMNS, queue_rows(glance.queues.rows, glance.at))
            click.echo()


def _draw(glances: Iterable[Glance], as_json: bool) -> None:
    from rich.live import Live
    from rich.text import Text

    rates = Rates()
    with Live(screen=True, auto_refresh=False) as live:
        for glance in glances:
            lines = glance_lines(glance, rates.since_last(glance))
            text = Text("\n".join([*lines, "", ""]))
            for line in table_lines(QUEUE_COLUMNS, queue_rows(glance.queues.rows, glance.at)):
                text.append(f"{line.text}\n", _STYLES[line.kind])
            live.update(text, refresh=True)
