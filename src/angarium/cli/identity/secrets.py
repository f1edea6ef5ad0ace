"""The keys under which secrets are kept."""

import sys

import click

from angarium.cli.identity.store import StorePlace, open_store, say, store_options
from angarium.cli.output import amount, console


@click.group()
def secrets_command() -> None:
    """Manage the keys under which secrets are encrypted in the store."""


@secrets_command.command("rotate")
@click.option(
    "--keep-old", is_flag=True, help="Keep the old keys: other nodes have not got the new file yet."
)
@store_options
def rotate_command(keep_old: bool, place: StorePlace, as_json: bool) -> None:
    """Encrypt all secrets under a new key and drop the old ones. Can be broken off and run again."""
    from rich.progress import Progress

    shown = sys.stderr.isatty() and not as_json
    with (
        open_store(place) as opened,
        Progress(console=console(stderr=True), transient=True, disable=not shown) as progress,
    ):
        task = progress.add_task("encrypting", total=None)
        opened.ring.rotate()
        count = opened.store.secrets.rotate(
            opened.ring,
            keep_old=keep_old,
            actor=opened.actor,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    say(f"{amount(count, 'secret')} encrypted under a new key", as_json, {"encrypted": count})
