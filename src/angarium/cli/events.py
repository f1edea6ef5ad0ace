"""What has happened, as a list or as it happens."""

import time
from pathlib import Path

import click

from angarium.cli.event_store import events_config_option, open_events
from angarium.cli.exporting import export_events
from angarium.cli.options import Failure, data_option, json_option
from angarium.cli.output import print_json_line, print_lines
from angarium.cli.reports.zones import zone_option
from angarium.cli.search import read_query
from angarium.cli.tables import Toned
from angarium.cli.times import moment
from angarium.cli.words import STATE_TONES
from angarium.core.suggest import closest
from angarium.events.catalogue import KINDS
from angarium.events.port import Happening, Whose

_LOOK_S = 0.5
_AT_ONCE = 500


@click.command()
@click.argument("query", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many of the last to list."
)
@click.option(
    "--after", type=click.IntRange(0), metavar="NUMBER", help="All that came after this one instead."
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only of this type, as in docs/events.md; may be repeated.",
)
@click.option(
    "--export", "exports", metavar="FILE", help="Write all of it to FILE as lines of JSON; - is the output."
)
@click.option("--follow", is_flag=True, help="Go on as they happen, until Ctrl-C.")
@zone_option
@events_config_option
@data_option
@json_option
def events_command(
    query: tuple[str, ...],
    limit: int,
    after: int | None,
    types: tuple[str, ...],
    exports: str | None,
    follow: bool,
    zone_name: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """List what has happened last, oldest first: to all mail, or to mail that QUERY finds (`angarium search`).

    Each happening has a number that only grows. With --json, one a line; a program that asks --after the last number it
    has seen misses nothing and gets nothing twice.
    """
    node = read_query(" ".join(query), zone_name)
    _check(types)
    store = open_events(data, config)
    if exports is not None:
        export_events(store, node, after or 0, types, exports)
        return
    found = store.latest(node, Whose(), limit=limit, types=types) if after is None else []
    place = after or 0
    try:
        while True:
            for each in found:
                _print(each, as_json)
                place = each.number
            found = (
                store.log(node, Whose(), after=place, limit=_AT_ONCE, types=types)
                if follow or after is not None
                else []
            )
            if not found and not follow:
                return
            if not found:
                time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        return


def _check(types: tuple[str, ...]) -> None:
    for name in types:
        if name not in KINDS:
            near = closest(name, KINDS)
            hint = f"did you mean {near}?" if near else f"known are: {', '.join(KINDS)}"
            raise Failure(f"{name} is no type of event; {hint}")


def _print(happening: Happening, as_json: bool) -> None:
    if as_json:
        print_json_line(happening)
        return
    what = moment(happening.at), happening.type.ljust(12), happening.message or "-" * 32
    words = (*what, happening.address, happening.reply)
    why = happening.reason or happening.details.get("why") or happening.details.get("type")
    reason = f"({why})" if why else ""
    said = "  ".join(word for word in (*words, reason) if word)
    print_lines([Toned(said, STATE_TONES.get(happening.type, ""))])
