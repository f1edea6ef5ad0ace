"""What has come back: listed, counted, shown with its evidence, undone; and suppressions that are held."""

import time
from pathlib import Path
from typing import Any

import click

from angarium.cli.attempts import attempt_lines
from angarium.cli.event_store import events_config_option, open_events
from angarium.cli.identity.options import all_option, yes_option
from angarium.cli.identity.store import StorePlace, confirm, open_store, say, store_options
from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import amount, print_json, print_lines, print_table, progress_of
from angarium.cli.reports.zones import zone_option
from angarium.cli.search import read_query
from angarium.cli.tables import Cell, Column, Row, Toned
from angarium.cli.times import moment, read_time, relative, when
from angarium.core.ids import MessageId, parse_id
from angarium.events.port import Happening, Whose
from angarium.feedback.bounces import (
    GROUPS,
    Bounce,
    BounceCount,
    BounceSummary,
    Group,
    bounce_numbered,
    bounce_of,
    newest_first,
    summarise,
    undo,
)
from angarium.feedback.occurrences import BOUNCE_TYPES
from angarium.query.nodes import Everything
from angarium.sql.errors import Invalid
from angarium.suppressions.address import address_of
from angarium.suppressions.notes import NoteFilter
from angarium.suppressions.records import CauseFilter

_MOST_COUNTED = 100_000
_COLUMNS = (
    Column("ID", numeric=True),
    Column("WHEN"),
    Column("ADDRESS", flexible=True),
    Column("REASON"),
    Column("CLASS", numeric=True),
    Column("PROVIDER", yields=True),
    Column("MESSAGE", yields=True),
)
_COUNTS = (
    Column("COUNT", numeric=True),
    Column("SHARE", numeric=True),
    Column("LAST"),
    Column("KEY", flexible=True),
)
_HELD = (Column("HELD", numeric=True), Column("BURST", flexible=True), Column("FROM"), Column("TO"))


class _Listing(click.Group):
    """Lists where no other of its commands is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def bounces_command() -> None:
    """Tell what has come back: failures, complaints, unsubscriptions. Without a command: list them."""


@bounces_command.command("list")
@click.argument("query", nargs=-1)
@click.option("--by", type=click.Choice(GROUPS), help="Count them by this instead.")
@click.option("--type", "types", type=click.Choice(BOUNCE_TYPES), multiple=True, help="Only such.")
@click.option("--since", metavar="TIME", default="7d", show_default=True, help="Not older than this.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to list."
)
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Go on where a listing has ended.")
@zone_option
@data_option
@events_config_option
@json_option
def list_command(
    query: tuple[str, ...],
    by: Group | None,
    types: tuple[str, ...],
    since: str,
    limit: int,
    before: int | None,
    zone_name: str | None,
    data: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """List what has come back, newest first, of mail that QUERY finds (`angarium search`), or count it with --by.

    Exit code 1 when there is nothing.
    """
    node, store = read_query(" ".join(query), zone_name), open_events(data, config)
    found = newest_first(store, node, Whose(), since=_time(since), types=types, before=before)
    if by is not None:
        with progress_of("counting") as progress:
            summary = summarise(found, by, _MOST_COUNTED, lambda done: progress(done, _MOST_COUNTED))
        print_json(summary) if as_json else _print_summary(summary, by)
        finish(summary.total > 0)
        return
    listed = [bounce_of(each) for each, _ in zip(found, range(limit + 1), strict=False)]
    if as_json:
        more = listed[limit - 1].id if len(listed) > limit else None
        print_json({"bounces": listed[:limit], "next": more})
    else:
        _print_list(listed, limit)
    finish(bool(listed))


@bounces_command.command("show")
@click.argument("bounce", type=click.IntRange(1))
@click.option("--text", is_flag=True, help="The whole answer, and how far the session had come.")
@store_options
def show_command(place: StorePlace, bounce: int, text: bool, as_json: bool) -> None:
    """Show one with its verdict, what follows from it, and what has followed."""
    happening = _found(place, bounce)
    told = bounce_of(happening)
    with open_store(place) as opened:
        what = _what(told)
        causes = opened.store.suppressions.page(CauseFilter(what=what, accounts=(told.account,)))
        notes = opened.store.suppression_notes.page(NoteFilter(account=told.account, what=what))
    if as_json:
        print_json({"bounce": told, "details": happening.details, "suppressions": causes, "notes": notes})
        return
    print_lines(_shown(told))
    mine = [each for each in causes if each.message == _message(told)]
    for cause in mine:
        state = "it suppresses" if cause.stands(time.time()) else "it does not suppress any more"
        print_lines([Toned(f"suppression {cause.id}: {cause.reason} in {cause.scope}; {state}", "bright")])
    for note in (each for each in notes if each.message == _message(told)):
        print_lines([Toned(f"{note.state}: {note.why}", "bright")])
    others = len(causes) - len(mine)
    if others:
        print_lines(
            [f"{amount(others, 'other suppression')} of this address: angarium suppressions show {what}"]
        )
    if text:
        print_lines(_text(happening))


@bounces_command.command("activate")
@click.argument("bounce", type=click.IntRange(1))
@store_options
def activate_command(place: StorePlace, bounce: int, as_json: bool) -> None:
    """Undo what has followed from one: the address gets mail again, unless something else suppresses it."""
    told = bounce_of(_found(place, bounce))
    with open_store(place) as opened:
        causes, notes = opened.store.suppressions, opened.store.suppression_notes
        undone, left = undo(told, _what(told), causes, notes, actor=opened.actor)
    record = {"undone": undone, "suppressed": bool(left)}
    end = f"; {amount(len(left), 'other cause')} still suppress it" if left else ""
    say(f"{told.address}: {amount(undone, 'suppression')} undone{end}", as_json, record)
    finish(undone > 0)


@bounces_command.command("held")
@click.option("--burst", metavar="KEY", help="List the addresses of this one.")
@all_option
@store_options
def held_command(place: StorePlace, burst: str | None, limit: int, as_json: bool) -> None:
    """List suppressions that are held, since very much of what a provider was sent failed at once."""
    with open_store(place) as opened:
        notes = opened.store.suppression_notes
        if burst is not None:
            held = notes.page(NoteFilter(state="held", burst=burst), limit=limit)
            rows = [Row([str(each.id), when(each.at, time.time()), each.what], [each.reply]) for each in held]
            columns = (Column("ID", numeric=True), Column("WHEN"), Column("ADDRESS", flexible=True))
            print_json(held) if as_json else print_table(columns, rows)
            return
        bursts = notes.held()
    if as_json:
        print_json(bursts)
        return
    if not bursts:
        click.echo("Nothing is held.")
        return
    now = time.time()
    print_table(
        _HELD,
        [
            Row(
                [str(each.count), each.burst, when(each.first_at, now), when(each.last_at, now)], [each.reply]
            )
            for each in bursts
        ],
    )
    print_lines([Toned("angarium bounces release KEY has them suppress, discard KEY forgets them", "dim")])


def _decide(place: StorePlace, burst: str | None, yes: bool, as_json: bool, verb: str, done: str) -> None:
    chosen = NoteFilter(state="held", burst=burst)
    with open_store(place) as opened:
        notes = opened.store.suppression_notes
        count = notes.count(chosen)
        if not count:
            raise Failure(
                f"nothing is held{f' under {burst!r}' if burst else ''}; see `angarium bounces held`"
            )
        confirm(f"{amount(count, 'held suppression')} will be {done}.", yes or as_json)
        act = notes.release if verb == "release" else notes.discard
        with progress_of(verb) as progress:
            changed = act(chosen, actor=opened.actor, progress=lambda so_far: progress(so_far, count))
    say(f"{amount(changed, 'held suppression')} {done}", as_json, {"changed": changed})


_burst = click.argument("burst", metavar="KEY", required=False)
_all_of_them = click.option("--all", "all_of_them", is_flag=True, help="Of all bursts.")


@bounces_command.command("release")
@_burst
@_all_of_them
@yes_option
@store_options
def release_command(
    place: StorePlace, burst: str | None, all_of_them: bool, yes: bool, as_json: bool
) -> None:
    """Have what is held under KEY suppress, as if it had not come in a burst."""
    _decide(place, _one_of(burst, all_of_them), yes, as_json, "release", "released")


@bounces_command.command("discard")
@_burst
@_all_of_them
@yes_option
@store_options
def discard_command(
    place: StorePlace, burst: str | None, all_of_them: bool, yes: bool, as_json: bool
) -> None:
    """Forget what is held under KEY: the provider had failed, and the addresses are good."""
    _decide(place, _one_of(burst, all_of_them), yes, as_json, "discard", "discarded")


def _one_of(burst: str | None, all_of_them: bool) -> str | None:
    if (burst is None) != all_of_them:
        raise click.UsageError("write the KEY of a burst, as `angarium bounces held` shows it, or --all")
    return burst


def _found(place: StorePlace, number: int) -> Happening:
    store = open_events(place.data, place.config)
    happening = bounce_numbered(store, Everything(), Whose(), number)
    if happening is None:
        raise Failure(f"there is no bounce {number}; `angarium bounces` lists those there are")
    return happening


def _what(bounce: Bounce) -> str:
    try:
        return address_of(bounce.address)
    except Invalid as error:
        raise Failure(f"bounce {bounce.id} is about no recipient of ours: {error}") from error


def _time(text: str) -> float:
    try:
        return read_time(text, time.time())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from error


def _message(bounce: Bounce) -> MessageId | None:
    return parse_id(bounce.message) if bounce.message else None


def _print_list(listed: list[Bounce], limit: int) -> None:
    if not listed:
        click.echo("Nothing has come back.")
        return
    now = time.time()
    print_table(_COLUMNS, [_row(each, now) for each in listed[:limit]])
    if len(listed) > limit:
        print_lines([Toned(f"There is more: --before {listed[limit - 1].id}", "dim")])


def _row(bounce: Bounce, now: float) -> Row:
    what = Toned(bounce.reason or bounce.type, "bad" if bounce.follows == "suppress" else "warn")
    number = str(bounce.class_number) if bounce.class_number else "-"
    cells: list[Cell] = [str(bounce.id), when(bounce.at, now), bounce.address or "-", what, number]
    cells += [bounce.provider or "-", bounce.message or "-"]
    return Row(cells, [bounce.reply] if bounce.reply else [])


def _print_summary(summary: BounceSummary, by: Group) -> None:
    if not summary.total:
        click.echo("Nothing has come back.")
        return
    now = time.time()
    rows = [_counted(each, summary.total, by, now) for each in summary.groups[:50]]
    columns = _COUNTS[:3] if by == "reply" else _COUNTS
    print_table(columns, rows)
    if summary.is_cut:
        print_lines([Toned(f"of the latest {summary.total:,} alone: say --since", "dim")])


def _counted(counted: BounceCount, total: int, by: Group, now: float) -> Row:
    """Return one line of a summary. Replies are long: they stand under it."""
    cells = [str(counted.count), f"{100 * counted.count / total:.1f} %", relative(counted.last_at, now)]
    if by == "reply":
        return Row(cells, [Toned(counted.key)])
    return Row([*cells, counted.key], [counted.example] if counted.example else [])


def _shown(bounce: Bounce) -> list[Cell]:
    lines: list[Cell] = [
        Toned(
            f"bounce {bounce.id}: {bounce.type} of {bounce.address or 'nobody'}, {moment(bounce.at)}",
            "bright",
        ),
        f"    message   {bounce.message or '-'}, account {bounce.account or '-'}, stream {bounce.stream or '-'}",
        f"    provider  {bounce.provider or '-'}",
        f"    reply     {bounce.reply or '-'}",
    ]
    if bounce.class_number:
        verdict = f"{bounce.reason}, class {bounce.class_number} {bounce.class_name} ({bounce.category})"
        rule = f"; rule {bounce.rule!r}" if bounce.rule else ""
        lines.append(f"    verdict   {verdict}; Postmark: {bounce.postmark}{rule}")
    return [*lines, f"    follows   {bounce.follows}: {bounce.why}"]


def _text(happening: Happening) -> list[Cell]:
    details: dict[str, Any] = dict(happening.details)
    attempt = details.pop("attempt", None)
    lines: list[Cell] = [happening.reply]
    lines += [Toned(line, "dim") for line in (attempt_lines(attempt) if attempt else ())]
    return lines + [f"{name}: {value}" for name, value in details.items() if value not in (None, "")]
