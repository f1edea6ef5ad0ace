"""The commands that change what waits. Each says how many recipients first, and asks."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from angarium.cli.called import message_called
from angarium.cli.client import ControlClient
from angarium.cli.options import Failure, data_option, json_option
from angarium.cli.output import amount, console, print_json, warn
from angarium.cli.tables import clean
from angarium.cli.where import connect
from angarium.core.operations import Changed, Count

F = TypeVar("F", bound=Callable[..., Any])


class Order(NamedTuple):
    """What the operator wants. *done* is the past participle that the sentences use."""

    action: str
    done: str
    selection: dict[str, str | None]
    target: str = ""
    note: str = ""
    quiet: bool = False


def selection_options(command: F) -> F:
    """Add the options that say which recipients, and those that all actions have."""
    for option in reversed(
        (
            click.option("--domain", metavar="DOMAIN", help="Recipients of this routing domain."),
            click.option("--binding", metavar="BINDING", help="Recipients of this binding."),
            click.option(
                "--message",
                metavar="ID",
                help="Recipients of this message: its id or Message-ID, or their beginning.",
            ),
            click.option("--state", type=click.Choice(["queued", "held"]), help="Recipients in this state."),
            click.option(
                "--all", "everything", is_flag=True, help="All recipients of the node; must be said."
            ),
            click.option("--yes", is_flag=True, help="Do not ask."),
            click.option("--dry-run", is_flag=True, help="Say how many, and change nothing."),
            data_option,
            json_option,
        )
    ):
        command = option(command)
    return command


def _order(action: str, done: str, given: dict[str, Any], **more: Any) -> Order:
    selection = {name: given[name] for name in ("domain", "binding", "message", "state")}
    chosen = any(value is not None for value in selection.values())
    if chosen and given["everything"]:
        raise click.UsageError("--all is for all recipients; leave out the other selections, or --all")
    if not chosen and not given["everything"]:
        raise click.UsageError("say which: --domain, --binding, --message, --state, or --all for everything")
    return Order(action, done, selection, **more)


def carry_out(order: Order, yes: bool, dry_run: bool, data: Path | None, as_json: bool) -> None:
    """Count, ask unless *yes*, change, and say what was changed."""
    if order.selection["message"]:
        order.selection["message"], data = message_called(order.selection["message"], data)
    with connect(data) as client:
        asked = {"selection": order.selection, "action": order.action}
        count = client.call("count", asked, kind=Count)
        changed = Changed()
        if dry_run or not count.waiting:
            if not dry_run and order.action == "flush":
                _change(client, order, 0)  # has the DNS asked anew, for mail yet to come
            if not as_json:
                _say_count(order, count, "would be")
        else:
            if not yes:
                _say_count(order, count, "will be", err=as_json)
                _ask()
            changed = _change(client, order, count.waiting)
            if not as_json:
                click.echo(_sentence(changed.changed, f"{order.done}", changed.in_flight))
    if as_json:
        print_json({"action": order.action, "matched": count, "changed": changed, "dry_run": dry_run})
    warn(count.problems if dry_run else changed.problems)


def _say_count(order: Order, count: Count, tense: str, err: bool = False) -> None:
    done = f"{order.done} to {clean(order.target)}" if order.target else order.done
    click.echo(_sentence(count.waiting, f"{tense} {done}", count.in_flight), err=err)


def _sentence(count: int, done: str, in_flight: int) -> str:
    left = f"; {in_flight} in flight left alone" if in_flight else ""
    return f"{amount(count, 'recipient')} {done}{left}"


def _ask() -> None:
    try:
        click.confirm("Go on?", abort=True, err=True)
    except click.Abort as abort:
        raise Failure("nothing was changed; --yes answers the question beforehand") from abort


def _change(client: ControlClient, order: Order, waiting: int) -> Changed:
    args = {
        "action": order.action,
        "selection": order.selection,
        "target": order.target,
        "note": order.note,
        "quiet": order.quiet,
    }
    if not sys.stderr.isatty():
        return client.call("act", args, kind=Changed)
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(order.done, total=waiting)
        return client.call(
            "act", args, kind=Changed, on_item=lambda item: progress.update(task, completed=item["done"])
        )


@click.command()
@selection_options
def flush_command(yes: bool, dry_run: bool, data: Path | None, as_json: bool, **given: Any) -> None:
    """Have waiting mail tried now: what is delayed is due at once.

    Also for the selected domains, without any mail as well: the DNS is asked anew, addresses that rest after failures
    are tried at once, and a queue that is delayed as a whole is probed. Limits, throttles and Suspend_Delivery stay in
    force: they let mail go as they did before. What is held stays held (see `release`), and tries are counted on.
    """
    carry_out(_order("flush", "made due", given), yes, dry_run, data, as_json)


@click.command()
@selection_options
def hold_command(yes: bool, dry_run: bool, data: Path | None, as_json: bool, **given: Any) -> None:
    """Set queued mail aside until it is released.

    It is not tried meanwhile, whatever falls due, and mail that comes later is not held. It still expires.
    """
    carry_out(_order("hold", "held", given), yes, dry_run, data, as_json)


@click.command()
@selection_options
def release_command(yes: bool, dry_run: bool, data: Path | None, as_json: bool, **given: Any) -> None:
    """Give held mail back to its queues, due at once.

    Also what was held after an attempt that may have delivered it (Ambiguous_Delivery = hold), so that it may be
    delivered twice. As with `flush`, the DNS is asked anew, and addresses that rest are tried.
    """
    carry_out(_order("release", "released", given), yes, dry_run, data, as_json)


@click.command()
@selection_options
@click.option("--quiet", is_flag=True, help="Do not notify the senders.")
@click.option("--reason", default="", help="Why, for the message's history.")
def fail_command(
    yes: bool, dry_run: bool, data: Path | None, as_json: bool, quiet: bool, reason: str, **given: Any
) -> None:
    """Give mail up: it is not delivered, and its senders are notified unless --quiet.

    Nothing brings it back; `angarium spool export` writes it to files before.
    """
    order = _order("fail", "failed", given, note=reason, quiet=quiet)
    carry_out(order, yes, dry_run, data, as_json)


@click.command()
@selection_options
@click.option(
    "--to",
    "target",
    required=True,
    metavar="DOMAIN",
    help="The routing domain to deliver to instead, or HOST:PORT.",
)
def reroute_command(
    yes: bool, dry_run: bool, data: Path | None, as_json: bool, target: str, **given: Any
) -> None:
    """Send mail by way of another domain's hosts; the recipients' addresses stay as they are.

    What is queued is due at once, and held mail stays held. Mail that comes later goes its usual way: a Gateway or
    Routes in the configuration changes that.
    """
    carry_out(_order("reroute", "rerouted", given, target=target), yes, dry_run, data, as_json)


@click.command()
@selection_options
@click.option("--to", "target", required=True, metavar="BINDING", help="The binding to deliver from instead.")
def rebind_command(
    yes: bool, dry_run: bool, data: Path | None, as_json: bool, target: str, **given: Any
) -> None:
    """Send mail from another binding: from its addresses, within its limits.

    What is queued is due at once, and held mail stays held. Mail that comes later takes the binding that it would have
    taken.
    """
    carry_out(_order("rebind", "rebound", given, target=target), yes, dry_run, data, as_json)
