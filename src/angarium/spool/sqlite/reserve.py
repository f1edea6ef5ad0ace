"""Room that the settled store keeps for itself, so that its rows can be read, leased and ended on a full disk.

SQLite writes whatever changes into its write-ahead log first. That file is never made smaller while the store is
open: its beginning is written over again after a checkpoint, which takes no new blocks.
"""

import sqlite3
from pathlib import Path


def reserve(db: sqlite3.Connection, path: Path, size_bytes: int) -> None:
    """See that the log of the database at *path* has a size of *size_bytes*. Without room for it, the next start
    tries again.

    The pages that this adds to the database are free ones, for rows that change while the disk is full.
    """
    log = path.with_name(path.name + "-wal")
    if (log.stat().st_size if log.exists() else 0) >= size_bytes:
        return
    try:
        db.execute("BEGIN")
        db.execute("CREATE TABLE reserve (bytes BLOB)")
        db.execute("INSERT INTO reserve VALUES (zeroblob(?))", (size_bytes,))
        db.execute("DROP TABLE reserve")
        db.execute("COMMIT")
        begin_anew(db)
    except sqlite3.OperationalError:
        if db.in_transaction:
            db.execute("ROLLBACK")


def begin_anew(db: sqlite3.Connection) -> None:
    """Bring what is in the log into the database, so that the next transaction is written over it."""
    db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
