"""The identity store: every encrypted secret under the newest key.

Row by row in small transactions, so that it can be broken off at any point and taken up again: what is not done yet
is still readable under an older key. An older key is dropped from the file only inside a change, when nothing is left
that needs it; whoever encrypts reads the file first, inside a change as well.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, LargeBinary, RowMapping, Table, func, select

from angarium.identity.secrets import CREDENTIAL_CONTEXT, DOMAIN_KEY_CONTEXT, WEBHOOK_CONTEXT, KeyRing
from angarium.identity.store import schema
from angarium.sql.changes import ChangeLog, Changing

_SEALED: tuple[tuple[Table, bytes], ...] = (
    (schema.credentials, CREDENTIAL_CONTEXT),
    (schema.domain_keys, DOMAIN_KEY_CONTEXT),
    (schema.webhooks, WEBHOOK_CONTEXT),
)
_BATCH = 200

Progress = Callable[[int, int], None]
"""Told how many secrets were encrypted anew, and how many there are to do."""


def _unheard(_done: int, _total: int) -> None:
    pass


class SecretRotation:
    """Encrypting anew."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def rotate(
        self, ring: KeyRing, *, actor: str, progress: Progress = _unheard, keep_old: bool = False
    ) -> int:
        """Encrypt every secret under the newest key of *ring* (see `KeyRing.rotate`), then drop the older keys from
        its file, unless *keep_old*: other nodes may need them until they have the new file.

        Return how many secrets were encrypted anew. Raises StoreError, KeyRingError; call it again then.
        """
        ring.refresh()
        done, total = 0, self._stale(ring.key_ids[0])
        progress(0, total)
        for table, context in _SEALED:
            while count := self._encrypt_some(ring, table, context, actor):
                done += count
                progress(done, max(done, total))
        if not keep_old:
            done += self._drop_old(ring, actor)
        return done

    def _stale(self, newest: bytes) -> int:
        with self._log.reading() as connection:
            counts = [
                connection.scalar(select(func.count()).select_from(table).where(_is_stale(table, newest)))
                for table, _ in _SEALED
            ]
        return sum(count or 0 for count in counts)

    def _encrypt_some(self, ring: KeyRing, table: Table, context: bytes, actor: str) -> int:
        """Encrypt a batch anew and return its size."""
        with self._log.changing(actor) as change:
            return _encrypt_batch(change, ring, table, context)

    def _drop_old(self, ring: KeyRing, actor: str) -> int:
        """Drop what no secret needs; return how many were encrypted late, under an older key, and are anew now."""
        with self._log.changing(actor) as change:
            late = sum(_encrypt_all(change, ring, table, context) for table, context in _SEALED)
            old = ring.key_ids[1:]
            ring.drop(old)
            change.note("drop keys", "secrets", None, after={"keys": [key.hex() for key in old]})
        return late


def _is_stale(table: Table, newest: bytes) -> ColumnElement[bool]:
    key = func.substr(table.c.sealed, 1, len(newest), type_=LargeBinary())
    return table.c.sealed.is_not(None) & (key != newest)


def _encrypt_all(change: Changing, ring: KeyRing, table: Table, context: bytes) -> int:
    done = 0
    while count := _encrypt_batch(change, ring, table, context):
        done += count
    return done


def _encrypt_batch(change: Changing, ring: KeyRing, table: Table, context: bytes) -> int:
    ring.refresh()
    query = select(table.c.id, table.c.sealed).where(_is_stale(table, ring.key_ids[0])).limit(_BATCH)
    rows: Sequence[RowMapping] = change.connection.execute(query).mappings().all()
    for row in rows:
        change.set(table, row["id"], sealed=ring.seal(ring.open(row["sealed"], context), context))
    if rows:
        change.note("rotate secrets", "secrets", None, after={"table": table.name, "count": len(rows)})
    return len(rows)
