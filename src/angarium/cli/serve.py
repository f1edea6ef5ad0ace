"""Running a node."""

import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from angarium.cli.catch import Catcher
from angarium.cli.identity.examples import ANYBODY, endpoints, login_link
from angarium.cli.identity.init import make_first
from angarium.cli.identity.store import Opened, store_in
from angarium.cli.options import config_here, config_option, configured_data_option
from angarium.cli.summary import Summary, framed
from angarium.config.reading import BadValue
from angarium.config.source import CATCH_DOMAIN, CATCH_FOLDER, ConfigSource
from angarium.config.stanza_names import listen_address

if TYPE_CHECKING:
    from angarium.node.supervisor import Start


class _Sockets(click.ParamType[str]):
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        address = f"127.0.0.1:{value}" if value.isdecimal() else value
        try:
            return listen_address(address).name
        except BadValue as bad:
            self.fail(f"{bad}; {bad.hint}, or a port alone for 127.0.0.1", param, ctx)


@click.command()
@config_option("Configuration file.", "./angarium.conf if it is there, else what is built in")
@configured_data_option
@click.option(
    "--listen",
    type=_Sockets(),
    multiple=True,
    envvar="ANGARIUM_LISTEN",
    metavar="HOST:PORT",
    show_default="127.0.0.1:2525",
    help="Take mail there instead, by SMTP; may be given more than once.",
)
@click.option(
    "--http",
    type=_Sockets(),
    multiple=True,
    envvar="ANGARIUM_HTTP",
    metavar="HOST:PORT",
    show_default="127.0.0.1:8080",
    help="Answer HTTP there instead.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    envvar="ANGARIUM_WORKERS",
    show_default="Workers: one per core with a configuration file, one without",
    help="Worker processes.",
)
@click.option(
    "--init",
    "first",
    is_flag=True,
    envvar="ANGARIUM_INIT",
    help="Make the first account before the first start, as `angarium init --if-needed` does.",
)
@click.option(
    "--catch",
    is_flag=True,
    envvar="ANGARIUM_CATCH",
    help=f"Let no mail out: keep it in the maildir {CATCH_FOLDER} of the data folder. Not with a configuration file.",
)
def serve_command(
    config: Path | None,
    data: Path | None,
    listen: tuple[str, ...],
    http: tuple[str, ...],
    workers: int | None,
    first: bool,
    catch: bool,
) -> None:
    """Run a node in the foreground, until SIGTERM or Ctrl-C.

    Without a configuration file it is light, and for this machine: one worker, small files, mail to
    anybody@catch.test kept in its data folder, and the next free port where one is taken.

    Each option can be given by an environment variable as well: ANGARIUM_CONFIG, ANGARIUM_DATA, ANGARIUM_LISTEN and
    ANGARIUM_HTTP (several with spaces between), ANGARIUM_WORKERS, ANGARIUM_INIT=1, ANGARIUM_CATCH=1.
    """
    from angarium.node.supervisor import run  # the whole node: help does not wait for it

    path = config or config_here()
    if catch and path is not None:
        raise click.UsageError(f"--catch is for a node without a configuration file; write Gateway in {path}")
    catcher = Catcher() if path is None else None
    address = catcher.address if catcher is not None else ""
    source = ConfigSource(path=path, listen=listen, http=http, catcher=address, catches_all=catch)
    starter = _Starter(source, catcher, first, found=path is not config)
    click.get_current_context().exit(run(source, data, workers, starter))


class _Starter:
    """Implements node.supervisor.Starter: prints what a newcomer needs, catches mail."""

    def __init__(self, source: ConfigSource, catcher: Catcher | None, first: bool, *, found: bool) -> None:
        self._source = source
        self._catcher = catcher
        self._first = first
        self._found = found
        self._login = ""
        self._link = ""
        self._is_watched = catcher is not None or sys.stdout.isatty()

    async def sockets_are_open(self, start: "Start") -> None:
        """See Starter."""
        if self._found:
            path = self._source.path
            start.log.info("configuration", start.clock.now(), file=str(path), note="found in this folder")
        if self._first or self._is_watched:
            self._look_for_login(start)
        if self._catcher is not None:
            await self._catcher.start(start.data, start.clock, start.log)

    def _look_for_login(self, start: "Start") -> None:
        with store_in(start.config, start.data, make=True) as opened:
            if self._first:
                recipient = f"someone@{CATCH_DOMAIN}" if self._catcher is not None else ANYBODY
                is_new = make_first(opened, recipient=recipient)
                if is_new and self._catcher is not None:
                    _make_operator(opened)
            self._login = _login(opened)
            if self._catcher is not None:
                self._link = _link(opened)

    def is_ready(self, start: "Start") -> None:
        """See Starter. Who runs a service reads records; who sits before it, a summary."""
        if not self._is_watched:
            return
        summary = Summary(
            where=endpoints(start.config),
            login=self._login,
            data=start.data,
            config=self._source.path,
            caught=_from_here(start.data / CATCH_FOLDER) if self._catcher is not None else None,
            catches_all=self._source.catches_all,
            program=_called(),
            link=self._link,
        )
        width = shutil.get_terminal_size().columns
        text = framed(summary.title, summary.lines(), width)
        click.echo(
            text.encode(sys.stdout.encoding or "ascii", "replace")
        )  # a terminal may have no lines to draw with

    async def has_stopped(self) -> None:
        """See Starter."""
        if self._catcher is not None:
            await self._catcher.stop()


def _from_here(path: Path) -> Path:
    """Return the shorter way to write *path*."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _called() -> str:
    """Return how a shell calls this command: by its name where that is found, else by the path it was started with."""
    found, own = shutil.which("angarium"), Path(sys.argv[0])
    return "angarium" if found and own.exists() and own.samefile(found) else sys.argv[0]


def _make_operator(opened: Opened) -> None:
    """Make who looks at the pages of a node for this machine, by links: nobody knows the password."""
    (account,) = opened.store.accounts.page(limit=1)
    opened.store.people.create(
        account.id,
        f"operator@{CATCH_DOMAIN}",
        "Operator",
        secrets.token_hex(),
        role="operator",
        actor=opened.actor,
    )


def _link(opened: Opened) -> str:
    """Return a link to the pages for the first operator; empty: there is none."""
    operators = [
        person for person in opened.store.people.page() if person.role == "operator" and person.enabled
    ]
    if not operators:
        return ""
    return login_link(opened.config, opened.store.sessions.make_link(operators[0].id, actor=opened.actor))


def _login(opened: Opened) -> str:
    """Return the user name of the first login; empty: there is none."""
    found = opened.store.credentials.page(kind="smtp_login", limit=1)
    return found[0].username if found else ""
