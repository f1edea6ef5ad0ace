"""Asking a node how it is, and having it read its configuration."""

import time
from pathlib import Path

import click

from angarium.cli.options import (
    data_option,
    finish,
    json_option,
)
from angarium.cli.output import print_json, print_lines, warn
from angarium.cli.tables import clean
from angarium.cli.times import span
from angarium.cli.where import connect
from angarium.cli.words import conditions_told, headline, lately_told
from angarium.core.operations import Status


@click.command()
@data_option
@json_option
def reload_command(data: Path | None, as_json: bool) -> None:
    """Have the node read its configuration again; a bad file leaves the old one in force.

    What changes only with a new start is said. Exit code 1 when the file has problems, which are all told; SIGHUP does
    the same and writes them to the log.
    """
    with connect(data) as client:
        result = client.call("reload", kind=dict)
    if as_json:
        print_json(result)
        return
    click.echo(f"generation {result['generation']} is in force")
    for listener in result["changed_listeners"]:
        click.echo(
            f"listener {clean(listener)} has changed: its sessions are asked to come again (421 4.3.2)"
        )
    for option in result["needs_restart"]:
        click.echo(f"{clean(option)} has changed: it takes effect when the node is started again")
    for warning in result["warnings"]:
        click.echo(f"warning: {clean(warning)}")


@click.command()
@data_option
@json_option
def status_command(data: Path | None, as_json: bool) -> None:
    """Say whether the node takes mail, and what waits.

    Exit code 1 when it is not ready (mail would be refused now) or unwell (a person must look).
    """
    with connect(data) as client:
        status = client.call("status", kind=Status)
    if as_json:
        print_json(status)
    else:
        _print(status)
    finish(not status.health.not_ready and not status.health.unwell)


def _print(status: Status) -> None:
    now, node = time.time(), status.node
    print_lines(conditions_told(status.health))
    print_lines(headline(status.totals, now))
    if status.lately is not None:
        print_lines([lately_told(status.lately)])
    where = f"{node.config}, generation {node.generation}" if node.config else "the built-in configuration"
    up = span(now - node.started_at)
    print_lines([f"angarium {node.version}, process {node.pid}, up {up}, {node.workers} workers, {where}"])
    print_lines(f"  {listener} on {address}" for listener, address in node.addresses.items())
    warn(status.problems)
