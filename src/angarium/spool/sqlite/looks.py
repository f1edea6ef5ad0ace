"""A closer look at stored rows, for operators: what was said of them last. Within the store's thread; only reads."""

import sqlite3
from collections.abc import Iterable
from itertools import chain
from typing import Any

from angarium.core.ids import MessageId
from angarium.core.records import Event
from angarium.spool.codec import decode_event
from angarium.spool.port import FlowLook, StoredRow
from angarium.spool.sqlite.schema import chunks, marks

_LAST = "(SELECT data FROM event e WHERE e.message = r.message AND e.idx = r.idx ORDER BY seq DESC LIMIT 1)"
_QUEUED = "FROM recipient r INDEXED BY by_due WHERE flow = ? AND leased = 0 AND held = 0"
_HELD = "FROM recipient r INDEXED BY by_flow WHERE flow = ? AND leased = 0 AND held = 1"
MOST_SEARCHED = 10_000
"""In a flow of more queued rows than these, held ones are not looked for among them: no index tells them apart."""


def look(db: sqlite3.Connection, no: int, now: float, most: int) -> FlowLook:
    """See `SettledStore.look`; *no* is the number of the flow."""
    (due,) = db.execute(f"SELECT count(*) {_QUEUED} AND due <= ?", (no, now)).fetchone()
    (last,) = db.execute(f"SELECT max(due) {_QUEUED}", (no,)).fetchone()
    later = db.execute(f"SELECT due, {_LAST} {_QUEUED} AND due > ? ORDER BY due LIMIT ?", (no, now, most))
    (queued,) = db.execute("SELECT sum(queued) FROM flow WHERE no = ?", (no,)).fetchone()
    held = (
        db.execute(f"SELECT due, {_LAST} {_HELD} LIMIT ?", (no, most))
        if (queued or 0) <= MOST_SEARCHED
        else ()
    )
    return FlowLook(due, last, _rows(later), _rows(held))


def _rows(found: Iterable[tuple[float, bytes | None]]) -> list[StoredRow]:
    return [StoredRow(due, None if data is None else decode_event(data)) for due, data in found]


def last_events(
    db: sqlite3.Connection, keys: Iterable[tuple[MessageId, int]]
) -> dict[tuple[MessageId, int], Event]:
    """See `SettledStore.last_events`."""
    found: dict[tuple[MessageId, int], Event] = {}
    for some in chunks(keys, 256):
        sql = (
            f"SELECT column1, column2, (SELECT data FROM event WHERE message = column1 AND idx = column2 "
            f"ORDER BY seq DESC LIMIT 1) FROM (VALUES {marks(2, len(some))})"
        )
        values: list[Any] = list(chain.from_iterable(some))
        for message, index, data in db.execute(sql, values):
            if data is not None:
                found[MessageId(message), index] = decode_event(data)
    return found
