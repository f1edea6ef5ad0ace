"""The first start: makes the store, an account, a server, and something to send with, and shows how."""

from typing import Any

import click

from angarium.cli.identity.examples import ANYBODY, FirstSecrets, endpoints, examples, page
from angarium.cli.identity.store import Opened, StorePlace, open_store, store_options
from angarium.cli.identity.words import record
from angarium.cli.options import Failure
from angarium.cli.output import print_json
from angarium.identity.grants import GRANTS
from angarium.sql.errors import Conflict

FIRST = "default"
"""Name of the first account and server, and label of their secrets."""


@click.command()
@click.option("--if-needed", is_flag=True, help="Do and say nothing when there is an account already.")
@store_options
def init_command(if_needed: bool, place: StorePlace, as_json: bool) -> None:
    """Make the store, the first account, a server, a token, a login and an API key, and print them once.

    Shows ready-to-paste examples for swaks, Python and curl.
    """
    initialise(place, if_needed=if_needed, as_json=as_json)


def initialise(place: StorePlace, *, if_needed: bool, as_json: bool) -> None:
    """Make what a new node needs and print it. Raises Failure when there is something, unless *if_needed*."""
    with open_store(place, make=True) as opened:
        if not make_first(opened, as_json=as_json) and not if_needed:
            raise Failure(
                f"{opened.data} has an account already; `angarium accounts list` shows it, "
                "`angarium logins create` makes another login"
            )


def make_first(opened: Opened, *, as_json: bool = False, recipient: str = ANYBODY) -> bool:
    """Make what a new node needs and print it, with examples that write to *recipient*; False: there is something."""
    made = _make(opened) if opened.store.accounts.is_empty() else None
    if made is not None:
        _print(opened, made, as_json, recipient)
    return made is not None


def _make(opened: Opened) -> dict[str, Any] | None:
    """Make everything; return it as a record with all secrets, or None when another process was faster."""

    store, actor = opened.store, opened.actor
    try:
        account = store.accounts.create(FIRST, actor=actor)
    except Conflict:
        return None
    server = store.servers.create(account.id, FIRST, actor=actor)
    token = store.credentials.create_server_token(server.id, FIRST, actor=actor)
    key = store.credentials.create_api_key(account.id, FIRST, tuple(GRANTS), actor=actor)
    login = store.credentials.create_smtp_login(server.id, FIRST, actor=actor)
    made = {"token": token, "key": key, "login": login}
    return {
        "account": record(account),
        "server": record(server),
        **{name: {**record(credential), "secret": secret} for name, (credential, secret) in made.items()},
    }


def _print(opened: Opened, made: dict[str, Any], as_json: bool, recipient: str) -> None:
    first = FirstSecrets(
        token=made["token"]["secret"],
        key=made["key"]["secret"],
        user=made["login"]["username"],
        password=made["login"]["secret"],
    )
    where = endpoints(opened.config)
    if as_json:
        print_json({**made, "endpoints": where, "examples": examples(first, where, recipient)})
    else:
        click.echo(page(first, where, opened.data, recipient))
