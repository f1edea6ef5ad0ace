"""The private keys that mail is signed with, as one worker has them: opened and parsed once, gone when they change."""

import hashlib
from typing import Any, Final

from sqlalchemy import RowMapping, Select, select

from angarium.core.bounded import Bounded
from angarium.identity.directory.changes import Changes
from angarium.identity.directory.lookup import generation
from angarium.identity.errors import KeyRingError
from angarium.identity.principal import Seen
from angarium.identity.secrets import DOMAIN_KEY_CONTEXT, KeyRing
from angarium.identity.store import schema
from angarium.render.dkim import Keys, KeyUnusable, SigningKey
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.threads import StoreThread

NOBODY: Final = 0
"""The account of mail that nobody logged in for: it is signed with the keys of whoever has verified the domain."""

_CACHED = 20_000


class SigningKeys:
    """The keys of domains. What is cached is served also while the store is silent: mail that was taken is signed."""

    def __init__(self, database: Database, ring: KeyRing, worker: StoreThread, changes: Changes) -> None:
        self._database = database
        self._ring = ring
        self._worker = worker
        self._changes = changes
        self._keys: Bounded[tuple[int, str], tuple[Seen, Keys]] = Bounded(_CACHED)
        self._parsed: Bounded[bytes, SigningKey] = Bounded(_CACHED)  # used by the worker's thread only

    def now(self, account: int, domain: str) -> Keys | None:
        """Return the keys to sign mail of *domain* with, if they are known already; empty: it is not to be signed."""
        held = self._keys.get((account, domain))
        if held is None or not self._holds(account, held[0]):
            return None
        return held[1]

    async def get(self, account: int, domain: str) -> Keys:
        """Return the keys of *domain*, RSA first. Raises StoreError; then nobody knows whether it has any."""
        known = self.now(account, domain)
        if known is not None:
            return known
        era = self._changes.seen[0] if self._changes.seen is not None else 0
        number, keys = await self._worker.ask(lambda: self._read(account, domain))
        self._keys.put((account, domain), ((era, number), keys))
        return keys

    def _holds(self, account: int, seen: Seen) -> bool:
        if account == NOBODY:  # of any account, so that any change may matter
            return self._changes.seen is None or seen >= self._changes.seen
        return self._changes.holds(account, seen)

    def _read(self, account: int, domain: str) -> tuple[int, Keys]:
        with self._database.reading() as connection:
            number = generation(connection)
            rows = connection.execute(_keys_of(account, domain)).mappings().all()
        first = [row for row in rows if row["owner"] == rows[0]["owner"]]
        keys = [self._open(domain, row) for row in first]
        return number, tuple(sorted(keys, key=lambda key: key.algorithm != "rsa"))

    def _open(self, domain: str, row: RowMapping) -> SigningKey:
        mark = hashlib.sha256(row["sealed"]).digest()
        key = self._parsed.get(mark)
        if key is None:
            try:
                private = self._ring.open(row["sealed"], DOMAIN_KEY_CONTEXT)
                key = SigningKey.load(domain, row["selector"], row["algorithm"], private)
            except (KeyUnusable, KeyRingError) as error:
                raise StoreError(str(error)) from error
            self._parsed.put(mark, key)
        return key


def _keys_of(account: int, domain: str) -> Select[Any]:
    """Select the active keys of the oldest verified domain of that name; *account* NOBODY: of any account."""
    domains, keys = schema.domains.c, schema.domain_keys.c
    wanted = select(domains.id.label("owner"), keys.selector, keys.algorithm, keys.sealed, keys.id).join(
        schema.domain_keys, keys.domain == domains.id
    )
    where = [
        domains.name == domain,
        domains.enabled,
        domains.verified_at.is_not(None),
        keys.state == "active",
    ]
    if account != NOBODY:
        where.append(domains.account == account)
    return wanted.where(*where).order_by(domains.id, keys.id)
