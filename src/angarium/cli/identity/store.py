"""What the commands share that manage who may send. They open the identity store themselves, node or no node."""

import os
import pwd
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import click

from angarium.backup.unfinished import refuse_unfinished
from angarium.cli.client import ControlClient, NoNode
from angarium.cli.options import Failure, config_here, config_option, found_data_option, json_option
from angarium.cli.output import print_json
from angarium.cli.tables import clean
from angarium.cli.where import USUAL, SeveralNodes, connect
from angarium.config.load import load_config
from angarium.config.model import Config

if TYPE_CHECKING:
    from angarium.identity.secrets import KeyRing
    from angarium.identity.store.store import IdentityStore

F = TypeVar("F", bound=Callable[..., Any])

PAGE = 500
"""Rows that are asked for at a time where all are wanted."""


class StorePlace(NamedTuple):
    """Where the store is: as the options of a command say."""

    config: Path | None
    data: Path | None


class Opened(NamedTuple):
    """An open store and its keys. *actor*: how the audit log names who runs this command; *data*: the data folder."""

    store: "IdentityStore"
    ring: "KeyRing"
    config: Config
    data: Path
    actor: str


def store_options(command: F) -> F:
    """Add --config and --data, as `serve` takes them, and --json. The first two arrive as *place*."""

    def with_place(*args: Any, config: Path | None, data: Path | None, **given: Any) -> Any:
        return command(*args, place=StorePlace(config, data), **given)

    with_place.__name__, with_place.__doc__ = command.__name__, command.__doc__
    with_place.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        json_option,
        found_data_option,
        config_option("Configuration file, which may say where the store is."),
    ):
        with_place = option(with_place)
    return with_place  # type: ignore[return-value]


@contextmanager
def open_store(place: StorePlace, *, make: bool = False) -> Iterator[Opened]:
    """Open the store, and close it at the end. With *make* it is made if there is none; else that is a Failure."""
    place = in_use(place, elsewhere=not make)
    config = load_config(place.config)
    data = (place.data or config.globals.data_directory).absolute()
    with store_in(config, data, make=make) as opened:
        yield opened


@contextmanager
def store_in(config: Config, data: Path, *, make: bool = False) -> Iterator[Opened]:
    """Open the store that *config* names, as `open_store` does."""
    from angarium.identity.secrets import (
        KeyRing,  # what encrypts, and the database: help does not wait for them
    )
    from angarium.identity.store.place import key_file, open_database, store_url
    from angarium.identity.store.store import IdentityStore

    keys = key_file(config, data)
    refuse_unfinished(data)
    if not make and not keys.exists():
        raise Failure(f"there is no identity store in {data}; make one with `angarium init`, or say --data")
    database = open_database(store_url(config, data))
    try:
        database.migrate()
        ring = KeyRing.load_or_create(keys)
        yield Opened(IdentityStore(database, ring, time.time), ring, config, data, actor())
    finally:
        database.close()


class StoreFiles(NamedTuple):
    """*database* is SQLite's file; None where the store is elsewhere, which *where* says without a password."""

    keys: Path
    database: Path | None
    where: str


def files_of_store(config: Config, data: Path) -> StoreFiles:
    """Return what the identity store of a node is made of, whether it is there or not."""
    from angarium.identity.store.place import key_file, shown_url, sqlite_file, store_url

    url = store_url(config, data)
    file = sqlite_file(url)
    return StoreFiles(key_file(config, data), file, "" if file is not None else shown_url(url))


def in_use(place: StorePlace, *, elsewhere: bool = True) -> StorePlace:
    """Return *place* with what the running node has, where it does not say: its configuration file and its data folder.
    Where none runs, it is the file that one started here would read.

    *elsewhere* False: only a node in the data folder that is said, or in ./data, is asked.
    """
    if place.config is not None:
        return place
    try:
        with connect(place.data) if elsewhere else ControlClient(place.data or USUAL) as client:
            node = client.call("node", kind=dict)
    except SeveralNodes:
        raise
    except NoNode:
        return place._replace(config=config_here())
    # It may be relative to where the node was started.
    config = Path(f"/proc/{node.get('pid')}/cwd", node["config"]) if node.get("config") else None
    return StorePlace(config, place.data or client.data)


def actor() -> str:
    """Return how the audit log names the user of the command line."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user may have no name
        return f"cli:{os.getuid()}"


class Numbered(Protocol):
    """A row of a listing."""

    @property
    def id(self) -> int:
        """What the listing is ordered by."""
        ...


R = TypeVar("R", bound=Numbered)


def everything(ask: Callable[..., list[R]]) -> Iterator[R]:
    """Yield all rows of a listing that comes in pages: *ask* takes `after` and `limit`."""
    after: int | None = None
    while rows := ask(after=after, limit=PAGE):
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def confirm(question: str, yes: bool) -> None:
    """Ask unless *yes*. Raises Failure when the answer is no."""
    if yes:
        return
    try:
        click.confirm(f"{clean(question)} Go on?", abort=True, err=True)
    except click.Abort as abort:
        raise Failure("nothing was changed; --yes answers the question beforehand") from abort


def read_password(ask: str = "Password") -> str:
    """Return a password typed twice at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(ask, hide_input=True, confirmation_prompt=True, err=True))
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        line.encode()
    except UnicodeError as error:
        raise Failure("the password is not UTF-8; write it in UTF-8") from error
    if not line:
        raise Failure("there is no password; type it, or write it as one line to standard input")
    return line


def say(sentence: str, as_json: bool, record: object) -> None:
    """Print what was done: a sentence, or *record* as JSON."""
    if as_json:
        print_json(record)
    else:
        click.echo(clean(sentence))
