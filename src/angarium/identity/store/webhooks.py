"""The identity store: webhooks. A signing secret is returned once, by what makes it; what is secret is encrypted."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, select

from angarium.identity import checks
from angarium.identity.secrets import WEBHOOK_CONTEXT, KeyRing
from angarium.identity.store import schema
from angarium.identity.store.accounts import fetch_account, owned_by
from angarium.identity.store.servers import fetch_server
from angarium.identity.store.streams import check_usable
from angarium.identity.webhooks import (
    CHECKS,
    LONGEST_OVERLAP_S,
    MOST_WEBHOOKS,
    SECRET_CHECKS,
    SigningSecret,
    WatchedWebhook,
    Webhook,
    WebhookSecrets,
    check_auth,
    new_signing_secret,
)
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import checked
from angarium.sql.errors import Conflict, Invalid
from angarium.sql.rows import before_of, record_of, row_of, said

OVERLAP_S: Final = 86_400.0
"""How long the secret before goes on beside a new one."""

BY_HAND: Final = "somebody has switched it off"

_decode = msgspec.json.Decoder(WebhookSecrets).decode


class WebhooksStanding(NamedTuple):
    """*there* counts all, *failed* those that were switched off since they took nothing."""

    there: int
    failed: int


class Webhooks:
    """Where accounts want to be told of what happens."""

    def __init__(self, log: ChangeLog, ring: KeyRing) -> None:
        self._log = log
        self._ring = ring

    def create(
        self, account: int, name: str, url: str, *, server: int | None = None, actor: str, **fields: Any
    ) -> tuple[Webhook, str]:
        """Make a webhook, with the *fields* of `Webhook` and `WebhookSecrets` that somebody says; return it and its
        signing secret. A name and a password in *url* become those of basic authentication.

        Raises NotFound, Invalid, Conflict.
        """
        public, hidden = _split({"name": name, "url": url, **_login_in(url), **fields})
        with self._log.changing(actor) as change:
            owner = fetch_account(change.connection, account).id
            _check_room(change.connection, owner)
            _check_server(change.connection, owner, server, public.get("stream"))
            secret = new_signing_secret()
            kept = WebhookSecrets(signing=(SigningSecret(secret, change.at),), **hidden)
            shape = Webhook(id=0, account=owner, created_at=change.at, server=server, **public)
            webhook = msgspec.structs.replace(shape, headers=tuple(kept.headers))
            check_auth(webhook, kept)
            row = {name: getattr(webhook, name) for name in webhook.__struct_fields__ if name != "id"}
            if not webhook.enabled:
                row |= {"off_reason": BY_HAND, "off_at": change.at}
            made = change.add(schema.webhooks, **row, change=change.generation, sealed=self._sealed(kept))
            webhook = record_of(_row(change.connection, made), Webhook)
            change.note("create", f"webhook {made}", owner, after=said(webhook))
        return webhook, secret

    def get(self, id: int) -> Webhook:
        """Return a webhook. Raises NotFound."""
        with self._log.reading() as connection:
            return record_of(_row(connection, id), Webhook)

    def secrets(self, id: int) -> WebhookSecrets:
        """Return what is secret of one, for whoever sends. Raises NotFound, KeyRingError."""
        with self._log.reading() as connection:
            return self._opened(_row(connection, id))

    def page(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Webhook]:
        """Return webhooks, of one account or of all, by rising id."""
        query = select(schema.webhooks).where(*owned_by(schema.webhooks, account, after))
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(schema.webhooks.c.id).limit(checks.page(limit)))
            return [record_of(row, Webhook) for row in rows.mappings()]

    def changed(self, after: int) -> tuple[list[WatchedWebhook], set[int]]:
        """Return those that were made or changed by a change numbered above *after*, with what is secret of them; and
        the ids of all that there are. Raises KeyRingError.
        """
        table = schema.webhooks
        with self._log.reading() as connection:
            rows = connection.execute(select(table).where(table.c.change > after)).mappings().all()
            ids = set(connection.scalars(select(table.c.id)))
        found = [WatchedWebhook(record_of(row, Webhook), self._opened(row), row["change"]) for row in rows]
        return found, ids

    def standing(self) -> WebhooksStanding:
        """Return how many there are, and how many are off since they have failed."""
        table = schema.webhooks.c
        failed = table.enabled.is_(False) & (table.off_reason != BY_HAND)
        query = select(func.count(), func.count().filter(failed)).select_from(schema.webhooks)
        with self._log.reading() as connection:
            return WebhooksStanding(*connection.execute(query).one())

    def change(self, id: int, *, actor: str, **fields: Any) -> Webhook:
        """Change fields as `create` takes them; the account, server and dialect stay. What is switched on again has no
        reason to be off any more. Raises NotFound, Invalid, Conflict.
        """
        if "url" in fields:
            fields = {**_login_in(fields["url"]), **fields}
        public, hidden = _split(fields)
        if "dialect" in public:
            raise Invalid("dialect", "this cannot be changed; make another webhook")
        with self._log.changing(actor) as change:
            row = _row(change.connection, id)
            webhook, kept = record_of(row, Webhook), self._opened(row)
            if "enabled" in public:
                public |= _switched(public["enabled"], webhook, change.at)
            new = {name: value for name, value in public.items() if value != getattr(webhook, name)}
            _check_server(change.connection, webhook.account, webhook.server, new.get("stream"))
            kept = msgspec.structs.replace(kept, **hidden)
            new |= _named(hidden, kept, webhook)
            if not new and not hidden:
                return webhook
            try:
                check_auth(msgspec.structs.replace(webhook, **new), kept)
            except Invalid as error:
                raise Conflict(str(error)) from None
            return self._put(change, webhook, "change", new, kept)

    def switch_off(self, id: int, reason: str, *, actor: str) -> Webhook:
        """Have nothing sent any more, for a *reason* that is shown. Raises NotFound."""
        with self._log.changing(actor) as change:
            webhook = record_of(_row(change.connection, id), Webhook)
            if not webhook.enabled:
                return webhook
            new = {"enabled": False, "off_reason": reason[:500], "off_at": change.at}
            return self._put(change, webhook, "switch off", new)

    def rotate(self, id: int, *, overlap_s: float = OVERLAP_S, actor: str) -> tuple[Webhook, str]:
        """Make a new signing secret and return it. Requests are signed with both for *overlap_s*; one that was ending
        already ends now. Raises NotFound, Invalid.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise Invalid("overlap", f"write 0 to {LONGEST_OVERLAP_S / 86_400:g} days")
        with self._log.changing(actor) as change:
            row = _row(change.connection, id)
            webhook, kept = record_of(row, Webhook), self._opened(row)
            ends_at = change.at + overlap_s if overlap_s else None
            old = (msgspec.structs.replace(kept.signing[0], ends_at=ends_at),) if overlap_s else ()
            secret = new_signing_secret()
            kept = msgspec.structs.replace(kept, signing=(SigningSecret(secret, change.at), *old))
            return self._put(change, webhook, "rotate", {"old_secret_ends_at": ends_at}, kept), secret

    def end_old_secret(self, id: int, *, actor: str) -> Webhook:
        """Sign with the newest secret alone from now on. Raises NotFound, and Conflict where there is no other."""
        with self._log.changing(actor) as change:
            row = _row(change.connection, id)
            webhook, kept = record_of(row, Webhook), self._opened(row)
            if webhook.old_secret_ends_at is None or webhook.old_secret_ends_at <= change.at:
                raise Conflict(f"webhook {id} has one secret only; `rotate` makes another")
            kept = msgspec.structs.replace(kept, signing=kept.signing[:1])
            return self._put(change, webhook, "end old secret", {"old_secret_ends_at": None}, kept)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a webhook. Raises NotFound."""
        with self._log.changing(actor) as change:
            webhook = record_of(_row(change.connection, id), Webhook)
            change.connection.execute(delete(schema.webhooks).where(schema.webhooks.c.id == id))
            change.note("delete", f"webhook {id}", webhook.account, before=said(webhook))

    def _put(
        self,
        change: Changing,
        webhook: Webhook,
        action: Literal["change", "rotate", "end old secret", "switch off"],
        new: Mapping[str, Any],
        kept: WebhookSecrets | None = None,
    ) -> Webhook:
        sealed = {} if kept is None else {"sealed": self._sealed(kept)}
        change.set(schema.webhooks, webhook.id, **new, **sealed, change=change.generation)
        change.note(action, f"webhook {webhook.id}", webhook.account, before_of(webhook, new), new)
        return record_of(_row(change.connection, webhook.id), Webhook)

    def _sealed(self, kept: WebhookSecrets) -> bytes:
        self._ring.refresh()  # within the change, so that no rotation drops the key meanwhile
        return self._ring.seal(msgspec.json.encode(kept), WEBHOOK_CONTEXT)

    def _opened(self, row: RowMapping) -> WebhookSecrets:
        return _decode(self._ring.open(row["sealed"], WEBHOOK_CONTEXT))


def _row(connection: Connection, id: int) -> RowMapping:
    return row_of(connection, schema.webhooks, id, "webhook")


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the checked fields of `Webhook`, and those of `WebhookSecrets`. Raises Invalid."""
    hidden = {name: value for name, value in fields.items() if name in SECRET_CHECKS}
    public = {name: value for name, value in fields.items() if name not in hidden}
    return checked(public, CHECKS), checked(hidden, SECRET_CHECKS)


def _named(hidden: Mapping[str, Any], kept: WebhookSecrets, webhook: Webhook) -> dict[str, Any]:
    """Return what is shown of what is secret, if it has changed."""
    names = tuple(kept.headers)
    return {"headers": names} if "headers" in hidden and names != webhook.headers else {}


def _login_in(url: Any) -> dict[str, str]:
    """Return what a name and a password in a URL say; they are secrets, and not kept in it."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return {}  # the check of the URL says so
    if parts is None or parts.username is None:
        return {}
    return {"auth": "basic", "username": unquote(parts.username), "password": unquote(parts.password or "")}


def _switched(enabled: bool, webhook: Webhook, now: float) -> dict[str, Any]:
    if enabled:
        return {"off_reason": "", "off_at": None}
    return {"off_reason": BY_HAND, "off_at": now} if webhook.enabled else {}


def _check_room(connection: Connection, account: int) -> None:
    table = schema.webhooks
    count = connection.scalar(select(func.count()).select_from(table).where(table.c.account == account)) or 0
    if count >= MOST_WEBHOOKS:
        raise Conflict(f"an account has {MOST_WEBHOOKS} webhooks at most; delete one first")


def _check_server(connection: Connection, account: int, server: int | None, stream: str | None) -> None:
    if server is not None and fetch_server(connection, server).account != account:
        raise Conflict(f"server {server} belongs to another account; take one of account {account}")
    if stream is not None:
        if server is None:
            raise Invalid("stream", "a stream is one of a server: name the server, too")
        check_usable(connection, server, stream)
