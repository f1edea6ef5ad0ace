"""The `angarium` command. Each command's module is imported when it is used, so that all start fast."""

import importlib

import click

from angarium import __version__
from angarium.cli.options import Command, json_option
from angarium.cli.output import print_json

COMMANDS = {
    "serve": "node",
    "reload": "node",
    "status": "node",
    "queue": "queue",
    "message": "message",
    "flush": "actions",
    "hold": "actions",
    "release": "actions",
    "fail": "actions",
    "reroute": "actions",
    "rebind": "actions",
    "trace": "live",
    "top": "live",
    "config": "config",
    "tls": "tls",
    "init": "identity.init",
    "accounts": "identity.accounts",
    "servers": "identity.servers",
    "streams": "identity.streams",
    "tokens": "identity.logins",
    "logins": "identity.logins",
    "keys": "identity.keys",
    "people": "identity.people",
    "domains": "identity.domains",
    "secrets": "identity.secrets",
    "audit": "identity.audit",
    "spool": "spool",
    "sink": "sink",
    "version": "main",
}
"""Where each command is: its name, and the module of this package that has it under the name `NAME_command`."""


class _Lazy(Command):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"angarium.cli.{COMMANDS[name]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A self-hosted sending platform for email.

    Exit codes: 0 yes, 1 the answer is no, 2 wrong usage, 3 no node answers.
    """


@click.command()
@json_option
def version_command(as_json: bool) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        click.echo(f"angarium {__version__}")
