"""Looking into a spool without a node: is it whole, and what unfinished mail does it hold. Both only read."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

import click

from angarium.cli.options import Failure, data_option, finish, json_option
from angarium.cli.output import amount, print_json, print_table, size
from angarium.cli.tables import Column, Row, clean
from angarium.cli.where import spool_folder
from angarium.spool.offline.check import PartitionCheck, check_spool
from angarium.spool.offline.export import export_eml, export_mbox, open_mbox

_COLUMNS = (
    Column("PARTITION", flexible=True),
    Column("IN USE"),
    Column("SEGMENTS", numeric=True),
    Column("USED", numeric=True),
    Column("LIVE", numeric=True),
    Column("SETTLED", numeric=True),
    Column("RECIPIENTS", numeric=True),
    Column("DAMAGED", numeric=True),
    Column("TORN", numeric=True, yields=True),
    Column("UNKNOWN", numeric=True, yields=True),
)


@click.group()
def spool_command() -> None:
    """Check a spool, or export its unfinished mail. Works beside a running node and without one."""


@spool_command.command("check")
@data_option
@json_option
def check_command(data: Path | None, as_json: bool) -> None:
    """Read every partition and say whether it is whole. Exit code 1 when there are problems.

    Run beside a busy node it may count a message twice or not yet.
    """
    found = check_spool(spool_folder(data))
    problems = [f"{check.path}: {problem}" for check in found for problem in check.problems]
    if as_json:
        print_json({"ok": not problems, "partitions": [_record(check) for check in found]})
    else:
        print_table(_COLUMNS, [_row(check) for check in found])
        for problem in problems:
            click.echo(clean(problem))
        recipients = sum(check.recipients for check in found)
        verdict = amount(len(problems), "problem") if problems else "no problems"
        click.echo(f"{verdict}; {amount(recipients, 'recipient')} to be served")
    finish(not problems)


def _row(check: PartitionCheck) -> Row:
    segments = check.segments
    sums = [
        str(len(segments)),
        size(sum(segment.used_bytes for segment in segments)),
        str(check.live),
        str(check.settled),
        str(check.recipients),
        str(sum(segment.damaged for segment in segments) + check.set_aside),
        size(sum(segment.torn_bytes for segment in segments)),
        str(sum(segment.unknown for segment in segments)),
    ]
    return Row([check.path.name, "yes" if check.in_use else "no", *sums])


def _record(check: PartitionCheck) -> dict[str, object]:
    return {**check._asdict(), "path": str(check.path)}


@spool_command.command("export")
@click.option("--mbox", type=click.Path(path_type=Path), help="Write one mbox file; - is standard output.")
@click.option(
    "--eml", type=click.Path(path_type=Path), help="Write ID.eml and ID.json per message into this folder."
)
@data_option
@json_option
def export_command(mbox: Path | None, eml: Path | None, data: Path | None, as_json: bool) -> None:
    """Write the unfinished mail to --mbox FILE or --eml DIR. Exit code 1 when some could not be read."""
    if (mbox is None) == (eml is None):
        raise click.UsageError("give --mbox FILE or --eml DIR")
    try:
        if eml is not None:
            result = export_eml(spool_folder(data), eml)
        else:
            with _opened(mbox) as out:
                result = export_mbox(spool_folder(data), out)
    except OSError as error:
        raise Failure(f"cannot write {mbox or eml}: {error.strerror}") from error
    to_stdout = str(mbox) == "-"
    if as_json and not to_stdout:
        print_json(result._asdict())
    else:
        text = f"{amount(result.messages, 'message')} for {amount(result.recipients, 'recipient')} written"
        click.echo(text, err=to_stdout)
    for failed in result.failed:
        click.echo(f"angarium: {clean(failed)}", err=True)
    finish(not result.failed)


def _opened(mbox: Path | None) -> AbstractContextManager[BinaryIO]:
    assert mbox is not None
    if str(mbox) == "-":
        return cast(AbstractContextManager[BinaryIO], click.open_file("-", "wb"))
    return open_mbox(mbox)
