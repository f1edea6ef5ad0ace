"""The identity store: accounts and their servers."""

from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select

from angarium.core.options import NO_OPTIONS, Options
from angarium.identity import checks
from angarium.identity.checks import Check
from angarium.identity.records import DEFAULT_STREAMS, NO_LIMITS, Account, Limits, Server
from angarium.identity.store import schema
from angarium.identity.store.base import (
    StoreBase,
    before_of,
    columns,
    differing,
    row_of,
    said,
)
from angarium.identity.store.rows import account_of, server_of
from angarium.sql.errors import Conflict, NotFound

_ACCOUNT: Final[dict[str, Check]] = {
    "name": checks.name,
    "suspended": checks.flag,
    "limits": checks.limits,
    "options": checks.options,
}
_SERVER: Final[dict[str, Check]] = {
    **_ACCOUNT,
    "limits": checks.server_limits,
    "smtp": checks.flag,
    "on_error": checks.one_of("vendor", "accept", "refuse"),
}


class Accounts(StoreBase):
    """Accounts: the customers of the node."""

    def create_account(
        self, name: str, *, limits: Limits = NO_LIMITS, options: Options = NO_OPTIONS, actor: str
    ) -> Account:
        """Make an account. Raises Invalid, or Conflict when there is one of that name.

        Unless *limits* say otherwise, it may send from verified domains only; the first account, which is that of
        whoever runs the node, from any.
        """
        fields = differing(_NO_ACCOUNT, {"name": name, "limits": limits, "options": options}, _ACCOUNT)
        with self._changing(actor) as change:
            _check_name_is_free(change.connection, fields["name"])
            if limits.sender_domains is None and _has_accounts(change.connection):
                fields["limits"] = msgspec.structs.replace(limits, sender_domains="verified")
            made = change.add(schema.accounts, created_at=change.at, **fields)
            account = fetch_account(change.connection, made)
            change.note("create", f"account {made}", made, after=said(account))
        return account

    def account(self, id_or_name: int | str) -> Account:
        """Return an account by its id (a number, or its digits) or its name. Raises NotFound."""
        with self._reading() as connection:
            return fetch_account(connection, id_or_name)

    def accounts(self, after: int | None = None, limit: int = 100) -> list[Account]:
        """Return at most *limit* accounts by rising id, from the one after *after* on."""
        query = select(schema.accounts).where(schema.accounts.c.id > (after or 0))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(schema.accounts.c.id).limit(checks.page(limit)))
            return [account_of(row) for row in rows.mappings()]

    def is_empty(self) -> bool:
        """Whether there is no account at all: nobody has been let in yet."""
        return not self.accounts(limit=1)

    def change_account(self, id: int, *, actor: str, **fields: Any) -> Account:
        """Change `name`, `suspended`, `limits`, `options`. Raises NotFound, Invalid, Conflict."""
        with self._changing(actor) as change:
            account = fetch_account(change.connection, id)
            new = differing(account, fields, _ACCOUNT)
            if not new:
                return account
            if "name" in new:
                _check_name_is_free(change.connection, new["name"])
            change.set(schema.accounts, account.id, **new)
            change.note("change", f"account {account.id}", account.id, before_of(account, new), new)
            return fetch_account(change.connection, account.id)

    def delete_account(self, id: int, *, actor: str) -> None:
        """Delete an account and everything that belongs to it. Raises NotFound."""
        with self._changing(actor) as change:
            account = fetch_account(change.connection, id)
            change.connection.execute(delete(schema.accounts).where(schema.accounts.c.id == account.id))
            change.note("delete", f"account {account.id}", account.id, before=said(account))


class Servers(StoreBase):
    """Servers: what tokens, streams and logins belong to."""

    def create_server(
        self,
        account: int,
        name: str,
        *,
        smtp: bool = True,
        on_error: str = "vendor",
        limits: Limits = NO_LIMITS,
        options: Options = NO_OPTIONS,
        actor: str,
    ) -> Server:
        """Make a server with the default streams. Raises NotFound, Invalid, Conflict."""
        given = {"name": name, "smtp": smtp, "on_error": on_error, "limits": limits, "options": options}
        fields = differing(_NO_SERVER, given, _SERVER)
        with self._changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            _check_server_name(change.connection, owner, fields["name"])
            made = change.add(schema.servers, account=owner, created_at=change.at, **fields)
            _add_default_streams(change.connection, made, change.at)
            server = fetch_server(change.connection, made)
            change.note("create", f"server {made}", owner, after=said(server))
        return server

    def server(self, id: int) -> Server:
        """Return a server. Raises NotFound."""
        with self._reading() as connection:
            return fetch_server(connection, id)

    def servers(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Server]:
        """Return servers, of one account or of all, by rising id."""
        query = select(schema.servers).where(*owned_by(schema.servers, account, after))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(schema.servers.c.id).limit(checks.page(limit)))
            return [server_of(row) for row in rows.mappings()]

    def change_server(self, id: int, *, actor: str, **fields: Any) -> Server:
        """Change `name`, `suspended`, `smtp`, `on_error`, `limits`, `options`. Raises NotFound, Invalid, Conflict."""
        with self._changing(actor) as change:
            server = fetch_server(change.connection, id)
            new = differing(server, fields, _SERVER)
            if not new:
                return server
            if "name" in new:
                _check_server_name(change.connection, server.account, new["name"])
            change.set(schema.servers, id, **new)
            change.note("change", f"server {id}", server.account, before_of(server, new), new)
            return fetch_server(change.connection, id)

    def delete_server(self, id: int, *, actor: str) -> None:
        """Delete a server with its streams, tokens and logins, and the API keys bound to it. Raises NotFound."""
        with self._changing(actor) as change:
            server = fetch_server(change.connection, id)
            change.connection.execute(delete(schema.servers).where(schema.servers.c.id == id))
            change.note("delete", f"server {id}", server.account, before=said(server))


_NO_ACCOUNT = Account(0, "", 0.0)
_NO_SERVER = Server(0, 0, "", 0.0)


def fetch_account(connection: Connection, id_or_name: int | str) -> Account:
    """Return an account. Raises NotFound."""
    if isinstance(id_or_name, str) and not id_or_name.isdecimal():
        query = select(schema.accounts).where(schema.accounts.c.name == id_or_name)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"account {id_or_name[:60]}")
        return account_of(row)
    return account_of(row_of(connection, schema.accounts, int(id_or_name), "account"))


def fetch_server(connection: Connection, id: int) -> Server:
    """Return a server. Raises NotFound."""
    return server_of(row_of(connection, schema.servers, id, "server"))


def check_room(
    connection: Connection, account: Account, table: Table, most: int, limit: str, what: str
) -> None:
    """Raise Conflict when *account* has as many rows of *table* as it may: its limit of that name, else *most*."""
    own = getattr(account.limits, limit)
    most = most if own is None else own
    query = select(func.count()).select_from(table).where(table.c.account == account.id)
    if (connection.scalar(query) or 0) >= most:
        raise Conflict(
            f"account {account.name} has {most} {what}, and may have no more ({limit}); delete one that is not needed, "
            "or have whoever runs this node raise that limit"
        )


def owned_by(table: Table, account: int | None, after: int | None) -> list[ColumnElement[bool]]:
    """Return the conditions of a listing: of one account or of all, after an id."""
    conditions: list[ColumnElement[bool]] = [table.c.id > (after or 0)]
    if account is not None:
        conditions.append(table.c.account == account)
    return conditions


def _has_accounts(connection: Connection) -> bool:
    return connection.scalar(select(schema.accounts.c.id).limit(1)) is not None


def _check_name_is_free(connection: Connection, name: str) -> None:
    if connection.scalar(select(schema.accounts.c.id).where(schema.accounts.c.name == name)):
        raise Conflict(f"there is an account {name!r} already; choose another name")


def _check_server_name(connection: Connection, account: int, name: str) -> None:
    columns_ = schema.servers.c
    if connection.scalar(select(columns_.id).where(columns_.account == account, columns_.name == name)):
        raise Conflict(f"the account has a server {name!r} already; choose another name")


def _add_default_streams(connection: Connection, server: int, at: float) -> None:
    names = {"outbound": "Transactional", "broadcast": "Broadcast"}
    rows = [
        columns({"server": server, "id": id, "name": names[id], "kind": kind, "created_at": at})
        for id, kind in DEFAULT_STREAMS.items()
    ]
    connection.execute(insert(schema.streams), rows)
