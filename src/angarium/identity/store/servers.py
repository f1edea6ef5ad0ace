"""Servers in the identity store."""

from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from angarium.identity import checks
from angarium.identity.fields import checks_of
from angarium.identity.records import DEFAULT_STREAMS, Server
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_account, owned_by
from angarium.sql.changes import ChangeLog
from angarium.sql.checks import checked, differing
from angarium.sql.errors import Conflict
from angarium.sql.rows import before_of, columns, record_of, row_of, said

_NEW: Final = checks_of(Server, "new")
_CHANGE: Final = checks_of(Server, "change")


class Servers:
    """Servers: what tokens, streams and logins belong to."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def create(self, account: int, name: str, *, actor: str, **fields: Any) -> Server:
        """Make a server with the default streams, and the *fields* of `Server` that a new one may have.

        Raises NotFound, Invalid, Conflict.
        """
        new = checked({"name": name, **fields}, _NEW)
        with self._log.changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            _check_server_name(change.connection, owner, new["name"])
            made = change.add(schema.servers, account=owner, created_at=change.at, **new)
            _add_default_streams(change.connection, made, change.at)
            server = fetch_server(change.connection, made)
            change.note("create", f"server {made}", owner, after=said(server))
        return server

    def get(self, id: int) -> Server:
        """Return a server. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_server(connection, id)

    def page(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Server]:
        """Return servers, of one account or of all, by rising id."""
        query = select(schema.servers).where(*owned_by(schema.servers, account, after))
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(schema.servers.c.id).limit(checks.page(limit)))
            return [record_of(row, Server) for row in rows.mappings()]

    def change(self, id: int, *, actor: str, **fields: Any) -> Server:
        """Change the *fields* of `Server` that can be changed. Raises NotFound, Invalid, Conflict."""
        with self._log.changing(actor) as change:
            server = fetch_server(change.connection, id)
            new = differing(server, fields, _CHANGE)
            if not new:
                return server
            if "name" in new:
                _check_server_name(change.connection, server.account, new["name"])
            change.set(schema.servers, id, **new)
            change.note("change", f"server {id}", server.account, before_of(server, new), new)
            return fetch_server(change.connection, id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a server with its streams, tokens and logins, and the API keys bound to it. Raises NotFound."""
        with self._log.changing(actor) as change:
            server = fetch_server(change.connection, id)
            change.connection.execute(delete(schema.servers).where(schema.servers.c.id == id))
            change.note("delete", f"server {id}", server.account, before=said(server))


def fetch_server(connection: Connection, id: int) -> Server:
    """Return a server. Raises NotFound."""
    return record_of(row_of(connection, schema.servers, id, "server"), Server)


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
