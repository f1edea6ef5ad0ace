"""Whose domains are: the accounts that have verified them, as one worker has looked it up."""

from typing import Final

from sqlalchemy import select

from angarium.core.bounded import Bounded
from angarium.identity.directory.changes import Changes
from angarium.identity.directory.lookup import generation
from angarium.identity.principal import Seen
from angarium.identity.store import schema
from angarium.sql.database import Database
from angarium.sql.threads import StoreThread

_CACHED: Final = 20_000


class DomainOwners:
    """Who has verified a domain or one that it is under; disabled or not, it is theirs."""

    def __init__(self, database: Database, worker: StoreThread, changes: Changes) -> None:
        self._database = database
        self._worker = worker
        self._changes = changes
        self._owners: Bounded[str, tuple[Seen, frozenset[int]]] = Bounded(_CACHED)

    def now(self, domain: str) -> frozenset[int] | None:
        """Return the owners of *domain* (A-labels), empty without any; None: it has to be looked up."""
        held = self._owners.get(domain)
        if held is None or (self._changes.seen is not None and held[0] < self._changes.seen):
            return None
        return held[1]

    async def get(self, domain: str) -> frozenset[int]:
        """Return the owners of *domain*. Raises StoreError."""
        known = self.now(domain)
        if known is not None:
            return known
        era = self._changes.seen[0] if self._changes.seen is not None else 0
        number, owners = await self._worker.ask(lambda: self._read(domain))
        self._owners.put(domain, ((era, number), owners))
        return owners

    def _read(self, domain: str) -> tuple[int, frozenset[int]]:
        columns = schema.domains.c
        query = select(columns.account).where(
            columns.name.in_(_itself_and_above(domain)), columns.verified_at.is_not(None)
        )
        with self._database.reading() as connection:
            return generation(connection), frozenset(connection.scalars(query))


def _itself_and_above(domain: str) -> list[str]:
    """Return *domain* and the domains that it is under, of two labels or more: no shorter one can be verified."""
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
