"""Managing API keys."""

from typing import Any

import click

from angarium.cli.identity.credentials import add_common, change, show_secret
from angarium.cli.identity.options import changed, expires_option, expiry_said, network_option, networks_said
from angarium.cli.identity.pick import account_id, pick_account, pick_server
from angarium.cli.identity.store import StorePlace, open_store, store_options
from angarium.cli.options import json_option
from angarium.cli.output import print_json, print_table
from angarium.cli.tables import Column, Row
from angarium.identity.grants import GRANTS, NODE_GRANT
from angarium.identity.records import Kind

_KINDS: tuple[Kind, ...] = ("api_key",)
_GRANTS = "What it may do, as `angarium keys grants` lists it; may be given several times."


@click.group()
def keys_command() -> None:
    """Manage API keys: for the HTTP APIs, and with the grant smtp/inject for SMTP."""


@keys_command.command("create")
@click.argument("label")
@click.option(
    "--grant", "grants", multiple=True, metavar="GRANT", help=f"{_GRANTS} `all`: every one but node/manage."
)
@click.option("--account", help="Whose; needed when there are several.")
@click.option("--server", help="The server that it sends by.  [default: the account's first]")
@click.option("--stream", help="The stream that it sends by.")
@network_option
@expires_option
@store_options
def create_command(
    label: str,
    grants: tuple[str, ...],
    account: str | None,
    server: str | None,
    stream: str | None,
    networks: tuple[str, ...],
    expires: float | str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Make an API key and show it, the only time."""
    if not grants:
        raise click.UsageError("say what it may do: --grant smtp/inject; `angarium keys grants` lists them")
    ends: dict[str, Any] = expiry_said(expires)
    with open_store(place) as opened:
        store = opened.store
        whose = account_id(store, account)
        of_server = None if server is None else pick_server(store, server, whose)
        owner = of_server.account if of_server else pick_account(store, account).id
        made, secret = store.credentials.create_api_key(
            owner,
            label,
            _grants(grants),
            networks=networks_said(networks) or (),
            server=of_server.id if of_server else None,
            stream=stream,
            actor=opened.actor,
            **ends,
        )
    show_secret(made, secret, "key", as_json)


@keys_command.command("change")
@click.argument("key", metavar="ID")
@click.option("--label", help="A new label.")
@click.option("--grant", "grants", multiple=True, metavar="GRANT", help=f"{_GRANTS} Replaces those it had.")
@network_option
@expires_option
@store_options
def change_command(
    key: str,
    label: str | None,
    grants: tuple[str, ...],
    networks: tuple[str, ...],
    expires: float | str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Change an API key."""
    fields = {
        "label": label,
        "grants": _grants(grants) if grants else None,
        "networks": networks_said(networks),
    }
    said = {name: value for name, value in fields.items() if value is not None} | expiry_said(expires)
    change(key, _KINDS, "key", said or changed(fields), "changed", place, as_json)


@keys_command.command("grants")
@json_option
def grants_command(as_json: bool) -> None:
    """List what API keys can be allowed."""
    if as_json:
        print_json(GRANTS)
    else:
        print_table((Column("GRANT"), Column("MEANS")), [Row(item) for item in GRANTS.items()])


def _grants(given: tuple[str, ...]) -> tuple[str, ...]:
    every = tuple(grant for grant in GRANTS if grant != NODE_GRANT)
    return tuple(dict.fromkeys(one for grant in given for one in (every if grant == "all" else (grant,))))


add_common(keys_command, "key", _KINDS)
