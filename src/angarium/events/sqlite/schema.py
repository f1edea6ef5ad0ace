"""The tables of one day's file.

A message's day is that of its id, and all that ever happens to it lies in that day's file: so a timeline is read from
one file, the state of a recipient and its last reply can be searched, and what is told twice meets itself. A file goes
as a whole when its mail is too old.

Numbers stand for words that are searched (`word`) and for values that many rows share (`shared`; a sender, an author
and a subject are text, or the number of one). A recipient's number is as `rows` says. Message 0 is none: what happened
at the door.

Full-text tables have no content of their own; they get words that are cut already (`query.words`), hence the plain
tokenizer. There is a row for each recipient, with the words of its message and *marks*, a letter and the number of
what is searched as a whole: so `domain:` or `tag:` beside two words of the subject is one look into one index. In
`reply_words` a row is `recipient << REPLY_BITS` and a number for each reply.
"""

import os
import sqlite3
from pathlib import Path

from angarium.core.files import create_anew

SCHEMA_VERSION = 1

REPLY_BITS = 10

_FULL_TEXT = "content='', columnsize=0, tokenize='ascii'"
_TABLES = f"""
CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE INDEX word_folded ON word (folded);
CREATE TABLE shared (no INTEGER PRIMARY KEY, hash INTEGER NOT NULL, value NOT NULL);
CREATE INDEX shared_hash ON shared (hash);
CREATE TABLE message (
  no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, at REAL NOT NULL,
  account INTEGER NOT NULL DEFAULT 0, server INTEGER NOT NULL DEFAULT 0,
  stream INTEGER NOT NULL DEFAULT 1, campaign INTEGER NOT NULL DEFAULT 1, listener INTEGER NOT NULL DEFAULT 1,
  sender NOT NULL DEFAULT '', author NOT NULL DEFAULT '', subject NOT NULL DEFAULT '',
  message_id TEXT NOT NULL DEFAULT '', named INTEGER, size INTEGER NOT NULL DEFAULT 0,
  traits INTEGER NOT NULL DEFAULT 0, came INTEGER NOT NULL DEFAULT 0, metadata BLOB);
CREATE INDEX message_named ON message (named) WHERE named IS NOT NULL;
CREATE TABLE tag (word INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (message, word)) WITHOUT ROWID;
CREATE TABLE recipient (
  no INTEGER PRIMARY KEY, address TEXT NOT NULL, home INTEGER NOT NULL DEFAULT 1,
  domain INTEGER NOT NULL, binding INTEGER NOT NULL,
  state INTEGER NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, due REAL,
  attempts INTEGER NOT NULL, reason INTEGER NOT NULL DEFAULT 1);
CREATE INDEX recipient_state ON recipient (state) WHERE state <> 1;
CREATE TABLE event (
  no INTEGER PRIMARY KEY, recipient INTEGER NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, kind INTEGER NOT NULL,
  server INTEGER NOT NULL, stream INTEGER NOT NULL, reply TEXT NOT NULL, reason INTEGER NOT NULL DEFAULT 1,
  binding INTEGER NOT NULL DEFAULT 1, provider INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0,
  machine INTEGER NOT NULL DEFAULT 0, detail BLOB);
CREATE UNIQUE INDEX event_of ON event (recipient, seq);
CREATE INDEX event_at ON event (server, at, kind, stream);
CREATE VIRTUAL TABLE words USING fts5 ("to", "from", subject, tag, mark, {_FULL_TEXT});
CREATE VIRTUAL TABLE reply_words USING fts5 (reply, {_FULL_TEXT});
INSERT INTO words (words, rank) VALUES ('automerge', 8);
INSERT INTO reply_words (reply_words, rank) VALUES ('automerge', 8);
CREATE VIRTUAL TABLE words_seen USING fts5vocab (words, instance);
CREATE VIRTUAL TABLE reply_words_seen USING fts5vocab (reply_words, instance);
INSERT INTO word VALUES (1, '', '');
"""

_CHECKPOINT_PAGES, _CHECKPOINT_PAGES_LATE = 4_000, 500
"""16 MB: the file is written, and synced, once for so much of the log. Of days to which little comes there are many."""
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "temp_store = MEMORY",
)


def open_to_write(path: Path, *, is_newest: bool) -> sqlite3.Connection:
    """Open or make a day's file. Raises sqlite3.Error, OSError; and ValueError for a file of a newer format."""
    if not path.exists():
        _make(path)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    pages = _CHECKPOINT_PAGES if is_newest else _CHECKPOINT_PAGES_LATE
    sizes = (
        f"wal_autocheckpoint = {pages}",
        f"journal_size_limit = {2 * 4096 * pages}",
        f"cache_size = {2 * pages}",
    )
    for pragma in (*_PRAGMAS, *sizes):
        db.execute(f"PRAGMA {pragma}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        db.close()
        raise ValueError(f"has format {version}; this program reads {SCHEMA_VERSION}")
    return db


def _make(path: Path) -> None:
    """Make a day's file. It has its name when its tables are there: others look for it all the time."""
    unfinished = path.with_suffix(".new")
    os.close(create_anew(unfinished))
    db = sqlite3.connect(unfinished, isolation_level=None)
    try:
        db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    finally:
        db.close()
    unfinished.replace(path)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a day's file, which is there. Raises sqlite3.Error."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    db.execute("PRAGMA query_only = ON")
    return db
