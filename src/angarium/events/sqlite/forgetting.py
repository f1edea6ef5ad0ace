"""Whom all mail of a day's file was about, forgotten: in one transaction, and then swept from the disk.

How far that has come stands in the file's `application_id`, which is written with the rest: whoever is killed in the
middle of the transaction has done nothing, and whoever is killed after it only has to sweep.
"""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from angarium.events.forgetting import COUNTED, code_of
from angarium.events.rows import INDEX_BITS
from angarium.events.sqlite.words import NOTHING, cut, marks_of

_GONE, _SWEPT = 1, 2
_FORGET = (
    "UPDATE message SET sender = '', author = '', subject = '', message_id = '', named = NULL, metadata = NULL",
    "UPDATE recipient SET address = ''",
    f"UPDATE event SET reply = code_of(reply), detail = iif(kind = {COUNTED}, detail, NULL)",
    "UPDATE shared SET value = '', hash = -1",  # the numbers stay: who reads may have them in memory
    "INSERT INTO words (words) VALUES ('delete-all')",
    "INSERT INTO reply_words (reply_words) VALUES ('delete-all')",
)
_RECIPIENTS = f"""
SELECT m.no, m.account, m.server, m.stream, m.campaign, r.no, r.home
FROM recipient r CROSS JOIN message m ON m.no = r.no >> {INDEX_BITS}
WHERE m.listener <> {NOTHING} ORDER BY r.no"""
_TAGS = "SELECT word.text, word.no FROM tag JOIN word ON word.no = tag.word WHERE tag.message = ?"
_WORDS = "INSERT INTO words (rowid, tag, mark) VALUES (?, ?, ?)"


def is_forgotten(db: sqlite3.Connection) -> bool:
    """Whether nobody is named in the file any more, and what comes is to be taken without names."""
    return _stage(db) >= _GONE


def forget(db: sqlite3.Connection) -> bool:
    """Take all that names somebody out of the file; return whether nothing of it is left on the disk. Where somebody
    reads the file at the moment, something is: do it again.
    """
    if _stage(db) == _SWEPT:
        return True
    db.execute("PRAGMA secure_delete = ON")
    if _stage(db) < _GONE:
        db.create_function("code_of", 1, code_of, deterministic=True)
        db.execute("BEGIN IMMEDIATE")
        for sql in _FORGET:
            db.execute(sql)
        db.executemany(_WORDS, _counted_words(db))
        db.execute(f"PRAGMA application_id = {_GONE}")
        db.execute("COMMIT")
    return _sweep(db)


def _counted_words(db: sqlite3.Connection) -> Iterator[tuple[int, str, str]]:
    """Yield what is still found in the index: tags, and what is searched as a whole."""
    rows: Iterator[tuple[Any, ...]] = db.execute(_RECIPIENTS)
    for (message, account, server, stream, campaign), recipients in groupby(rows, lambda row: row[:5]):
        tags = db.execute(_TAGS, (message,)).fetchall()
        texts = cut(*(text for text, _ in tags))
        marks = marks_of(account, server, stream, campaign, [no for _, no in tags])
        for *_, number, home in recipients:
            yield number, texts, f"d{home} {marks}"


def _sweep(db: sqlite3.Connection) -> bool:
    """Give back the room, and empty the log, in which what was written stands until then."""
    if _number(db, "freelist_count"):
        db.execute("PRAGMA temp_store = FILE")  # a large day is more than memory should take
        try:
            db.execute("VACUUM")
        finally:
            db.execute("PRAGMA temp_store = MEMORY")
    if _number(db, "wal_checkpoint(TRUNCATE)"):
        return False
    db.execute(f"PRAGMA application_id = {_SWEPT}")
    return True


def _stage(db: sqlite3.Connection) -> int:
    return _number(db, "application_id")


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
