"""What the commands share: options, exit codes, and the node they speak to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from angarium.cli.client import ControlClient, NoNode
from angarium.cli.output import clean
from angarium.core.errors import AngariumError

EXIT_OK = 0
EXIT_NO = 1
"""The answer is no: not ready, not found, problems found, refused, not confirmed."""
EXIT_NO_NODE = 3

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: one document, or lines for streams."
)


def data_option(command: F) -> F:
    """Add --data, the data folder of the node: also ANGARIUM_DATA, by default ./data."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_DATA",
        default=Path("data"),
        show_default="./data, or ANGARIUM_DATA",
        help="Data folder of the node.",
    )(command)


def configured_data_option(command: F) -> F:
    """Add --data where a configuration is read, which may name the folder: None when only that can say."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        envvar="ANGARIUM_DATA",
        show_default="ANGARIUM_DATA, Data_Directory, or ./data",
        help="Data folder of the node.",
    )(command)


class Failure(click.ClickException):
    """Ends a command with a sentence on standard error."""

    exit_code = EXIT_NO

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(f"angarium: {self.message}", file=file, err=file is None)


class Unreachable(Failure):
    """There is nobody who could answer."""

    exit_code = EXIT_NO_NODE


class Command(click.Group):
    """A group of commands that turns errors with a sentence into exit codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Bytes that are no text would be refused by whatever is asked later, in its own way."""
        for text in args:
            if not text.isprintable() and any("\ud800" <= char <= "\udfff" for char in text):
                raise click.UsageError(f"the argument {clean(text)} is not UTF-8; write it in UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except NoNode as error:
            raise Unreachable(str(error)) from error
        except AngariumError as error:
            raise Failure(str(error)) from error


def finish(ok: bool) -> None:
    """End the command: exit code 0, or 1 when the answer is no."""
    click.get_current_context().exit(EXIT_OK if ok else EXIT_NO)


def connect(data: Path) -> ControlClient:
    """Return a connection to the node. Raises NoNode."""
    return ControlClient(data)
