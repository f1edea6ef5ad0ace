"""The `angarium` command."""

import sys
from pathlib import Path

import click


@click.group()
def main() -> None:
    """A self-hosted sending platform for email."""


@main.command()
@click.option("--config", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--workers", type=int)
def serve(config: Path | None, data: Path | None, workers: int | None) -> None:
    """Run a node."""
    from angarium.node.supervisor import run

    sys.exit(run(config, data, workers))
