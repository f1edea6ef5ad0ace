"""What waits, and why it waits."""

import time
from pathlib import Path
from typing import get_args

import click

from angarium.cli.options import data_option, json_option
from angarium.cli.output import amount, emphasised, print_json, print_lines, print_table, size, warn
from angarium.cli.tables import Cell, Column, Row, Toned, clean
from angarium.cli.times import brief, span
from angarium.cli.where import connect
from angarium.cli.words import QUEUE_COLUMNS, STATE_TONES, headline, next_try, queue_rows, recipient_lines
from angarium.core.operations import QueueOrder, Queues, RecipientRow, Recipients

_RECIPIENT_COLUMNS = (
    Column("MESSAGE"),
    Column("RECIPIENT", flexible=True),
    Column("SENDER", flexible=True, yields=True),
    Column("STATE"),
    Column("TRIES", numeric=True),
    Column("NEXT TRY"),
    Column("AGE", numeric=True),
    Column("SIZE", numeric=True, yields=True),
)


@click.group(invoke_without_command=True)
@click.option("--domain", metavar="DOMAIN", help="Only the queues of this routing domain.")
@click.option("--binding", metavar="BINDING", help="Only the queues of this binding.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many to list.")
@click.option("--all", "everything", is_flag=True, help="List every queue.")
@click.option(
    "--sort",
    type=click.Choice(get_args(QueueOrder)),
    default="waiting",
    show_default=True,
    help="What comes first: most waiting, oldest mail, most in flight, next try, or by name.",
)
@data_option
@json_option
@click.pass_context
def queue_command(
    ctx: click.Context,
    domain: str | None,
    binding: str | None,
    limit: int,
    everything: bool,
    sort: QueueOrder,
    data: Path | None,
    as_json: bool,
) -> None:
    """List the queues with most mail, and say what holds them.

    A queue is a binding and a routing domain. ACTIVE recipients are due, DELAYED wait for their time, HELD were set
    aside, those in FLIGHT are with a peer over so many CONNections; OLDEST is the age of the oldest. The first line
    says what holds most of them, and under each queue stands why, what was said last, and where its mail goes.
    """
    if ctx.invoked_subcommand is not None:
        return
    args = {"domain": domain, "binding": binding, "limit": None if everything else limit, "sort": sort}
    with connect(data) as client:
        queues = client.call("queues", args, kind=Queues)
    if as_json:
        print_json(queues)
    else:
        _print_queues(queues)


def _print_queues(queues: Queues) -> None:
    now = time.time()
    print_lines(emphasised(headline(queues.totals, now)))
    if queues.rows:
        click.echo()
        print_table(QUEUE_COLUMNS, queue_rows(queues.rows, now))
    hidden = queues.totals.queues - len(queues.rows)
    if hidden:
        click.echo(f"{amount(hidden, 'more queue')}; --all lists them")
    warn(queues.problems)


@queue_command.command("show")
@click.argument("domain")
@click.option("--binding", metavar="BINDING", help="Only mail of this binding.")
@click.option("--state", type=click.Choice(["queued", "held"]), help="Only recipients in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many to list."
)
@data_option
@json_option
def show_command(
    domain: str, binding: str | None, state: str | None, limit: int, data: Path | None, as_json: bool
) -> None:
    """List the recipients that wait for DOMAIN, those due first first, and say why each waits and what comes next."""
    args = {"domain": domain, "binding": binding, "state": state, "limit": limit}
    with connect(data) as client:
        recipients = client.call("recipients", args, kind=Recipients)
    if as_json:
        print_json(recipients)
    else:
        _print_recipients(domain, recipients)


def _print_recipients(domain: str, recipients: Recipients) -> None:
    now = time.time()
    if not recipients.rows:
        click.echo(f"No mail is waiting for {clean(domain)}.")
    else:
        print_table(_RECIPIENT_COLUMNS, [recipient_row(row, now) for row in recipients.rows])
    if recipients.more:
        click.echo("There are more; --limit lists them")
    warn(recipients.problems)


def recipient_row(row: RecipientRow, now: float) -> Row:
    """Return a recipient as a row of the listing."""
    age = brief(span(now - row.received_at)) if row.received_at is not None else "-"
    cells: list[Cell] = [
        row.message,
        row.recipient,
        f"<{row.sender}>",
        Toned(row.state, STATE_TONES.get(row.state, "")),
        str(row.attempts),
        next_try(row, now),
        age,
        size(row.size),
    ]
    return Row(cells, recipient_lines(row, now))
