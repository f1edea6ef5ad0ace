"""The `angarium` command. Each command's module is loaded when the command is used, so that all start fast.

Because this loads late, the modules themselves do not: they import at the top what they need. There are three
exceptions, for help must not wait for them: the node that `serve` runs, the databases that modules of `cli.identity`
open, and what reads spools where a message is called by a part of its name.
"""

import importlib
from typing import Any

import click

from angarium import __version__
from angarium.cli.client import NoNode
from angarium.cli.options import Failure, Unreachable, json_option
from angarium.cli.output import begin, print_json
from angarium.cli.tables import clean
from angarium.core.errors import AngariumError

SECTIONS = {
    "Run a node": {
        "serve": "serve",
        "status": "node",
        "reload": "node",
        "config": "config",
        "tls": "tls",
    },
    "See what happens, and why mail waits": {
        "queue": "queue",
        "message": "message",
        "find": "find",
        "search": "search",
        "events": "events",
        "report": "reports.report",
        "bounces": "bounces",
        "bounce": "bounce",
        "trace": "trace",
        "top": "top",
    },
    "Change what waits": {
        "flush": "actions",
        "hold": "actions",
        "release": "actions",
        "fail": "actions",
        "reroute": "actions",
        "rebind": "actions",
        "campaigns": "campaigns",
    },
    "Say who may send, and who is told": {
        "init": "identity.init",
        "accounts": "identity.accounts",
        "servers": "identity.servers",
        "streams": "identity.streams",
        "tokens": "identity.logins",
        "logins": "identity.logins",
        "keys": "identity.keys",
        "people": "identity.people",
        "domains": "identity.domains",
        "suppressions": "identity.suppressions",
        "templates": "assets.templates",
        "snippets": "assets.snippets",
        "lists": "assets.lists",
        "webhooks": "webhooks.commands",
        "secrets": "identity.secrets",
        "audit": "identity.audit",
        "identity": "identity.copying",
    },
    "Look after the files, and try things": {
        "spool": "spool",
        "backup": "backup",
        "restore": "backup",
        "erase": "erase",
        "sink": "sink",
        "try": "trial",
        "sendmail": "sendmail",
        "docs": "docs",
        "version": "main",
    },
}
"""The commands by what one wants to do. Where each is: the module of this package that has it as `NAME_command`."""

COMMANDS = {name: module for section in SECTIONS.values() for name, module in section.items()}


class CommandLoader(click.Group):
    """All commands, each loaded when it is used; errors with a sentence become exit codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Bytes that are no text would be refused by whatever is asked later, in its own way."""
        begin(ctx)
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

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what one wants to do."""
        longest = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(longest), self._sentence(ctx, name)) for name in names])

    def _sentence(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(100) if command is not None else ""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load a command; None: there is none of that name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"angarium.cli.{COMMANDS[name]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command


@click.group(cls=CommandLoader, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="angarium", message="%(prog)s %(version)s")
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
