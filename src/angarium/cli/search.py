"""Finding mail by what people remember of it, in what the recorder has kept."""

import time
from pathlib import Path

import click

from angarium.cli.event_store import events_config_option, open_events
from angarium.cli.exporting import export_mail
from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import amount, print_json, print_lines, print_table
from angarium.cli.reports.zones import local_zone, zone_named, zone_option
from angarium.cli.tables import Cell, Column, Row, Toned
from angarium.cli.times import when
from angarium.cli.words import STATE_TONES
from angarium.events.fields import MAIL
from angarium.events.port import FoundMail, FoundMailPage, Whose
from angarium.query.nodes import Node
from angarium.query.parser import parse
from angarium.query.problem import QueryProblem
from angarium.query.values import Now

MOST_COUNTED = 10_000

_COLUMNS = (
    Column("ACCEPTED"),
    Column("RECIPIENT", flexible=True),
    Column("STATE"),
    Column("SUBJECT", flexible=True, yields=True),
    Column("MESSAGE", yields=True),
)


@click.command()
@click.argument("query", nargs=-1)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to list."
)
@click.option("--after", metavar="PLACE", help="Go on where a listing has ended.")
@click.option(
    "--export", "exports", metavar="FILE", help="Write all of it to FILE as lines of JSON; - is the output."
)
@click.option("--count", "counts", is_flag=True, help=f"Say how many there are, up to {MOST_COUNTED:,}.")
@zone_option
@events_config_option
@data_option
@json_option
def search_command(
    query: tuple[str, ...],
    limit: int,
    after: str | None,
    exports: str | None,
    counts: bool,
    zone_name: str | None,
    config: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Find mail, newest first: by recipient, sender, subject, tag, reply; without QUERY, all of it.

    Words are joined by OR; write AND, NOT, "a phrase", roo*, and fields as in `to:bob status:bounced date:7d`. See
    docs/search.md for all of it. What was accepted up to a second ago is found, whether the node runs or not. Exit code
    1 when nothing is found.
    """
    node = read_query(" ".join(query), zone_name)
    store = open_events(data, config)
    if counts:
        _print_count(store.count(node, Whose(), most=MOST_COUNTED + 1), as_json)
        return
    if exports is not None:
        export_mail(store, node, exports)
        return
    page = store.search(node, Whose(), limit=limit, after=after)
    if as_json:
        print_json(page)
    else:
        _print(page)
    finish(bool(page.found))


def read_query(text: str, zone_name: str | None = None) -> Node:
    """Return what a query means, with days of a zone; None: of this machine's. Raises Failure, which points at what is
    wrong.
    """
    zone = local_zone() if zone_name is None else zone_named(zone_name)
    try:
        return parse(text, MAIL, Now(time.time(), zone))
    except QueryProblem as problem:
        raise Failure(f"{problem}\n{problem.pointed()}") from problem


def _print(page: FoundMailPage) -> None:
    if not page.found:
        click.echo("Nothing is found.")
        return
    now = time.time()
    print_table(_COLUMNS, [_row(mail, now) for mail in page.found])
    if page.next:
        print_lines([Toned(f"There is more: --after {page.next}", "dim")])


def _row(mail: FoundMail, now: float) -> Row:
    state = Toned(mail.state, STATE_TONES.get(mail.state, ""))
    cells: list[Cell] = [
        when(mail.at, now),
        mail.address or mail.note or "-",
        state,
        mail.subject or "-",
        mail.message,
    ]
    if not mail.reply or mail.state == "delivered":
        return Row(cells)
    return Row(cells, [Toned(f"{mail.reply} ({mail.reason})" if mail.reason else mail.reply)])


def _print_count(count: int, as_json: bool) -> None:
    is_more = count > MOST_COUNTED
    if as_json:
        print_json({"count": min(count, MOST_COUNTED), "is_more": is_more})
    else:
        click.echo(f"more than {MOST_COUNTED:,}" if is_more else amount(count, "recipient"))
    finish(count > 0)
