"""The file of all texts that are kept up to one day.

So the file goes as a whole when that day is over, whatever the messages' streams have said. A text is in pieces, each
compressed by itself: however large it is, it is never whole in memory. Texts that were erased are overwritten.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from angarium.core.files import create_anew
from angarium.core.ids import MessageId
from angarium.events.bodies.port import TextToKeep

FORMAT = 1
PIECE_BYTES = 1 << 20
_LEVEL = 3

_TABLES = f"""
BEGIN;
CREATE TABLE message (
  id BLOB PRIMARY KEY, body BLOB NOT NULL, account INTEGER NOT NULL, server INTEGER NOT NULL, size INTEGER NOT NULL,
  trace BLOB NOT NULL);
CREATE INDEX message_body ON message (body);
CREATE TABLE piece (no INTEGER PRIMARY KEY, body BLOB NOT NULL, place INTEGER NOT NULL, data BLOB NOT NULL,
  UNIQUE (body, place));
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_MESSAGE = "INSERT OR IGNORE INTO message (id, body, account, server, size, trace) VALUES (?, ?, ?, ?, ?, ?)"
_ERASE = "UPDATE message SET body = X'', trace = X'' WHERE id = ? AND body <> X''"
_PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON")


class BodyFile:
    """Writes the file at *path*, which is made when it is not there. Raises sqlite3.Error and OSError throughout, and
    ValueError for a file of a newer format.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            _make(path)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        _check(self._db)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    def take(self, texts: Iterable[TextToKeep]) -> None:
        """Keep texts, all of them or none. What is there already stays."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for each in texts:
                self._take(each)
            self._db.execute("COMMIT")
        except BaseException:
            self._undo()
            raise

    def erase(self, messages: Iterable[MessageId]) -> int:
        """Erase the texts of these messages; return how many there were. A text goes with the last message that has
        it. The messages' names stay, so that what is read again is not kept again.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            rows = [(bytes(message),) for message in messages]
            erased = self._db.executemany(_ERASE, rows).rowcount
            if erased:
                self._db.execute("DELETE FROM piece WHERE body NOT IN (SELECT body FROM message)")
            self._db.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        if erased:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log has them still
        return erased

    def sync(self) -> None:
        """Have all that was committed survive a power cut."""
        self._db.execute("PRAGMA synchronous = FULL")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self._db.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        finally:
            self._db.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _take(self, text: TextToKeep) -> None:
        message, body = text.message, bytes(text.body)
        row = bytes(message.id), body, message.account, message.server, message.size, message.trace
        is_new = self._db.execute(_MESSAGE, row).rowcount == 1
        there = "SELECT 1 FROM piece WHERE body = ?"
        if not is_new or text.text is None or self._db.execute(there, (body,)).fetchone():
            return
        compress = self._compressor.compress
        rows = ((body, place, compress(piece)) for place, piece in enumerate(_pieces(text.text)))
        self._db.executemany("INSERT INTO piece (body, place, data) VALUES (?, ?, ?)", rows)

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


class BodyFileReader:
    """Reads the file at *path*. Raises sqlite3.Error throughout, and ValueError for a file of a newer format."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        _check(self._db)

    def message(self, message: MessageId) -> tuple[bytes, int, int, int, bytes] | None:
        """Return body, account, server, size and trace of a message; None where it is not here."""
        sql = "SELECT body, account, server, size, trace FROM message WHERE id = ?"
        found: tuple[bytes, int, int, int, bytes] | None = self._db.execute(sql, (bytes(message),)).fetchone()
        return found

    def has(self, body: bytes) -> bool:
        """Whether the text of a body is here."""
        return self._db.execute("SELECT 1 FROM piece WHERE body = ?", (body,)).fetchone() is not None

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Yield the text of a body, and close the file at the end."""
        decompress = zstandard.ZstdDecompressor().decompress
        try:
            sql = "SELECT data FROM piece WHERE body = ? ORDER BY place"
            for (data,) in self._db.execute(sql, (body,)):
                yield decompress(data)
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _make(path: Path) -> None:
    """Make a file. It has its name when its tables are there."""
    unfinished = path.with_suffix(".new")
    os.close(create_anew(unfinished))
    db = sqlite3.connect(unfinished, isolation_level=None)
    try:
        db.executescript(_TABLES)
    finally:
        db.close()
    unfinished.replace(path)


def _check(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        db.close()
        raise ValueError(f"has format {version}; this program reads {FORMAT}")


def _pieces(text: bytes | Path) -> Iterator[bytes]:
    if isinstance(text, bytes):
        yield from (text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES))
        return
    with open(text, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
