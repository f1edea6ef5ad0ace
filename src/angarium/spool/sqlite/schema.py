"""The settled store's tables, and statements of many rows: the driver gives up and regains the interpreter lock at
every statement.

Triggers keep the number of queued and held rows of each flow. A leased row is in no index but the primary key's.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from angarium.spool.port import NewerFormat

SCHEMA_VERSION = 2
ROWS_PER_STATEMENT = 256

# flow.source is the tenant, by the name it had when the first spools were made
SCHEMA = """
CREATE TABLE message (id BLOB NOT NULL UNIQUE, meta BLOB NOT NULL, body BLOB, content BLOB);
CREATE TABLE flow (
  no INTEGER PRIMARY KEY,
  binding TEXT NOT NULL, domain TEXT NOT NULL, lane INTEGER NOT NULL, source TEXT NOT NULL,
  queued INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE recipient (
  message BLOB NOT NULL, idx INTEGER NOT NULL,
  flow INTEGER NOT NULL, held INTEGER NOT NULL, leased INTEGER NOT NULL,
  due REAL NOT NULL, expires REAL NOT NULL, received REAL NOT NULL,
  seq INTEGER NOT NULL, attempts INTEGER NOT NULL, delay_dsns INTEGER NOT NULL,
  reply BLOB, PRIMARY KEY (message, idx)) WITHOUT ROWID;
CREATE TABLE event (
  message BLOB NOT NULL, idx INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (message, idx, seq)) WITHOUT ROWID;
CREATE INDEX by_due ON recipient (flow, due) WHERE leased = 0 AND held = 0;
CREATE INDEX by_flow ON recipient (flow) WHERE leased = 0;
CREATE INDEX by_expiry ON recipient (expires) WHERE leased = 0;
CREATE INDEX by_lease ON recipient (flow) WHERE leased = 1;
CREATE INDEX flow_changed ON flow (changed) WHERE changed = 1;
CREATE TRIGGER recipient_in AFTER INSERT ON recipient WHEN new.leased = 0 BEGIN
  UPDATE flow SET queued = queued + (new.held = 0), held = held + new.held, changed = 1
    WHERE no = new.flow; END;
CREATE TRIGGER recipient_out AFTER DELETE ON recipient WHEN old.leased = 0 BEGIN
  UPDATE flow SET queued = queued - (old.held = 0), held = held - old.held, changed = 1
    WHERE no = old.flow; END;
CREATE TRIGGER recipient_changed AFTER UPDATE ON recipient BEGIN
  UPDATE flow SET queued = queued - (old.held = 0), held = held - old.held, changed = 1
    WHERE no = old.flow AND old.leased = 0;
  UPDATE flow SET queued = queued + (new.held = 0), held = held + new.held, changed = 1
    WHERE no = new.flow AND new.leased = 0; END;
"""

_CONTENT = """
CREATE TABLE content (id BLOB NOT NULL UNIQUE, meta BLOB NOT NULL, body BLOB);
CREATE INDEX by_content ON message (content) WHERE content IS NOT NULL;
"""
_FROM_1 = f"ALTER TABLE message ADD COLUMN content BLOB; {_CONTENT}"
"""What makes a database of format 1 one of format 2. Nothing in it is written anew."""

_PRAGMAS = (
    "page_size = 16384",
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -32768",
    "temp_store = MEMORY",
)

_T = TypeVar("_T")


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables if they are not there, and forget the leases of the last process. Raises NewerFormat for a
    database of another format.
    """
    for pragma in _PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version in (0, 1):
        changes = f"{SCHEMA} {_CONTENT}" if version == 0 else _FROM_1
        db.executescript(f"BEGIN; {changes} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise NewerFormat(f"the settled store {path}", version, SCHEMA_VERSION)
    db.execute("UPDATE recipient SET leased = 0 WHERE leased = 1")
    db.execute("DELETE FROM flow WHERE queued = 0 AND held = 0")
    db.execute("UPDATE flow SET changed = 0 WHERE changed = 1")


def marks(columns: int, rows: int) -> str:
    """Return the placeholders of so many rows."""
    return ",".join(["(" + ",".join("?" * columns) + ")"] * rows)


def among(rows: int) -> str:
    """Return the condition that a row's key is one of so many.

    Written as `IN (VALUES …)`, SQLite 3.40 goes through the whole table instead of its key.
    """
    return f"(message, idx) IN (SELECT column1, column2 FROM (VALUES {marks(2, rows)}))"


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Yield *items* in lists of at most *size*."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def insert(
    db: sqlite3.Connection,
    into: str,
    columns: int,
    rows: Iterable[tuple[Any, ...]],
    after: str = "",
    at_once: int = ROWS_PER_STATEMENT,
) -> None:
    """Insert *rows* with few statements: full ones of *at_once* rows, and the rest in powers of two."""
    for some in chunks(rows, at_once):
        while some:
            count = 1 << (len(some).bit_length() - 1)
            part, some = some[:count], some[count:]
            db.execute(f"{into} VALUES {marks(columns, count)}{after}", list(chain.from_iterable(part)))
