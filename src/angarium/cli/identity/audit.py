"""Who changed what of accounts, keys, logins and domains."""

import time

import click

from angarium.cli.identity.options import page_options
from angarium.cli.identity.pick import account_id
from angarium.cli.identity.store import StorePlace, open_store, store_options
from angarium.cli.identity.words import CHANGE_COLUMNS, change_row, record
from angarium.cli.output import print_json, print_table


@click.command()
@click.option("--account", help="Changes of this account only.")
@page_options
@store_options
def audit_command(
    account: str | None, limit: int, after: int | None, place: StorePlace, as_json: bool
) -> None:
    """List the last changes, oldest first; with --after those behind that one."""
    with open_store(place) as opened:
        store, owner = opened.store, account_id(opened.store, account)
        if after is None:
            found = store.audit.page(owner, limit=limit, newest_first=True)[::-1]
        else:
            found = store.audit.page(owner, after=after, limit=limit)
    if as_json:
        print_json(record(found))
    else:
        print_table(CHANGE_COLUMNS, [change_row(change, time.time()) for change in found])
