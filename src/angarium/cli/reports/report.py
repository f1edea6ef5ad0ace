"""How much mail went where, and how it fared."""

import sys
import time
from datetime import tzinfo
from pathlib import Path
from typing import Any, get_args

import click

from angarium.cli.event_store import events_config_option, open_events
from angarium.cli.identity.store import StorePlace
from angarium.cli.options import Failure, data_option, json_option
from angarium.cli.output import print_json, print_lines, print_table
from angarium.cli.reports import drawn
from angarium.cli.reports.csv_file import write_csv
from angarium.cli.reports.zones import zone_for
from angarium.cli.tables import Toned
from angarium.cli.where import find_folder
from angarium.events.fields import MAIL
from angarium.events.port import Whose
from angarium.events.reports.model import MailReport, ReportQuery, TopReply
from angarium.events.reports.periods import DAY_S, Per
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.port import Dimension
from angarium.events.rollups.store import FILE_NAME, RollupsReader
from angarium.feedback.reasons import category_of
from angarium.query.nodes import Node
from angarium.query.parser import parse
from angarium.query.problem import QueryProblem
from angarium.query.values import TIME_FORMS, Now, read_time

_USUAL_S = {"minute": 3600, "quarter": 6 * 3600, "hour": DAY_S, "day": 30 * DAY_S}
_REPLIES = 5


@click.command()
@click.argument("query", nargs=-1)
@click.option("--by", type=click.Choice(get_args(Dimension)), help="Tell these apart.")
@click.option("--per", type=click.Choice(get_args(Per)), help="Tell units of time apart.")
@click.option("--from", "since", metavar="TIME", help="When it begins.  [default: 24h; with --per day 30d]")
@click.option("--to", "until", metavar="TIME", default="now", show_default=True, help="When it ends.")
@click.option(
    "--zone",
    "zone_name",
    metavar="NAME",
    help="Whose days and hours: Europe/Amsterdam.  [default: the account's; of all mail this machine's]",
)
@click.option("--accepted", is_flag=True, help="What has become by now of the mail that was accepted then.")
@click.option("--account", type=click.IntRange(0), help="Of an account only, by its number.")
@click.option("--server", type=click.IntRange(0), multiple=True, help="Of a server only, by its number.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), help="The so many largest.  [default: 20; all with --csv]"
)
@click.option(
    "--replies", type=click.IntRange(0, 1000), help=f"So many answers of peers.  [default: {_REPLIES}]"
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: all rows, raw numbers.")
@events_config_option
@data_option
@json_option
def report_command(query: tuple[str, ...], as_csv: bool, as_json: bool, data: Path | None, config: Path | None,
                   replies: int | None, zone_name: str | None, **options: Any) -> None:  # fmt: skip
    """Say how much mail went where and how it fared: all of it, or what QUERY finds (`angarium search`).

    Without --by and --per it is a card: `angarium report provider:google` says how things are at Gmail, with what its
    hosts answer most often. Mail counts when things happened to it; with --accepted, when it was accepted. A stroke
    says that something is not measured. See docs/reports.md.
    """
    now = time.time()
    zone = zone_for(zone_name, options["account"], StorePlace(config, data))
    asked = _query(" ".join(query), now, zone, as_csv=as_csv, **options)
    folder = data or find_folder()
    reporter = MailReporter(open_events(folder, config), RollupsReader(folder / FILE_NAME), category_of)
    try:
        report = reporter.report(asked, now)
    except ValueError as error:
        raise Failure(str(error)) from error
    if as_csv:
        write_csv(report, sys.stdout)
        return
    said = (
        reporter.replies(asked, _REPLIES if replies is None else replies)
        if _wants_replies(report, replies)
        else []
    )
    if as_json:
        print_json({"report": report, "replies": said})
    else:
        _print(report, said, zone, " ".join(query))


def _wants_replies(report: MailReport, replies: int | None) -> bool:
    """Whether answers are told: of a card, or where they are asked for. They take a look at the events."""
    if replies is not None:
        return replies > 0
    return report.by is None and report.per is None and report.basis == "event"


def _query(
    text: str,
    now: float,
    zone: tzinfo,
    *,
    by: Dimension | None,
    per: Per | None,
    since: str | None,
    until: str,
    accepted: bool,
    account: int | None,
    server: tuple[int, ...],
    limit: int | None,
    as_csv: bool,
) -> ReportQuery:
    end = _time(until, now, zone, "--to")[1]
    begin = _time(since, now, zone, "--from")[0] if since else end - _USUAL_S.get(per or "", DAY_S)
    if begin >= end:
        raise Failure("--from is not before --to; write an earlier time, as 7d or 2026-11-30")
    return ReportQuery(
        since=begin,
        until=end,
        by=by,
        per=per,
        zone=zone,
        basis="acceptance" if accepted else "event",
        node=_node(text, now, zone),
        scope=Whose(account, server or None),
        limit=limit or (None if as_csv else 20),
    )


def _time(text: str, now: float, zone: tzinfo, option: str) -> tuple[float, float]:
    found = read_time(text, Now(now, zone))
    if found is None:
        raise Failure(f"{option} {text}: that is no time; write {TIME_FORMS}")
    return found


def _node(text: str, now: float, zone: tzinfo) -> Node:
    try:
        return parse(text, MAIL, Now(now, zone))
    except QueryProblem as problem:
        raise Failure(f"{problem}\n{problem.pointed()}") from problem


def _print(report: MailReport, replies: list[TopReply], zone: tzinfo, asked: str) -> None:
    full = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    print_lines(drawn.heading(report, zone, asked))
    if report.by or report.per:
        _print_table(report, zone, full)
    else:
        print_table(drawn.CARD_COLUMNS, drawn.card(report, full))
        print_lines(drawn.latency_told(report.total.latency))
    print_lines([*drawn.replies_told(replies), *drawn.notes_told(report.notes)])


def _print_table(report: MailReport, zone: tzinfo, full: str) -> None:
    if not report.rows:
        print_lines([Toned("There was nothing.", "dim")])
        return
    print_table(drawn.columns(report), drawn.table(report, zone, full))
