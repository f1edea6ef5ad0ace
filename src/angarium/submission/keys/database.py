"""The keys of all workers, in one file of SQLite beside the spool. Blocking; for one thread.

Each change is synced: a key that is claimed is claimed also after a power cut, or two workers could carry out what was
asked twice, before the journal of a third is read.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from angarium.core.errors import AngariumError
from angarium.core.files import open_own
from angarium.core.records import KeyedAnswer
from angarium.core.submission import Problem, Reason
from angarium.submission.keys.claim import LIFETIME_S, Found, KeyClaim

FILE: Final = "keys.db"
_BUSY_S: Final = 5.0
_FORGOTTEN_AT_ONCE: Final = 5_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS key (
    key BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    partition TEXT NOT NULL,
    run BLOB NOT NULL,
    until REAL NOT NULL,
    status INTEGER,
    media_type TEXT,
    body BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS key_until ON key (until);
CREATE INDEX IF NOT EXISTS key_claimed ON key (partition) WHERE status IS NULL;
"""
_KEEP: Final = """
INSERT INTO key VALUES (:key, :digest, :partition, :run, :until, :status, :media_type, :body)
ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, until = excluded.until, status = excluded.status,
    media_type = excluded.media_type, body = excluded.body
WHERE key.status IS NULL OR excluded.until > key.until
"""


class KeysUnknown(AngariumError):
    """The file does not answer: nobody knows which keys are claimed."""


class KeyDatabase:
    """The keys, as the writer of one *partition* sees them. *run* is its own since it was started."""

    def __init__(self, folder: Path, partition: str, run: bytes) -> None:
        self._path = folder / FILE
        self._partition = partition
        self._run = run
        self._connection: sqlite3.Connection | None = None

    def change(self, freed: Sequence[bytes], claims: Sequence[KeyClaim], now: float) -> list[Found]:
        """Free claims of this run that have no answer, and claim others, in one transaction; return what is found of
        each of *claims*. Raises KeysUnknown.
        """
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM key WHERE key = ? AND run = ? AND status IS NULL",
                [(key, self._run) for key in freed],
            )
            return [self._claim(connection, claim, now) for claim in claims]

    def _claim(self, connection: sqlite3.Connection, claim: KeyClaim, now: float) -> Found:
        found = connection.execute(
            "SELECT digest, until, status, media_type, body FROM key WHERE key = ?", (claim.key,)
        ).fetchone()
        if found is not None:
            digest, until, status, media_type, body = found
            if until > now:
                return _found(claim, digest, until, status, media_type, body)
        row = (claim.key, claim.digest, self._partition, self._run, now + LIFETIME_S)
        connection.execute("INSERT OR REPLACE INTO key VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL)", row)
        return None

    def keep(self, answers: Sequence[KeyedAnswer], now: float) -> None:
        """Keep answers that still count. Raises KeysUnknown."""
        rows = [
            {
                **{name: getattr(answer, name) for name in KeyedAnswer.__struct_fields__},
                "partition": self._partition,
                "run": self._run,
            }
            for answer in answers
            if answer.until > now
        ]
        with self._writing() as connection:
            connection.executemany(_KEEP, rows)

    def free_left(self, partitions: Sequence[str]) -> None:
        """Free what earlier runs have claimed for *partitions*, once their answers are kept. Raises KeysUnknown."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM key WHERE partition = ? AND run != ? AND status IS NULL",
                [(partition, self._run) for partition in partitions],
            )

    def forget(self, now: float) -> int:
        """Forget answers that count no more, some of them; return how many. Raises KeysUnknown."""
        with self._writing() as connection:
            gone = connection.execute(
                "DELETE FROM key WHERE key IN (SELECT key FROM key WHERE until <= ? LIMIT ?)",
                (now, _FORGOTTEN_AT_ONCE),
            ).rowcount
        if gone:
            self._opened().execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(open_own(self._path, os.O_RDWR | os.O_CREAT))  # SQLite would make it by the umask
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise KeysUnknown(f"{self._path} does not answer as it should: {error}") from error


def _found(
    claim: KeyClaim, digest: bytes, until: float, status: int | None, media_type: str, body: bytes
) -> KeyedAnswer | Problem:
    if digest != claim.digest:
        return Problem(Reason.KEY_DIFFERS)
    if status is None:
        return Problem(Reason.KEY_RUNNING)
    return KeyedAnswer(
        key=claim.key, digest=digest, status=status, media_type=media_type, body=body, until=until
    )
