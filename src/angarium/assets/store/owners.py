"""Whose things are: what is known here of accounts and servers, which stand in the identity store."""

from sqlalchemy import Connection, Table, func, select

from angarium.assets.store.schema import accounts, servers
from angarium.sql.errors import Conflict, NotFound


def check_owner(connection: Connection, account: int, server: int | None) -> None:
    """See that there are such an account and such a server of it. Raises NotFound, Conflict."""
    if connection.scalar(select(accounts.c.id).where(accounts.c.id == account)) is None:
        raise NotFound(f"account {account}")
    if server is None:
        return
    owner = connection.scalar(select(servers.c.account).where(servers.c.id == server))
    if owner is None:
        raise NotFound(f"server {server}")
    if owner != account:
        raise Conflict(f"server {server} belongs to another account; take one of account {account}")


def check_room(connection: Connection, table: Table, account: int, most: int, what: str) -> None:
    """Raise Conflict where *account* has as many rows of *table* as there may be."""
    count = select(func.count()).select_from(table).where(table.c.account == account)
    if (connection.scalar(count) or 0) >= most:
        raise Conflict(f"an account has {most:,} {what} at most; delete one that is not needed")
