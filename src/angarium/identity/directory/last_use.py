"""When credentials and people were last used: gathered, and written now and then.

A crash loses what was not written yet. It is no change of the store: the generation stays, and nobody reads anew.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Table, Update, bindparam, select, update

from angarium.core.bounded import Bounded
from angarium.identity.principal import Key
from angarium.identity.store import schema
from angarium.sql.database import Database

ROUGHLY_S: Final = 60.0
"""How exact a last use is, but for the first: writing each would be most of what the store does."""


class LastUses:
    """What one worker has to write. At most *limit* wait; more are left out until those are written."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._waiting: dict[Key, float] = {}
        self._written: Bounded[Key, float] = Bounded(limit)

    def note(self, key: Key, now: float) -> None:
        """Note that *key* was used."""
        before = self._written.get(key)
        if before is not None and before <= now < before + ROUGHLY_S:
            return
        if key in self._waiting or len(self._waiting) < self._limit:
            self._waiting[key] = now

    def take(self) -> dict[Key, float]:
        """Return what is to be written, which the caller does, or gives back."""
        taken, self._waiting = self._waiting, {}
        for key, now in taken.items():
            self._written.put(key, now)
        return taken

    def give_back(self, uses: Mapping[Key, float]) -> None:
        """Take back what could not be written."""
        for key, at in uses.items():
            self._written.pop(key)
            self._waiting.setdefault(key, at)


def write_uses(database: Database, uses: Mapping[Key, float]) -> None:
    """Write last uses; a later one that another worker wrote stays. Raises StoreError."""
    with database.writing() as connection:
        for table, is_person in ((schema.people, True), (schema.credentials, False)):
            rows = [
                {"key": id, "at": at}
                for (kind, id), at in sorted(uses.items())
                if (kind == "person") == is_person
            ]
            if rows:
                connection.execute(_later(table), rows)


def _later(table: Table) -> Update:
    """Return the statement. A row that somebody is changing is left out rather than waited for: waiting for one
    another, a change and this might be the end of the change.
    """
    last = table.c.last_used_at
    is_later = last.is_(None) | (last < bindparam("at"))
    free = select(table.c.id).where(table.c.id == bindparam("key"), is_later)
    return (
        update(table)
        .where(table.c.id.in_(free.with_for_update(skip_locked=True)))
        .values(last_used_at=bindparam("at"))
    )
