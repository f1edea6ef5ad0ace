"""Accounts in the identity store."""

from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from angarium.identity import checks
from angarium.identity.fields import checks_of
from angarium.identity.limits import NO_LIMITS
from angarium.identity.records import Account
from angarium.identity.store import schema
from angarium.sql.changes import ChangeLog
from angarium.sql.checks import checked, differing
from angarium.sql.errors import Conflict, NotFound
from angarium.sql.rows import before_of, record_of, row_of, said

_NEW: Final = checks_of(Account, "new")
_CHANGE: Final = checks_of(Account, "change")


class Accounts:
    """Accounts: the customers of the node."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def create(self, name: str, *, actor: str, **fields: Any) -> Account:
        """Make an account with the *fields* of `Account` that a new one may have. Raises Invalid, or Conflict when
        there is one of that name.

        Unless its limits say otherwise, it may send from verified domains only; the first account, which is that of
        whoever runs the node, from any.
        """
        new = checked({"name": name, "limits": NO_LIMITS, **fields}, _NEW)
        with self._log.changing(actor) as change:
            _check_name_is_free(change.connection, new["name"])
            if new["limits"].sender_domains is None and _has_accounts(change.connection):
                new["limits"] = msgspec.structs.replace(new["limits"], sender_domains="verified")
            made = change.add(schema.accounts, created_at=change.at, **new)
            account = fetch_account(change.connection, made)
            change.note("create", f"account {made}", made, after=said(account))
        return account

    def get(self, id_or_name: int | str) -> Account:
        """Return an account by its id (a number, or its digits) or its name. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_account(connection, id_or_name)

    def page(self, after: int | None = None, limit: int = 100) -> list[Account]:
        """Return at most *limit* accounts by rising id, from the one after *after* on."""
        query = select(schema.accounts).where(schema.accounts.c.id > (after or 0))
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(schema.accounts.c.id).limit(checks.page(limit)))
            return [record_of(row, Account) for row in rows.mappings()]

    def is_empty(self) -> bool:
        """Whether there is no account at all: nobody has been let in yet."""
        return not self.page(limit=1)

    def change(self, id: int, *, actor: str, **fields: Any) -> Account:
        """Change the *fields* of `Account` that can be changed. Raises NotFound, Invalid, Conflict."""
        with self._log.changing(actor) as change:
            account = fetch_account(change.connection, id)
            new = differing(account, fields, _CHANGE)
            if not new:
                return account
            if "name" in new:
                _check_name_is_free(change.connection, new["name"])
            change.set(schema.accounts, account.id, **new)
            change.note("change", f"account {account.id}", account.id, before_of(account, new), new)
            return fetch_account(change.connection, account.id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete an account and everything that belongs to it. Raises NotFound."""
        with self._log.changing(actor) as change:
            account = fetch_account(change.connection, id)
            change.connection.execute(delete(schema.accounts).where(schema.accounts.c.id == account.id))
            change.note("delete", f"account {account.id}", account.id, before=said(account))


def fetch_account(connection: Connection, id_or_name: int | str) -> Account:
    """Return an account. Raises NotFound."""
    if isinstance(id_or_name, str) and not id_or_name.isdecimal():
        query = select(schema.accounts).where(schema.accounts.c.name == id_or_name)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"account {id_or_name[:60]}")
        return record_of(row, Account)
    return record_of(row_of(connection, schema.accounts, int(id_or_name), "account"), Account)


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
