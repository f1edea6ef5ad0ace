"""The identity store: sending domains and their signing keys."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, select

from angarium.identity import checks
from angarium.identity.domains.keys import ALGORITHMS, NewKey, after_check, new_key, selectors
from angarium.identity.limits import MAX_DOMAINS
from angarium.identity.records import Domain, DomainKey
from angarium.identity.secrets import DOMAIN_KEY_CONTEXT, KeyRing
from angarium.identity.store import schema
from angarium.identity.store.accounts import check_room, fetch_account, owned_by
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import Check, differing
from angarium.sql.errors import Conflict, NotFound
from angarium.sql.rows import before_of, row_of, said


class Domains:
    """Sending domains. The private halves of their keys are kept encrypted and never returned."""

    def __init__(self, log: ChangeLog, ring: KeyRing) -> None:
        self._log = log
        self._ring = ring

    def create(
        self,
        account: int,
        name: str,
        *,
        return_path: str = "bounces",
        tracking: str = "",
        tracking_https: bool = True,
        actor: str,
    ) -> Domain:
        """Make a domain with a pending RSA-2048 and a pending Ed25519 key. *return_path* and *tracking* are labels in
        front of the name, or whole names under it; empty is none. Raises NotFound, Invalid, Conflict.
        """
        name = checks.domain("name", name)
        return_path = checks.return_path("return_path", return_path, name)
        tracking = checks.tracking("tracking", tracking, name)
        tracking_https = checks.flag("tracking_https", tracking_https)
        made = [new_key(algorithm) for algorithm in ALGORITHMS]
        with self._log.changing(actor) as change:
            customer = fetch_account(change.connection, account)
            owner = customer.id
            if _find(change.connection, owner, name) is not None:
                raise Conflict(f"the account has the domain {name} already; `rotate` makes new keys for it")
            check_room(change.connection, customer, schema.domains, MAX_DOMAINS, "max_domains", "domains")
            id = change.add(
                schema.domains,
                account=owner,
                name=name,
                created_at=change.at,
                return_path=return_path,
                tracking=tracking,
                tracking_https=tracking_https,
            )
            self._add_keys(change, id, name, made)
            domain = fetch_domain(change.connection, id)
            change.note("create", f"domain {id}", owner, after=_told(domain))
        return domain

    def get(self, id_or_name: int | tuple[int, str]) -> Domain:
        """Return a domain by its id, or by account and name. Raises NotFound."""
        with self._log.reading() as connection:
            return fetch_domain(connection, id_or_name)

    def page(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Domain]:
        """Return domains with their keys, of one account or of all, by rising id."""
        query = select(schema.domains).where(*owned_by(schema.domains, account, after))
        with self._log.reading() as connection:
            rows = connection.execute(query.order_by(schema.domains.c.id).limit(checks.page(limit)))
            return _with_keys(connection, rows.mappings().all())

    def change(self, id: int, *, actor: str, **fields: Any) -> Domain:
        """Change `enabled`, `return_path`, `tracking`, `tracking_https`. Raises NotFound, Invalid."""
        with self._log.changing(actor) as change:
            domain = fetch_domain(change.connection, id)
            new = differing(domain, fields, _changes_of(domain))
            if not new:
                return domain
            unseen = {f"{name}_seen_at": None for name in ("return_path", "tracking") if name in new}
            change.set(schema.domains, id, **new, **unseen)
            change.note("change", f"domain {id}", domain.account, before_of(domain, new), new)
            return fetch_domain(change.connection, id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a domain and its keys: its mail leaves unsigned, if it may be sent at all. Raises NotFound."""
        with self._log.changing(actor) as change:
            domain = fetch_domain(change.connection, id)
            change.connection.execute(delete(schema.domains).where(schema.domains.c.id == id))
            change.note("delete", f"domain {id}", domain.account, before=_told(domain))

    def rotate_keys(self, domain: int, *, actor: str) -> Domain:
        """Make new pending keys; those in use sign on until the new ones are found in the DNS.

        Raises NotFound, or Conflict while keys of an earlier rotation were never found there.
        """
        made = [new_key(algorithm) for algorithm in ALGORITHMS]
        with self._log.changing(actor) as change:
            found = fetch_domain(change.connection, domain)
            waiting = [
                key.selector for key in found.keys if key.state == "pending" and key.verified_at is None
            ]
            if waiting:
                raise Conflict(
                    f"{found.name} has new keys already ({', '.join(waiting)}); publish their records, as `records` "
                    "lists them, and verify the domain"
                )
            added = self._add_keys(change, domain, found.name, made)
            change.note("rotate", f"domain {domain}", found.account, after={"selectors": added})
            return fetch_domain(change.connection, domain)

    def mark_checked(
        self,
        domain: int,
        found: Mapping[int, bool],
        at: float,
        *,
        return_path: bool | None = None,
        tracking: bool | None = None,
        actor: str = "domain check",
    ) -> Domain:
        """Keep what a look at the DNS found, by key id (see `after_check`); no key found any more: not verified.

        A key that is not in *found* could not be asked for and stays as it is. *return_path* and *tracking* say whether
        those were found; None: they could not be asked for. Raises NotFound.
        """
        with self._log.changing(actor) as change:
            before = fetch_domain(change.connection, domain)
            keys = after_check(before.keys, found, at)
            for old, new in zip(before.keys, keys, strict=True):
                if new != old:
                    change.set(
                        schema.domain_keys,
                        new.id,
                        state=new.state,
                        verified_at=new.verified_at,
                        retired_at=new.retired_at,
                    )
            change.set(
                schema.domains,
                domain,
                checked_at=at,
                verified_at=_verified_at(before, keys, at),
                return_path_seen_at=_seen_at(before.return_path_seen_at, return_path, at),
                tracking_seen_at=_seen_at(before.tracking_seen_at, tracking, at),
            )
            after = fetch_domain(change.connection, domain)
            change.note("check", f"domain {domain}", before.account, _states(before), _states(after))
            return after

    def _add_keys(self, change: Changing, domain: int, name: str, made: Iterable[NewKey]) -> list[str]:
        """Insert new keys and return their selectors."""
        names = selectors(change.at, _taken(change.connection, name))
        self._ring.refresh()  # a rotation may be under way; it waits for this change before it drops a key
        for key in made:
            change.add(
                schema.domain_keys,
                domain=domain,
                selector=names[key.algorithm],
                algorithm=key.algorithm,
                public=key.public,
                sealed=self._ring.seal(key.private, DOMAIN_KEY_CONTEXT),
                state="pending",
                created_at=change.at,
            )
        return list(names.values())


def _seen_at(before: float | None, is_found: bool | None, at: float) -> float | None:
    """Return when a name was last found to lead here; *is_found* None: it could not be asked for."""
    if is_found is None:
        return before
    return at if is_found else None


def fetch_domain(connection: Connection, id_or_name: int | tuple[int, str]) -> Domain:
    """Return a domain with its keys. Raises NotFound."""
    if isinstance(id_or_name, tuple):
        account, name = id_or_name
        row = _find(connection, account, checks.domain("name", name))
        if row is None:
            raise NotFound(f"domain {name[:253]} of account {account}")
    else:
        row = row_of(connection, schema.domains, id_or_name, "domain")
    return _with_keys(connection, [row])[0]


def _find(connection: Connection, account: int, name: str) -> RowMapping | None:
    columns = schema.domains.c
    query = select(schema.domains).where(columns.account == account, columns.name == name)
    return connection.execute(query).mappings().first()


def _taken(connection: Connection, name: str) -> set[str]:
    """Return the selectors in use under *name*, of all accounts: in the DNS they share it."""
    keys, domains = schema.domain_keys, schema.domains
    query = select(keys.c.selector).join(domains, keys.c.domain == domains.c.id).where(domains.c.name == name)
    return set(connection.scalars(query))


def _with_keys(connection: Connection, rows: Iterable[RowMapping]) -> list[Domain]:
    keys: dict[int, list[DomainKey]] = {row["id"]: [] for row in rows}
    columns = schema.domain_keys.c
    query = select(schema.domain_keys).where(columns.domain.in_(list(keys))).order_by(columns.id)
    for row in connection.execute(query).mappings():
        keys[row["domain"]].append(_key_of(row))
    return [Domain(**dict(row), keys=tuple(keys[row["id"]])) for row in rows]


def _key_of(row: RowMapping) -> DomainKey:
    return DomainKey(**{name: row[name] for name in DomainKey.__struct_fields__})


def _changes_of(domain: Domain) -> dict[str, Check]:
    def return_path(field: str, value: Any) -> str:
        return checks.return_path(field, value, domain.name)

    def tracking(field: str, value: Any) -> str:
        return checks.tracking(field, value, domain.name)

    return {
        "enabled": checks.flag,
        "return_path": return_path,
        "tracking": tracking,
        "tracking_https": checks.flag,
    }


def _verified_at(domain: Domain, keys: Iterable[DomainKey], at: float) -> float | None:
    """Since when the domain is verified, with *keys* as they are now."""
    if not any(key.state == "active" for key in keys):
        return None
    return at if domain.verified_at is None else domain.verified_at


def _states(domain: Domain) -> dict[str, object]:
    return {
        "verified": domain.verified_at is not None,
        "return_path": domain.return_path_seen_at is not None,
        "tracking": domain.tracking_seen_at is not None,
        "keys": {key.selector: key.state for key in domain.keys},
    }


def _told(domain: Domain) -> dict[str, object]:
    return {**said(domain, "keys"), "selectors": [key.selector for key in domain.keys]}
