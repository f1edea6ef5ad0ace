"""Running a node."""

from pathlib import Path

import click

from angarium.cli.identity.init import initialise
from angarium.cli.identity.store import StorePlace
from angarium.cli.options import configured_data_option


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), help="Configuration file; without it, the defaults."
)
@configured_data_option
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one per core]")
@click.option(
    "--init", "first", is_flag=True, help="Do what `angarium init --if-needed` does before the first start."
)
def serve_command(config: Path | None, data: Path | None, workers: int | None, first: bool) -> None:
    """Run a node in the foreground, until SIGTERM or Ctrl-C."""
    from angarium.node.supervisor import run  # the whole node: help does not wait for it

    if first:
        initialise(StorePlace(config, data), if_needed=True)
    click.get_current_context().exit(run(config, data, workers))
