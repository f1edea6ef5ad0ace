"""One recipient taken out of a day's file: what names the person goes, what is counted stays."""

import sqlite3
from typing import Any

from angarium.core.ids import MessageId
from angarium.events.rows import INDEX_BITS
from angarium.events.sqlite.words import cut, marks_of, reply_row
from angarium.query.words import folded, words

_SHARED = "iif(typeof(m.{0}) = 'integer', (SELECT value FROM shared WHERE no = m.{0}), m.{0})"
_FOUND = f"""
SELECT r.no, r.address, r.home, m.no, m.account, m.server, m.stream, m.campaign,
  {_SHARED.format("sender")}, {_SHARED.format("author")}, {_SHARED.format("subject")}
FROM words CROSS JOIN recipient r ON r.no = words.rowid JOIN message m ON m.no = r.no >> {INDEX_BITS}
WHERE words MATCH ?"""
_OTHERS = f"""
SELECT address FROM recipient
WHERE no BETWEEN ?1 << {INDEX_BITS} AND (?1 + 1 << {INDEX_BITS}) - 1 AND address <> ''"""
_TAGS = "SELECT word.text, word.no FROM tag JOIN word ON word.no = tag.word WHERE tag.message = ?"
_REPLIES = "SELECT seq, reply FROM event WHERE recipient = ? AND reply <> ''"
_OUT_OF_WORDS = """INSERT INTO words (words, rowid, "to", "from", subject, tag, mark)
VALUES ('delete', ?, ?, ?, ?, ?, ?)"""
_OUT_OF_REPLIES = "INSERT INTO reply_words (reply_words, rowid, reply) VALUES ('delete', ?, ?)"
_FORGOTTEN = f"""
UPDATE message SET sender = '', subject = '', message_id = '', named = NULL, metadata = NULL
WHERE no = ? AND NOT EXISTS (
  SELECT 1 FROM recipient WHERE no >> {INDEX_BITS} = message.no AND no BETWEEN message.no << {INDEX_BITS}
    AND (message.no + 1 << {INDEX_BITS}) - 1 AND address <> '')"""

_SHARED_BY = "SELECT sender, subject FROM message WHERE no = ?"
_UNSHARED = """
UPDATE shared SET value = '', hash = -1
WHERE no = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE sender = ?1 OR author = ?1 OR subject = ?1)"""
"""The number stays: who reads at the moment may have it in memory."""


def recipients_of(db: sqlite3.Connection, address: str, account: int | None) -> list[tuple[Any, ...]]:
    """Return the rows of the recipients with *address*, in any case, of the mail of *account*; None: of all."""
    asked = " ".join(words(address))
    if not asked:
        return []
    wanted = folded(address)
    found = db.execute(_FOUND, (f'"to" : "{asked}"',))
    return [row for row in found if folded(row[1]) == wanted and account in (None, row[4])]


def alone(db: sqlite3.Connection, address: str, account: int | None) -> list[MessageId]:
    """Return the messages that went to *address* and to nobody else who is still known."""
    wanted = folded(address)
    messages = dict.fromkeys(row[3] for row in recipients_of(db, address, account))
    return [
        MessageId(id)
        for message in messages
        if all(folded(other) == wanted for (other,) in db.execute(_OTHERS, (message,)))
        for (id,) in db.execute("SELECT id FROM message WHERE no = ?", (message,))
    ]


def erase(db: sqlite3.Connection, address: str, account: int | None) -> int:
    """Take the address, replies and details out of all that happened to *address*, and what was written to nobody else
    out of its messages; return how many recipients that were. In one transaction of its own: killed in the middle, it
    has not happened, and done again, it finds nothing.
    """
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN IMMEDIATE")
    found = recipients_of(db, address, account)
    shared = [
        number
        for row in found
        for number in db.execute(_SHARED_BY, (row[3],)).fetchone()
        if isinstance(number, int)
    ]
    for row in found:
        _erase_one(db, row)
    db.executemany(_UNSHARED, [(number,) for number in shared])
    if found:  # until segments are merged, the words stand in those that are dead
        db.execute("INSERT INTO words (words) VALUES ('optimize')")
        db.execute("INSERT INTO reply_words (reply_words) VALUES ('optimize')")
    db.execute("COMMIT")
    if found:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(found)


def _erase_one(db: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    # The index has no content of its own: it has to be given just the words that it was given at first.
    number, address, home, message, account, server, stream, campaign, sender, author, subject = row
    tags = db.execute(_TAGS, (message,)).fetchall()
    marks = f"d{home} {marks_of(account, server, stream, campaign, [no for _, no in tags])}"
    texts = cut(address), cut(sender, author), cut(subject), cut(*(text for text, _ in tags))
    db.execute(_OUT_OF_WORDS, (number, *texts, marks))
    db.execute("INSERT INTO words (rowid, mark) VALUES (?, ?)", (number, marks))  # it is counted still
    replies = [(reply_row(number, seq), cut(reply)) for seq, reply in db.execute(_REPLIES, (number,))]
    db.executemany(_OUT_OF_REPLIES, replies)
    db.execute("UPDATE recipient SET address = '' WHERE no = ?", (number,))
    db.execute("UPDATE event SET reply = '', detail = NULL WHERE recipient = ?", (number,))
    db.execute(_FORGOTTEN, (message,))
