"""Who must not get mail: looked at, written, removed, undone, brought in and taken out."""

import csv
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, get_args

import click

from angarium.cli.identity.options import moment, row_id
from angarium.cli.identity.pick import pick_account, pick_server
from angarium.cli.identity.store import Opened, StorePlace, confirm, open_store, say, store_options
from angarium.cli.identity.words import record
from angarium.cli.options import Failure
from angarium.cli.output import amount, print_json, print_json_line, print_lines, print_table, progress_of
from angarium.cli.tables import Column, Row, Toned, clean
from angarium.cli.times import rfc3339
from angarium.core.ids import format_id, parse_id
from angarium.suppressions.decide import REASON_WORDS
from angarium.suppressions.exchange import COLUMNS, CsvLine, read_lines, row_of_csv
from angarium.suppressions.records import (
    ALL_BROADCAST,
    ALL_TRANSACTIONAL,
    EVERYTHING,
    Cause,
    CauseFilter,
    NewCause,
    Origin,
    Reason,
    stream_scope,
)

if TYPE_CHECKING:  # see cli.identity.store
    from angarium.suppressions.store.ledger import Suppressions

F = TypeVar("F", bound=Callable[..., Any])

_BATCH: Final = 500
_SHOWN: Final = 20
"""Lines that are wrong are named up to so many."""
_LISTING: Final = (
    Column("ID", numeric=True),
    Column("SUPPRESSED", flexible=True),
    Column("OF"),
    Column("REASON"),
    Column("SINCE"),
    Column("BY", yields=True),
)


def _given(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_whose = _given(
    click.option("--account", help="Whose list; id or name; needed when there are several."),
    click.option("--node", is_flag=True, help="The list of the node, for the mail of all accounts."),
    click.option("--server", help="With --stream: whose stream; id or name."),
    click.option("--stream", help="For mail of this stream only."),
    click.option(
        "--mail",
        type=click.Choice(["all", "transactional", "broadcast"]),
        help="For mail of this kind only.  [default: all]",
    ),
)
_reason = click.option("--reason", type=click.Choice(get_args(Reason)), help="Only those with this reason.")
_filters = _given(
    _reason,
    click.option("--origin", type=click.Choice(get_args(Origin)), help="Only those written by this."),
    click.option("--domain", help="Only addresses of this domain."),
    click.option("--run", help="Only those of this run of an import."),
    click.option("--provider", help="Only those that this provider has answered."),
    click.option("--class", "bounce_class", type=int, help="Only those of this bounce class."),
    click.option("--since", type=moment, help="Only those written from then on."),
    click.option("--until", type=moment, help="Only those written before."),
)
_page = _given(
    click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows."),
    click.option("--after", type=row_id, metavar="ID", help="Go on behind this id."),
)


@click.group()
def suppressions_command() -> None:
    """Manage who must not get mail: addresses, domains (example.com, *.example.com) and /patterns/."""


@suppressions_command.command("list")
@_whose
@_filters
@click.option("--all", "everything", is_flag=True, help="Also what is undone, lifted or expired.")
@_page
@store_options
def list_command(
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    everything: bool,
    limit: int,
    after: int | None,
    place: StorePlace,
    as_json: bool,
    **filters: Any,
) -> None:
    """List what suppresses now, the oldest first; of all accounts where none is named."""
    _list(_Asked(account, node, server, stream, mail), filters, everything, limit, after, place, as_json)


@suppressions_command.command("search")
@click.argument("text")
@_whose
@_filters
@click.option("--all", "everything", is_flag=True, help="Also what is undone, lifted or expired.")
@_page
@store_options
def search_command(
    text: str,
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    everything: bool,
    limit: int,
    after: int | None,
    place: StorePlace,
    as_json: bool,
    **filters: Any,
) -> None:
    """List what suppresses now and has TEXT in it. Of millions that takes seconds; for an address use `show`."""
    asked = _Asked(account, node, server, stream, mail)
    _list(asked, {**filters, "text": text}, everything, limit, after, place, as_json)


@suppressions_command.command("show")
@click.argument("address")
@click.option("--account", help="Of this account's lists only; id or name.")
@store_options
def show_command(address: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Tell all that is known of an address, domain or pattern: what suppresses it, and what once did.

    Exit code 1 when nothing suppresses it.
    """
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id if account is not None else None
        chosen = CauseFilter(what=address, accounts=(owner, None) if owner is not None else None)
        causes = opened.store.suppressions.page(chosen, limit=1_000)
    now = time.time()
    standing = [cause for cause in causes if cause.stands(now)]
    if as_json:
        print_json({"suppressed": bool(standing), "causes": list(map(_told, causes))})
    else:
        print_lines([_sentence(address, standing)])
        if causes:
            print_table(_LISTING, [_row(cause, now, history=True) for cause in causes])
    if not standing:
        raise click.exceptions.Exit(1)


@suppressions_command.command("add")
@click.argument("what", nargs=-1, required=True)
@_whose
@click.option(
    "--reason", type=click.Choice(get_args(Reason)), help="Why.  [default: manual; with --node compliance]"
)
@click.option("--expires", type=moment, help="Until when: 90d, a date, or never.  [default: never]")
@click.option("--note", default="", help="A few words for those who look at it later.")
@store_options
def add_command(
    what: tuple[str, ...],
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    reason: Reason | None,
    expires: float | str | None,
    note: str,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Suppress addresses, domains or /patterns/: mail to them is taken, and not sent."""
    until = expires if isinstance(expires, float) else None
    with open_store(place) as opened:
        make = _maker(opened, _Asked(account, node, server, stream, mail), "cli", until, note)
        why = reason or ("compliance" if node else "manual")
        added = opened.store.suppressions.add(
            [make(what=each, reason=why) for each in what], actor=opened.actor
        )
    known = f", {added.known} were there already" if added.known else ""
    say(f"{amount(len(added.ids), 'suppression')} added{known}", as_json, record(added))


@suppressions_command.command("remove")
@click.argument("what", nargs=-1, required=True)
@_whose
@click.option("--note", default="", help="A few words for those who look at it later.")
@store_options
def remove_command(
    what: tuple[str, ...],
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    note: str,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Take addresses off the list: what had happened to them by now counts no more; what happens from now on does.

    Without --stream or --mail they are taken off all lists of the account. Exit code 1 when none was on one.
    """
    with open_store(place) as opened:
        make = _maker(opened, _Asked(account, node, server, stream, mail), "cli", None, note)
        lifted = opened.store.suppressions.allow(
            [make(what=each, reason="compliance") for each in what], actor=opened.actor
        )
    say(
        f"{amount(lifted, 'suppression')} lifted" if lifted else "nothing was on that list",
        as_json,
        {"lifted": lifted},
    )
    if not lifted:
        raise click.exceptions.Exit(1)


@suppressions_command.command("undo")
@click.argument("ids", nargs=-1, type=row_id)
@_whose
@_filters
@click.option("--event", type=int, help="What this event has caused.")
@click.option("--message", help="What this message has caused; its id.")
@click.option("--address", help="What suppresses this address.")
@click.option("--removals", is_flag=True, help="Undo removals: what they had lifted holds again.")
@click.option("--dry-run", is_flag=True, help="Say how many there are; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def undo_command(
    ids: tuple[int, ...],
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    event: int | None,
    message: str | None,
    address: str | None,
    removals: bool,
    dry_run: bool,
    yes: bool,
    place: StorePlace,
    as_json: bool,
    **filters: Any,
) -> None:
    """Make it as if causes had never been: those with these IDS, or all of which the options hold.

    What another cause suppresses stays suppressed.
    """
    said: dict[str, Any] = {"ids": ids or None, "event": event, "what": address}
    said["message"] = _message(message) if message else None
    if not node and all(
        value is None for value in (*said.values(), *filters.values(), account, stream, mail)
    ):
        raise Failure("say which: give ids as `list` shows them, or an option such as --run or --provider")
    said["effect"] = "allow" if removals else None if ids else "suppress"
    with open_store(place) as opened:
        ledger = opened.store.suppressions
        asked = _Asked(account, node, server, stream, mail)
        chosen = _filter(opened, asked, {**filters, **said, "undone": False})
        count = ledger.count(chosen)
        if dry_run or not count:
            say(f"{amount(count, 'cause')} would be undone", as_json, {"would_undo": count})
            return
        confirm(f"{amount(count, 'cause')} will be undone.", yes or as_json)
        with progress_of("undoing") as told:
            done = ledger.undo(chosen, actor=opened.actor, progress=lambda so_far: told(so_far, count))
    say(f"{amount(done, 'cause')} undone", as_json, {"undone": done})


@suppressions_command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@_whose
@click.option("--run", help="How the run is called, for `undo --run`.  [default: import and the time]")
@click.option("--dry-run", is_flag=True, help="Say what is wrong; write nothing.")
@store_options
def import_command(
    file: Path,
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    run: str | None,
    dry_run: bool,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Bring in a CSV file, or - for standard input: addresses, and what else its columns say.

    The first line names the columns: address (email, recipient), reason, scope (type), at, expires_at, note; others are
    passed over, and without names the first column is the address. Files of Postmark and SparkPost are read as they
    are. Lines that are wrong are named and left out; exit code 1 when there were any.
    """
    called = run or f"import {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    with open_store(place) as opened, _opened(file) as lines:
        asked = _Asked(account, node, server, stream, mail)
        make = _maker(opened, asked, "import", None, "", called)
        scope = _scope(opened, asked) or EVERYTHING
        told = _import(opened, read_lines(lines.read(), make, time.time(), scope), lines, dry_run=dry_run)
    would = "would be " if dry_run else ""
    sentence = f"{amount(told.added, 'suppression')} {would}added"
    if not dry_run:
        sentence += f" in the run {called!r}, {told.known} were there already"
    say(f"{sentence}, {amount(told.wrong, 'line')} wrong", as_json, {**told._asdict(), "run": called})
    if told.wrong:
        raise click.exceptions.Exit(1)


@suppressions_command.command("export")
@_whose
@_filters
@click.option("--all", "everything", is_flag=True, help="Also what is undone, lifted or expired.")
@store_options
def export_command(
    account: str | None,
    node: bool,
    server: str | None,
    stream: str | None,
    mail: str | None,
    everything: bool,
    place: StorePlace,
    as_json: bool,
    **filters: Any,
) -> None:
    """Write what suppresses now to standard output, as CSV that `import` reads; with --json a line each."""
    with open_store(place) as opened:
        chosen = _filter(opened, _Asked(account, node, server, stream, mail), filters, everything)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if not as_json:
            writer.writerow(COLUMNS)
        for cause in _all(opened.store.suppressions, chosen):
            if as_json:
                print_json_line(_told(cause))
            else:
                writer.writerow(row_of_csv(cause))


# -- whose, and which


class _Asked(NamedTuple):
    """The options that say whose list."""

    account: str | None
    node: bool
    server: str | None
    stream: str | None
    mail: str | None


def _scope(opened: Opened, asked: _Asked) -> str | None:
    if asked.stream is not None:
        owner = pick_account(opened.store, asked.account).id if asked.account is not None else None
        server = pick_server(opened.store, asked.server, owner)
        return stream_scope(server.id, opened.store.streams.get(server.id, asked.stream).id)
    kinds = {"all": EVERYTHING, "transactional": ALL_TRANSACTIONAL, "broadcast": ALL_BROADCAST}
    return kinds[asked.mail] if asked.mail is not None else None


def _account(opened: Opened, asked: _Asked) -> int | None:
    """Return the account that something is written for; None is the node."""
    if asked.node:
        if asked.account is not None or asked.stream is not None:
            raise Failure("--node is for all accounts: leave --account and --stream out")
        return None
    if asked.stream is not None and asked.account is None:
        return pick_server(opened.store, asked.server).account
    return pick_account(opened.store, asked.account).id


def _maker(
    opened: Opened, asked: _Asked, origin: Origin, expires_at: float | None, note: str, run: str = ""
) -> Callable[..., NewCause]:
    account, scope, now = _account(opened, asked), _scope(opened, asked) or EVERYTHING, time.time()
    given = {"scope": scope, "at": now, "expires_at": expires_at, "note": note}

    def make(**said: Any) -> NewCause:
        return NewCause(account=account, origin=origin, run=run, **{**given, **said})

    return make


def _filter(opened: Opened, asked: _Asked, filters: dict[str, Any], everything: bool = True) -> CauseFilter:
    said = {name: value for name, value in filters.items() if value not in (None, "never")}
    for name, many in (("reason", "reasons"), ("origin", "origins")):
        if name in said:
            said[many] = (said.pop(name),)
    if asked.node:
        said["accounts"] = (None,)
    elif asked.account is not None:
        said["accounts"] = (pick_account(opened.store, asked.account).id,)
    scope = _scope(opened, asked)
    if scope is not None:
        said["scopes"] = (scope,)
    return CauseFilter(**said, standing_at=None if everything else time.time())


def _message(text: str) -> bytes:
    try:
        return parse_id(text)
    except ValueError as error:
        raise Failure(str(error)) from error


# -- told


def _list(
    asked: _Asked,
    filters: dict[str, Any],
    everything: bool,
    limit: int,
    after: int | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    with open_store(place) as opened:
        chosen = _filter(opened, asked, filters, everything)
        found = opened.store.suppressions.page(chosen, after, limit)
    if as_json:
        print_json(list(map(_told, found)))
        return
    print_table(_LISTING, [_row(cause, time.time(), history=everything) for cause in found])
    if len(found) == limit:
        click.echo(f"there may be more: --after {found[-1].id}", err=True)


def _told(cause: Cause) -> dict[str, Any]:
    told: dict[str, Any] = record(cause)
    return {**told, "message": format_id(cause.message) if cause.message is not None else None}


def _row(cause: Cause, now: float, *, history: bool) -> Row:
    is_over = history and not cause.stands(now)
    tone = "dim" if is_over else ""
    cells = (
        str(cause.id),
        clean(cause.what),
        _of(cause),
        ("removed" if cause.effect == "allow" else REASON_WORDS[cause.reason]),
        rfc3339(cause.at)[:19] + "Z",
        clean(cause.actor),
    )
    until = f"until {rfc3339(cause.expires_at)[:19]}Z" if cause.expires_at is not None else ""
    details = [
        clean(each) for each in (until, cause.reply, cause.note, _end(cause, now) if history else "") if each
    ]
    return Row([Toned(cell, tone) for cell in cells], details)  # type: ignore[arg-type]


def _of(cause: Cause) -> str:
    whose = "node" if cause.account is None else f"account {cause.account}"
    return whose if cause.scope == EVERYTHING else f"{whose} {cause.scope}"


def _end(cause: Cause, now: float) -> str:
    if cause.undone_at is not None:
        return f"undone {rfc3339(cause.undone_at)[:19]}Z by {cause.undone_by}"
    if cause.lifted_by is not None:
        return f"lifted by {cause.lifted_by}"
    return "expired" if cause.expires_at is not None and cause.expires_at <= now else ""


def _sentence(address: str, standing: list[Cause]) -> Toned:
    if not standing:
        return Toned(f"{clean(address)} is not suppressed", "good")
    which = ", ".join(dict.fromkeys(f"{REASON_WORDS[each.reason]} ({_of(each)})" for each in standing))
    return Toned(f"{clean(address)} is suppressed: {which}", "bad")


def _all(ledger: "Suppressions", chosen: CauseFilter) -> Iterator[Cause]:
    after: int | None = None
    while page := ledger.page(chosen, after, _BATCH):
        yield from page
        after = page[-1].id


# -- brought in


class _Imported(NamedTuple):
    """What became of the lines of a file."""

    added: int = 0
    known: int = 0
    wrong: int = 0


class _File:
    """A file of lines that is read once, and how far it is."""

    def __init__(self, path: Path) -> None:
        self._stream = sys.stdin.buffer if str(path) == "-" else _open(path)
        self.size_bytes = 0 if str(path) == "-" else path.stat().st_size
        self.done_bytes = 0

    def read(self) -> Iterator[str]:
        """Yield the lines."""
        for line in self._stream:
            self.done_bytes += len(line)
            yield line.decode("utf-8-sig", "replace")

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error


def _opened(path: Path) -> _File:
    return _File(path)


def _import(opened: Opened, lines: Iterator[CsvLine], file: _File, *, dry_run: bool) -> _Imported:
    told = _Imported()
    with progress_of("importing") as progress:
        while batch := list(islice(lines, _BATCH)):
            wrong = [line for line in batch if line.cause is None]
            for line in wrong[: max(0, _SHOWN - told.wrong)]:
                click.echo(f"line {line.number}: {clean(line.problem)}", err=True)
            causes = [line.cause for line in batch if line.cause is not None]
            added = len(causes), 0
            if causes and not dry_run:
                made = opened.store.suppressions.add(causes, actor=opened.actor)
                added = len(made.ids), made.known
            told = _Imported(told.added + added[0], told.known + added[1], told.wrong + len(wrong))
            progress(file.done_bytes, file.size_bytes)
    if told.wrong > _SHOWN:
        click.echo(f"… and {told.wrong - _SHOWN} more lines", err=True)
    return told
