"""Backups of a whole node, made while it runs, and a node made of one."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from angarium.backup.copier import Pace
from angarium.backup.hold import Held, hold_all
from angarium.backup.make import Source, make_backup
from angarium.backup.manifest import ELSEWHERE, Manifest, read_manifest
from angarium.backup.restore import check_backup, restore
from angarium.cli.identity.store import StorePlace, files_of_store, in_use, store_options
from angarium.cli.options import Failure
from angarium.cli.output import amount, console, print_json, size
from angarium.cli.tables import clean
from angarium.cli.times import moment, span
from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.core.errors import AngariumError
from angarium.engine.view import ConfigView
from angarium.node.spools import settings_of
from angarium.spool.offline.check import check_spool
from angarium.spool.offline.survey import partitions

_MB = 1_000_000
_PRIORITY = 10
"""How far the work stands back behind the node's, as of nice(1)."""


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Megabytes a second at most.  [default: no limit]",
)
@click.option(
    "--without-keys", is_flag=True, help="Leave out the key file and certificates; keep copies elsewhere."
)
@store_options
def backup_command(
    target: Path, rate: float | None, without_keys: bool, place: StorePlace, as_json: bool
) -> None:
    """Copy all that a node keeps into the new folder TARGET, while it runs or not.

    Every message acknowledged before it began is in it. The node neither stops nor waits.
    """
    began = time.monotonic()
    source = _source(place, with_keys=not without_keys)
    os.nice(_PRIORITY)
    with _bar("copying", as_json) as (begin, step):
        made = make_backup(
            source, target.absolute(), Pace(rate and rate * _MB), begin, lambda _, count: step(count)
        )
    seconds = time.monotonic() - began
    if as_json:
        print_json({"backup": str(target.absolute()), **_told(made), "seconds": round(seconds, 3)})
        return
    click.echo(
        clean(
            f"{target}: {amount(len(made.files), 'file')}, {size(made.size_bytes)} in {span(seconds)}. Every message "
            f"acknowledged before {moment(made.made_at)} is in it."
        )
    )
    for sentence in _about_backup(made):
        click.echo(clean(sentence))


def _source(place: StorePlace, *, with_keys: bool) -> Source:
    place = in_use(place)
    config = load_config(place.config)
    data = (place.data or config.globals.data_directory).absolute()
    store = files_of_store(config, data)
    return Source(data, config, place.config, store.keys, store.database, store.where, with_keys)


def _told(manifest: Manifest) -> dict[str, object]:
    """Return what there is to tell of a backup, without the list of its files."""
    told = {name: getattr(manifest, name) for name in manifest.__struct_fields__ if name != "files"}
    return {**told, "files": len(manifest.files), "size_bytes": manifest.size_bytes}


def _about_backup(made: Manifest) -> Iterator[str]:
    if made.identity_at:
        yield f"Not in it: the identity store in {made.identity_at}; pg_dump copies that."
    if made.without_keys:
        yield "Not in it: the key file and certificates. Without the key file, kept secrets and DKIM keys are lost."
    else:
        yield "It holds the node's keys: whoever can read it can send and sign as you."


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@click.option(
    "--hold/--send",
    "hold",
    default=True,
    help="Hold all mail until somebody has looked, or let it go when the node starts.  [default: hold]",
)
@click.option("--dry-run", is_flag=True, help="Read and check the whole backup; restore nothing.")
@store_options
def restore_command(backup: Path, hold: bool, dry_run: bool, place: StorePlace, as_json: bool) -> None:
    """Make an empty data folder (--data) of the backup in the folder BACKUP.

    What the node delivered after the backup would be delivered again: so all mail is held, until `angarium release`.
    """
    manifest = read_manifest(backup)
    if dry_run:
        with _bar("checking", as_json) as (begin, step):
            begin(manifest.size_bytes)
            check_backup(backup, lambda _, count: step(count))
        _say_checked(backup, manifest, as_json)
        return
    config = _config_for(backup, manifest, place.config)
    data = (place.data or config.globals.data_directory).absolute()
    restored = _restore(backup, manifest, data, config, hold, as_json)
    if as_json:
        print_json({"data": str(data), **_told(manifest), **restored._asdict()})
        return
    for sentence in _about_restored(manifest, restored, data, config):
        click.echo(clean(sentence))
    for problem in restored.problems:
        click.echo(f"angarium: {clean(problem)}", err=True)


class _Restored(NamedTuple):
    """How many recipients wait, and were held just now; *too_old* of those expire when the node starts.

    *elsewhere*: files to be put into their places by hand.
    """

    recipients: int
    held: int
    too_old: int
    elsewhere: list[str]
    problems: list[str]


def _restore(
    backup: Path, manifest: Manifest, data: Path, config: Config, hold: bool, as_json: bool
) -> _Restored:
    found: list[_Restored] = []
    note = f"restored from the backup of {moment(manifest.made_at)}"

    def finish(_: Manifest) -> None:
        spool = data / "spool"
        there = partitions(spool)
        held = hold_all(there, settings_of(config, ConfigView(config)), time.time(), note) if hold else Held()
        checks = check_spool(spool) if there else []
        problems = [f"{check.path}: {problem}" for check in checks for problem in check.problems]
        elsewhere = [
            file.path.removeprefix(ELSEWHERE)
            for file in manifest.files
            if file.path.startswith(f"{ELSEWHERE}/")
        ]
        found.append(_Restored(sum(check.recipients for check in checks), *held, elsewhere, problems))

    with _bar("restoring", as_json) as (begin, step):
        begin(manifest.size_bytes)
        restore(backup, data, finish, lambda _, count: step(count))
    return found[0]


def _config_for(backup: Path, manifest: Manifest, given: Path | None) -> Config:
    """Return the configuration that says which queues held mail is in: the one given, or the one in the backup."""
    main = given or (backup / manifest.configuration if manifest.configuration else None)
    try:
        return load_config(main)
    except AngariumError as error:
        if given is not None:
            raise
        raise Failure(
            f"the configuration in the backup cannot be read from there; name one with --config: {error}"
        ) from error


def _say_checked(backup: Path, manifest: Manifest, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **_told(manifest)})
        return
    click.echo(
        clean(
            f"{backup} is whole: {amount(len(manifest.files), 'file')}, {size(manifest.size_bytes)}, of "
            f"{moment(manifest.made_at)}, made by Angarium {manifest.angarium} on {manifest.host}"
        )
    )


def _about_restored(manifest: Manifest, restored: _Restored, data: Path, config: Config) -> Iterator[str]:
    at = moment(manifest.made_at)
    yield f"{data} is the node {manifest.host} as it was at {at}. Mail that it took later is not in it."
    if restored.recipients:
        yield from _about_mail(manifest, restored, at)
    if manifest.identity_at:
        yield f"The identity store was in {manifest.identity_at}: see that it is there."
    if manifest.without_keys:
        yield f"The key file is not in the backup: put your copy at {files_of_store(config, data).keys}, mode 0600."
    if restored.elsewhere:
        yield f"These were elsewhere, and lie in {data / ELSEWHERE}: put them into their places."
        yield from (f"  {path}" for path in restored.elsewhere)
    if config.globals.spoolbase is not None:
        yield f"Spoolbase is {config.globals.spoolbase}: move {data / 'spool'} there."
    if os.geteuid() == 0 and data.stat().st_uid == 0:
        yield f"It belongs to root: chown -R {data} to the user that the node runs as."


def _about_mail(manifest: Manifest, restored: _Restored, at: str) -> Iterator[str]:
    waiting = amount(restored.recipients, "recipient")
    if manifest.running:
        yield (
            f"{waiting} wait. What was delivered to them after {at} would be delivered twice: that is {waiting} at "
            "most."
        )
    else:
        yield f"{waiting} wait. The node stood still; unless it was started again, none of them has been served since."
    if restored.held:
        yield (
            f"{restored.held} of them are held now: look with `angarium queue`, then `angarium release --all`, or "
            "`angarium fail --quiet` for those that have got their mail."
        )
    else:
        yield "Their mail leaves when the node starts."
    if restored.too_old:
        yield (
            f"{restored.too_old} of them are so old that they will be reported as failed when the node starts; set "
            "Message_Expiration in the configuration higher before, if you do not want that."
        )


@contextmanager
def _bar(what: str, as_json: bool) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Show progress in bytes on a terminal: yields what is told the total, and what is told each step."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    shown = sys.stderr.isatty() and not as_json
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(what, total=None)
        yield (lambda total: bar.update(task, total=total)), (lambda count: bar.advance(task, count))
