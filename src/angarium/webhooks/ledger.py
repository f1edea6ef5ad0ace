"""What is kept of webhooks while they are served: a SQLite file of the node, since the numbers of the log are its own.

One process writes how far they were told; others ask, and say what of the dead letters, or of the past, is to be told
again. What is committed survives the end of the process; after a power cut the last of it may be missing, and is told
twice. Blocking. Raises LedgerError throughout.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.files import create_anew, give_to_owner_of
from angarium.webhooks.records import CursorRow, KeptLetter, LetterCounts, ReplayRow, TailRow

FILE_NAME: Final = "webhooks.db"
"""In the data folder."""
DONE_S: Final = 86_400.0
"""How long it is known of what was tried again that it was taken."""
_VERSION: Final = 1
_BUSY_S: Final = 10.0

_TABLES: Final = """
CREATE TABLE tail (number INTEGER NOT NULL, earlier INTEGER NOT NULL, earlier_at REAL NOT NULL, boot TEXT NOT NULL);
CREATE TABLE cursor (
  webhook INTEGER PRIMARY KEY, position INTEGER NOT NULL, behind INTEGER NOT NULL, told TEXT NOT NULL, ok_at REAL,
  failed_at REAL, failing_since REAL, open_until REAL, status INTEGER NOT NULL, error TEXT NOT NULL,
  answer TEXT NOT NULL);
CREATE TABLE letter (
  webhook INTEGER NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL, numbers TEXT NOT NULL, ids TEXT NOT NULL,
  keys TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, first_at REAL NOT NULL, due_at REAL NOT NULL,
  changed_at REAL NOT NULL, status INTEGER NOT NULL, error TEXT NOT NULL, answer TEXT NOT NULL,
  latency_ms INTEGER NOT NULL, PRIMARY KEY (webhook, id)) WITHOUT ROWID;
CREATE INDEX letter_state ON letter (webhook, state, number);
CREATE INDEX letter_done ON letter (changed_at) WHERE state = 'done';
CREATE TABLE replay (
  id INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
  position INTEGER NOT NULL, end INTEGER NOT NULL, made_at REAL NOT NULL, found INTEGER NOT NULL, done_at REAL);
"""
_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL")
_CURSOR: Final = CursorRow.__struct_fields__
_LETTER: Final = KeptLetter.__struct_fields__
_JSON: Final = ("told", "numbers", "ids", "keys")


class LedgerError(AngariumError):
    """What is kept of webhooks cannot be read or written."""


class WebhookLedger:
    """The file at *path*, which is made when it is not there. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        with self._answering():
            if not path.exists():
                _make(path)
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                raise ValueError(f"has format {version}; this program reads {_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- how far

    def tail(self) -> TailRow | None:
        """Return how far the log was handed out, None: it never was."""
        rows = self._ask("SELECT number, earlier, earlier_at, boot FROM tail")
        return TailRow(*rows[0]) if rows else None

    def cursors(self, webhook: int | None = None) -> dict[int, CursorRow]:
        """Return how far each webhook was told, or one."""
        where, values = ("WHERE webhook = ?", [webhook]) if webhook is not None else ("", [])
        found = [_cursor(row) for row in self._ask(f"SELECT * FROM cursor {where}", values)]
        return {row.webhook: row for row in found}

    def write(
        self,
        cursors: Iterable[CursorRow] = (),
        letters: Iterable[KeptLetter] = (),
        tail: TailRow | None = None,
    ) -> None:
        """Write all of this, or nothing."""
        with self._writing() as db:
            for cursor in cursors:
                db.execute(_put("cursor", _CURSOR), _row(cursor))
            for letter in letters:
                _write_letter(db, letter)
            if tail is not None:
                db.execute("DELETE FROM tail")
                db.execute("INSERT INTO tail VALUES (?, ?, ?, ?)", tail)

    def version(self) -> int:
        """Return a number that changes when somebody else has written."""
        return int(self._ask("PRAGMA data_version")[0][0])

    # -- letters

    def letters(
        self, webhook: int, state: str, *, after: tuple[int, str] = (-1, ""), limit: int = 100
    ) -> list[KeptLetter]:
        """Return what is of a *state*, by the number of the first event, and then by id."""
        rows = self._ask(
            "SELECT * FROM letter WHERE webhook = ? AND state = ? AND (number, id) > (?, ?) "
            "ORDER BY number, id LIMIT ?",
            [webhook, state, *after, limit],
        )
        return [_letter(row) for row in rows]

    def letter(self, webhook: int, id: str) -> KeptLetter | None:
        """Return one, None: there is none."""
        rows = self._ask("SELECT * FROM letter WHERE webhook = ? AND id = ?", [webhook, id])
        return _letter(rows[0]) if rows else None

    def lately(self, webhook: int, limit: int = 1_000) -> list[KeptLetter]:
        """Return what has failed at least once in the last day, in any state, what has changed last first."""
        rows = self._ask(
            "SELECT * FROM letter WHERE webhook = ? AND tries > 0 ORDER BY changed_at DESC LIMIT ?",
            [webhook, limit],
        )
        return [_letter(row) for row in rows]

    def counts(self) -> Mapping[int, LetterCounts]:
        """Return how many there are by webhook."""
        rows = self._ask(
            "SELECT webhook, sum(state = 'waiting'), sum(state = 'dead') FROM letter GROUP BY webhook"
        )
        return {row[0]: LetterCounts(row[1], row[2]) for row in rows}

    def revive(self, webhook: int, ids: Sequence[str] | None, now: float) -> int:
        """Have dead letters told again, those of *ids* or all; return how many."""
        sql = "UPDATE letter SET state = 'waiting', tries = 0, due_at = ?, changed_at = ? "
        return self._of_dead(sql, [now, now], webhook, ids)

    def drop(self, webhook: int, ids: Sequence[str] | None) -> int:
        """Forget dead letters, those of *ids* or all; return how many."""
        return self._of_dead("DELETE FROM letter ", [], webhook, ids)

    def sweep(self, now: float, webhooks: set[int]) -> None:
        """Forget what was taken long ago, and all of webhooks that are none of *webhooks*."""
        with self._writing() as db:
            db.execute("DELETE FROM letter WHERE state = 'done' AND changed_at < ?", [now - DONE_S])
            for table in ("cursor", "letter", "replay"):
                known = {row[0] for row in db.execute(f"SELECT DISTINCT webhook FROM {table}")}
                db.executemany(f"DELETE FROM {table} WHERE webhook = ?", [(id,) for id in known - webhooks])

    # -- replays

    def add_replay(self, webhook: int, since: float, until: float, span: tuple[int, int], now: float) -> int:
        """Have what happened in a window told again: what is in the log in *span*. Return the replay's number."""
        with self._writing() as db:
            made = db.execute(
                "INSERT INTO replay (webhook, since, until, position, end, made_at, found) "
                "VALUES (?, ?, ?, ?, ?, ?, 0)",
                [webhook, since, until, *span, now],
            )
            return int(made.lastrowid or 0)

    def replays(self, webhook: int | None = None, *, done: bool = False) -> list[ReplayRow]:
        """Return replays, of one webhook or of all; those that are *done*, too."""
        parts = [] if done else ["done_at IS NULL"]
        parts += [] if webhook is None else ["webhook = ?"]
        where = f"WHERE {' AND '.join(parts)}" if parts else ""
        rows = self._ask(f"SELECT * FROM replay {where} ORDER BY id", [] if webhook is None else [webhook])
        return [msgspec.convert(dict(row), ReplayRow) for row in rows]

    def go_on(self, replay: ReplayRow, letters: Iterable[KeptLetter]) -> None:
        """Write what a replay has found, and how far it is, together."""
        with self._writing() as db:
            for letter in letters:
                db.execute(_REPLAYED, {**_row(letter), "number": letter.numbers[0]})
            db.execute(
                "UPDATE replay SET position = ?, found = ?, done_at = ? WHERE id = ?",
                [replay.position, replay.found, replay.done_at, replay.id],
            )

    def _of_dead(self, sql: str, values: list[Any], webhook: int, ids: Sequence[str] | None) -> int:
        where = "WHERE webhook = ? AND state = 'dead'"
        with self._writing() as db:
            if ids is None:
                return db.execute(sql + where, [*values, webhook]).rowcount
            rows = [(*values, webhook, id) for id in ids]
            return sum(db.execute(f"{sql}{where} AND id = ?", row).rowcount for row in rows)

    def _ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._answering():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._answering():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise LedgerError(f"what is kept of webhooks, {self._path}, cannot be used: {error}") from error


def _make(path: Path) -> None:
    """Make the file under another name, so that it is never seen half made."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = create_anew(new)
    give_to_owner_of(path.parent, descriptor)
    os.close(descriptor)
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
    finally:
        db.close()
    try:
        os.link(new, path)
    except FileExistsError:
        pass  # another process was faster
    finally:
        new.unlink()


def _put(table: str, names: Iterable[str]) -> str:
    columns = tuple(names)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})"


_REPLAYED: Final = (
    _put("letter", (*_LETTER, "number")).replace("INSERT OR REPLACE", "INSERT")
    + " ON CONFLICT (webhook, id) DO UPDATE SET state = 'waiting', tries = 0, due_at = excluded.due_at, "
    "changed_at = excluded.changed_at WHERE letter.state <> 'waiting'"
)


def _write_letter(db: sqlite3.Connection, letter: KeptLetter) -> None:
    if letter.state == "done" and letter.tries == 0:  # nothing is to be known of what was taken at once
        db.execute("DELETE FROM letter WHERE webhook = ? AND id = ?", [letter.webhook, letter.id])
        return
    db.execute(_put("letter", (*_LETTER, "number")), {**_row(letter), "number": letter.numbers[0]})


def _row(record: msgspec.Struct) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return {
        name: msgspec.json.encode(value).decode() if name in _JSON else value
        for name, value in values.items()
    }


def _cursor(row: sqlite3.Row) -> CursorRow:
    values = {name: row[name] for name in _CURSOR}
    return msgspec.convert(values | {"behind": bool(row["behind"]), "told": _decoded(row["told"])}, CursorRow)


def _letter(row: sqlite3.Row) -> KeptLetter:
    values = {name: row[name] for name in _LETTER}
    return msgspec.convert(
        values | {name: _decoded(row[name]) for name in ("numbers", "ids", "keys")}, KeptLetter
    )


def _decoded(text: str) -> Any:
    return msgspec.json.decode(text)
