"""What the commands share: options, exit codes, and the node they speak to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

EXIT_OK = 0
EXIT_NO = 1
"""The answer is no: not ready, not found, problems found, refused, not confirmed."""
EXIT_NO_NODE = 3

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: one document, or lines for streams."
)


def data_option(command: F) -> F:
    """Add --data, the data folder of the node: also ANGARIUM_DATA; None when neither is given (`where.connect`)."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_DATA",
        show_default="ANGARIUM_DATA, ./data, or where the node runs",
        help="Data folder of the node.",
    )(command)


def configured_data_option(command: F) -> F:
    """Add --data where a node is started: None when its configuration says which folder."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_DATA",
        show_default="ANGARIUM_DATA, Data_Directory, or ./data",
        help="Data folder of the node.",
    )(command)


def found_data_option(command: F) -> F:
    """Add --data where a running node or a configuration says which folder it is: None when only they can say."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_DATA",
        show_default="ANGARIUM_DATA, ./data, where the node runs, or Data_Directory",
        help="Data folder of the node.",
    )(command)


CONFIG_HERE = Path("angarium.conf")
"""What is read where nobody says another file, if it is there."""


def config_here() -> Path | None:
    """Return the configuration file of the current folder, if there is one."""
    return CONFIG_HERE if CONFIG_HERE.is_file() else None


def config_option(
    sentence: str, default: str = f"ANGARIUM_CONFIG, the running node's, or ./{CONFIG_HERE}"
) -> Callable[[F], F]:
    """Add --config, a configuration file, about which *sentence* speaks; *default* says what None stands for."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_CONFIG",
        show_default=default,
        help=sentence,
    )


class Failure(click.ClickException):
    """Ends a command with a sentence on standard error."""

    exit_code = EXIT_NO

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(f"angarium: {self.message}", file=file, err=file is None)


class Unreachable(Failure):
    """There is nobody who could answer."""

    exit_code = EXIT_NO_NODE


def finish(ok: bool) -> None:
    """End the command: exit code 0, or 1 when the answer is no."""
    click.get_current_context().exit(EXIT_OK if ok else EXIT_NO)
