"""Options of the commands that make or change a webhook."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

import click

from angarium.identity.webhooks import WebhookAuth

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--type",
        "types",
        multiple=True,
        metavar="TYPE",
        help="What it is told of; may be given several times.  [default: all of `angarium webhooks types`]",
    ),
    click.option(
        "--first-opens/--all-opens", default=None, help="Whether of several openings only the first is told."
    ),
    click.option(
        "--parallel",
        type=int,
        metavar="NUMBER",
        help="Requests at a time, of different messages.  [default: 4]",
    ),
    click.option(
        "--auth",
        type=click.Choice(get_args(WebhookAuth)),
        help="How it is shown who is calling, besides the signature.",
    ),
    click.option("--username", help="For --auth basic."),
    click.option("--password", help="For --auth basic."),
    click.option("--token-url", help="For --auth oauth2: where a token is asked for (client credentials)."),
    click.option("--client-id", help="For --auth oauth2."),
    click.option("--client-secret", help="For --auth oauth2."),
    click.option("--scope", help="For --auth oauth2."),
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="NAME=VALUE",
        help="A header field that is sent along; may be given several times; replaces those before.",
    ),
)


def webhook_options(command: F) -> F:
    """Add an option for each field that may be said of a new webhook, and changed later."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def webhook_said(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were given; header fields by their names. Raises UsageError."""
    said = {name: value for name, value in given.items() if value is not None and value != ()}
    if "headers" in said:
        said["headers"] = dict(map(_header, said["headers"]))
    return said


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--header {text}: write NAME=VALUE")
    return name, value
