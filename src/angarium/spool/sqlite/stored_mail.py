"""How much mail of whom the settled store held at a start, summed up beside its writer."""

import contextlib
import sqlite3
from pathlib import Path

from angarium.spool.codec import decode_message
from angarium.spool.port import SpoolError

_ROWS = """FROM flow f
  CROSS JOIN recipient r ON r.flow = f.no AND r.leased = 0
  CROSS JOIN message m ON m.id = r.message
  WHERE f.source LIKE ? AND"""
_OWN = f"SELECT f.source, COUNT(*), SUM(length(m.body)) {_ROWS} m.body NOT NULL AND m.content IS NULL GROUP BY f.no"
_OTHER = f"SELECT f.source, COUNT(*), m.meta {_ROWS} (m.body IS NULL OR m.content NOT NULL) GROUP BY f.no, r.message"
"""Of a body in a separate file, and of a content, the size stands in the message."""


class StoredMail:
    """A picture of the moment in which it is made; the sum may be made later, in a thread."""

    def __init__(self, store: Path) -> None:
        """Take the picture of a partition's database. Raises SpoolError."""
        try:
            self._db = sqlite3.connect(
                f"{store.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._db.execute("BEGIN")
            self._db.execute("SELECT no FROM flow LIMIT 1").fetchone()  # the picture is of the first look
        except sqlite3.Error as error:
            raise SpoolError(f"{store} cannot be read: {error}") from error

    def by_tenant(self, prefix: str) -> dict[str, tuple[int, int]]:
        """Return recipients, and bytes to be sent to them, of all tenants that begin with *prefix*. Reads every row of
        theirs; to be called once. Raises SpoolError.
        """
        found: dict[str, tuple[int, int]] = {}
        try:
            with contextlib.closing(self._db) as db:
                for tenant, count, size in db.execute(_OWN, (f"{prefix}%",)):
                    _add(found, tenant, count, size)
                for tenant, count, meta in db.execute(_OTHER, (f"{prefix}%",)):
                    _add(found, tenant, count, count * decode_message(meta).body_size)
        except (sqlite3.Error, ValueError) as error:
            raise SpoolError(f"the settled store cannot be summed up: {error}") from error
        return found


def _add(found: dict[str, tuple[int, int]], tenant: str, count: int, size: int) -> None:
    recipients, size_bytes = found.get(tenant, (0, 0))
    found[tenant] = recipients + count, size_bytes + size
