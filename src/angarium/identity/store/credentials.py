"""The identity store: API keys, server tokens, SMTP tokens and SMTP logins.

A secret is returned once, by what makes it.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from angarium.core.options import NO_OPTIONS, Options
from angarium.identity import checks
from angarium.identity.limits import MAX_KEYS
from angarium.identity.records import Credential, Kind
from angarium.identity.secrets import (
    CREDENTIAL_CONTEXT,
    KeyRing,
    digest_of,
    new_secret,
    new_username,
    scram_of,
)
from angarium.identity.store import schema
from angarium.identity.store.accounts import check_room, fetch_account, owned_by
from angarium.identity.store.servers import fetch_server
from angarium.identity.store.streams import check_usable
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import Check, differing
from angarium.sql.errors import Conflict, Invalid
from angarium.sql.rows import before_of, record_of, row_of, said

Made = tuple[Credential, str]
"""A new credential and its secret."""

WORDS: Final[dict[Kind, str]] = {
    "api_key": "key",
    "server_token": "token",
    "smtp_token": "token",
    "smtp_login": "login",
}
"""How the audit log names each kind."""


def _off(field: str, value: Any) -> bool:
    if checks.flag(field, value):
        raise Conflict(
            f"{field}: the secret is not known any more; make a new login with challenge, delete this one"
        )
    return False


def _stream(field: str, value: Any) -> str | None:
    return None if value is None else checks.stream_id(field, value)


_ANY: Final[dict[str, Check]] = {
    "label": checks.text,
    "networks": checks.networks,
    "options": checks.options,
    "expires_at": checks.moment,
}
_NEW: Final[dict[str, Check]] = {**_ANY, "challenge": checks.flag, "grants": checks.grants}
_CHANGES: Final[dict[str, Check]] = {
    **_ANY,
    "grants": checks.grants,
    "enabled": checks.flag,
    "stream": _stream,
}


class Credentials:
    """What programs log in with."""

    def __init__(self, log: ChangeLog, ring: KeyRing) -> None:
        self._log = log
        self._ring = ring

    def create_api_key(
        self,
        account: int,
        label: str,
        grants: Iterable[str],
        *,
        networks: Iterable[str] = (),
        options: Options = NO_OPTIONS,
        expires_at: float | None = None,
        server: int | None = None,
        stream: str | None = None,
        actor: str,
    ) -> Made:
        """Make an API key, for the account's first server or the one given. Raises NotFound, Invalid."""
        fields = _checked(
            label=label, networks=networks, options=options, expires_at=expires_at, grants=grants
        )
        with self._log.changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            if server is not None and fetch_server(change.connection, server).account != owner:
                raise Conflict(f"server {server} belongs to another account; take one of account {owner}")
            if stream is not None:
                _check_bound(change.connection, server, stream)
            return self._make(change, "api_key", owner, server=server, stream=stream, **fields)

    def create_server_token(
        self,
        server: int,
        label: str = "",
        *,
        networks: Iterable[str] = (),
        options: Options = NO_OPTIONS,
        expires_at: float | None = None,
        challenge: bool = False,
        actor: str,
    ) -> Made:
        """Make a server token, which is user name and password at once. Raises NotFound, Invalid."""
        fields = _checked(
            label=label, networks=networks, options=options, expires_at=expires_at, challenge=challenge
        )
        with self._log.changing(actor) as change:
            owner = fetch_server(change.connection, server).account
            return self._make(change, "server_token", owner, server=server, **fields)

    def create_smtp_token(
        self,
        server: int,
        stream: str,
        label: str = "",
        *,
        networks: Iterable[str] = (),
        options: Options = NO_OPTIONS,
        expires_at: float | None = None,
        challenge: bool = False,
        actor: str,
    ) -> Made:
        """Make an SMTP token of one stream: an access key (`username`) and a secret key. Raises NotFound, Invalid."""
        fields = _checked(
            label=label, networks=networks, options=options, expires_at=expires_at, challenge=challenge
        )
        with self._log.changing(actor) as change:
            owner = fetch_server(change.connection, server).account
            kind = check_usable(change.connection, server, stream).kind
            fields["username"] = new_username("smtp_token", stream, kind == "broadcast")
            return self._make(change, "smtp_token", owner, server=server, stream=stream, **fields)

    def create_smtp_login(
        self,
        server: int,
        label: str,
        *,
        stream: str | None = None,
        options: Options = NO_OPTIONS,
        challenge: bool = False,
        networks: Iterable[str] = (),
        expires_at: float | None = None,
        actor: str,
    ) -> Made:
        """Make an SMTP login with a generated `username`. Raises NotFound, Invalid."""
        fields = _checked(
            label=label, networks=networks, options=options, expires_at=expires_at, challenge=challenge
        )
        with self._log.changing(actor) as change:
            owner = fetch_server(change.connection, server).account
            if stream is not None:
                check_usable(change.connection, server, stream)
            fields["username"] = new_username("smtp_login")
            return self._make(change, "smtp_login", owner, server=server, stream=stream, **fields)

    def get(self, id: int) -> Credential:
        """Return a credential. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_credential(connection, id)

    def page(
        self,
        account: int | None = None,
        server: int | None = None,
        kind: Kind | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Credential]:
        """Return credentials by rising id: of all accounts or one, of one server, of one kind."""
        table = schema.credentials
        query = select(table).where(*owned_by(table, account, after))
        if server is not None:
            query = query.where(table.c.server == server)
        if kind is not None:
            query = query.where(table.c.kind == kind)
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(table.c.id).limit(checks.page(limit)))
            return [record_of(row, Credential) for row in rows.mappings()]

    def change(self, id: int, *, actor: str, **fields: Any) -> Credential:
        """Change `label`, `grants` (API keys), `networks`, `options`, `enabled`, `expires_at`, `stream` (not of SMTP
        tokens); `challenge` can only be taken away, which forgets the secret. Raises NotFound, Invalid.
        """
        with self._log.changing(actor) as change:
            found = fetch_credential(change.connection, id)
            new = differing(found, fields, _changes_of(found))
            if not new:
                return found
            if new.get("stream") is not None:
                _check_bound(change.connection, found.server, new["stream"])
            forgotten = {"sealed": None} if "challenge" in new else {}
            change.set(schema.credentials, id, **new, **forgotten)
            change.note("change", _what(found), found.account, before_of(found, new), new)
            return fetch_credential(change.connection, id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a credential; it is refused within a second. Raises NotFound."""
        with self._log.changing(actor) as change:
            found = fetch_credential(change.connection, id)
            change.connection.execute(delete(schema.credentials).where(schema.credentials.c.id == id))
            change.note("delete", _what(found), found.account, before=said(found))

    def _make(self, change: Changing, kind: Kind, account: int, **fields: Any) -> Made:
        assert kind != "person"
        customer = fetch_account(change.connection, account)
        check_room(
            change.connection, customer, schema.credentials, MAX_KEYS, "max_keys", "keys, tokens and logins"
        )
        secret = new_secret(kind)
        sealed = None
        if fields.get("challenge"):
            self._ring.refresh()  # a rotation may be under way; it waits for this change before it drops a key
            sealed = self._ring.seal(secret.encode(), CREDENTIAL_CONTEXT)
        made = change.add(
            schema.credentials,
            kind=kind,
            account=account,
            short=secret[:4] if kind in ("api_key", "server_token") else "",
            digest=digest_of(secret),
            # an API key's user name is the same for all of them, so that there is no verifier to choose
            scram=None if kind == "api_key" else scram_of(secret),
            sealed=sealed,
            created_at=change.at,
            **fields,
        )
        credential = fetch_credential(change.connection, made)
        change.note("create", _what(credential), account, after=said(credential))
        return credential, secret


def fetch_credential(connection: Connection, id: int) -> Credential:
    """Return a credential. Raises NotFound."""
    return record_of(row_of(connection, schema.credentials, id, "credential"), Credential)


def _checked(**fields: Any) -> dict[str, Any]:
    return {name: _NEW[name](name, value) for name, value in fields.items()}


def _changes_of(found: Credential) -> dict[str, Check]:
    """Return what can be changed of a credential of its kind."""
    allowed = dict(_CHANGES)
    if found.kind != "api_key":
        allowed["challenge"] = _off if not found.challenge else checks.flag
        del allowed["grants"]
    if found.kind in ("smtp_token", "server_token"):
        del allowed["stream"]
    return allowed


def _check_bound(connection: Connection, server: int | None, stream: str) -> None:
    if server is None:
        raise Invalid("stream", "a stream belongs to a server; make a key for that server")
    check_usable(connection, server, stream)


def _what(credential: Credential) -> str:
    return f"{WORDS[credential.kind]} {credential.id}"
