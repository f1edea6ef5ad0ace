"""The rollups on disk: a SQLite file beside the events, which outlives them.

What is added and up to which event all has been added stand in one transaction: each event is in the sums once,
whenever it came. Nothing is closed, and nothing has to be made again.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from angarium.core.files import create_anew
from angarium.events.port import EventStoreError, Whose
from angarium.events.rollups.port import QUARTER_S
from angarium.events.rollups.tables import CellKey
from angarium.events.rollups.tally import Cell, add
from angarium.query.words import folded

FILE_NAME: Final = "reports.db"
"""In the data folder. A copy of that takes it before the days of events: what it has counted, they have."""
_VERSION: Final = 1

_TABLES: Final = """
CREATE TABLE counted (upto INTEGER NOT NULL);
INSERT INTO counted VALUES (0);
CREATE TABLE owner (
  no INTEGER PRIMARY KEY, account INTEGER NOT NULL, server INTEGER NOT NULL, UNIQUE (account, server));
CREATE TABLE word (no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE INDEX word_folded ON word (folded);
CREATE TABLE cell (
  rollup INTEGER NOT NULL, owner INTEGER NOT NULL, unit INTEGER NOT NULL, value INTEGER NOT NULL, sums BLOB NOT NULL,
  PRIMARY KEY (rollup, owner, unit, value)) WITHOUT ROWID;
"""
_ADD: Final = """
INSERT INTO cell (rollup, owner, unit, value, sums) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (rollup, owner, unit, value) DO UPDATE SET sums = added(sums, excluded.sums)"""
_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "temp_store = MEMORY")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode


class KeptRows(NamedTuple):
    """Rows of a rollup, and the number of the last event that is in them."""

    upto: int
    rows: list[tuple[CellKey, Cell]]


class RollupsFile:
    """The file at *path*, which is made when it is not there. One thread adds; each who asks opens it for itself.

    Raises EventStoreError throughout.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._words: dict[str, int] = {}
        self._owners: dict[tuple[int, int], int] = {}
        with self._answering():
            if not path.exists():
                _make(path)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.create_function("added", 2, _added, deterministic=True)
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                raise ValueError(f"has format {version}; this program reads {_VERSION}")

    def upto(self) -> int:
        """Return the number of the last event that is in the sums."""
        with self._answering():
            return int(self._db.execute("SELECT upto FROM counted").fetchone()[0])

    def add(self, cells: Mapping[CellKey, Cell], upto: int) -> None:
        """Add *cells*, which come of the events up to number *upto* that were not in the sums yet."""
        with self._answering(), self._transaction():
            self._db.executemany(_ADD, (self._row(key, cell) for key, cell in cells.items()))
            self._db.execute("UPDATE counted SET upto = ?", (upto,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _row(self, key: CellKey, cell: Cell) -> tuple[Any, ...]:
        return (
            key.rollup,
            self._owner(key.account, key.server),
            key.unit,
            self._word(key.value),
            _encode(cell),
        )

    def _owner(self, account: int, server: int) -> int:
        number = self._owners.get((account, server))
        if number is None:
            number = self._owners[account, server] = self._number(
                "owner (account, server)", (account, server)
            )
        return number

    def _word(self, text: str) -> int:
        number = self._words.get(text)
        if number is None:
            number = self._words[text] = self._number("word (text, folded)", (text, folded(text)))
        return number

    def _number(self, what: str, values: tuple[Any, ...]) -> int:
        table, _, column = what.partition(" ")
        columns = column.strip("()").split(", ")
        alike = " AND ".join(f"{name} = ?" for name in columns)
        found = self._db.execute(f"SELECT no FROM {table} WHERE {alike}", values).fetchone()
        if found is not None:
            return int(found[0])
        made = self._db.execute(f"INSERT INTO {what} VALUES (?, ?)", values)
        assert made.lastrowid is not None
        return made.lastrowid

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._words.clear()
            self._owners.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with _answering(self._path):
            yield


class RollupsReader:
    """Asks the file at *path*, which may not be there yet: then nothing is in it. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(
        self, rollup: int, units: tuple[int, int], scope: Whose, values: Sequence[str] | None
    ) -> KeptRows:
        """Return the rows of a rollup for the units from the first up to before the second: those of *scope* (account
        None: of all), with one of the folded *values*. Raises EventStoreError.
        """
        if not self._path.exists():
            return KeptRows(0, [])
        where, asked = _chosen(scope, values)
        sql = f"""SELECT c.rollup, o.account, o.server, c.unit, w.text, c.sums
            FROM owner o JOIN cell c ON c.rollup = ? AND c.owner = o.no AND c.unit >= ? AND c.unit < ?
            JOIN word w ON w.no = c.value WHERE {where}"""
        with _answering(self._path), _opened(self._path) as db:
            db.execute("BEGIN")
            upto = int(db.execute("SELECT upto FROM counted").fetchone()[0])
            rows = [(CellKey(*row[:5]), _decode(row[5])) for row in db.execute(sql, [rollup, *units, *asked])]
        return KeptRows(upto, rows)

    def since(self) -> int | None:
        """Return when the first quarter-hour began that is in the sums, in epoch seconds; None: none is. Raises
        EventStoreError.
        """
        if not self._path.exists():
            return None
        first = "SELECT min(unit) FROM cell WHERE rollup = 1 AND owner = o.no"
        with _answering(self._path), _opened(self._path) as db:
            (unit,) = db.execute(f"SELECT min(({first})) FROM owner o").fetchone()
        return None if unit is None else int(unit) * QUARTER_S

    def servers(self, account: int) -> list[int]:
        """Return the servers by which mail of *account* has come. Raises EventStoreError."""
        if not self._path.exists():
            return []
        with _answering(self._path), _opened(self._path) as db:
            found = db.execute("SELECT server FROM owner WHERE account = ? AND server <> 0", (account,))
            return [row[0] for row in found]


def _chosen(scope: Whose, values: Sequence[str] | None) -> tuple[str, list[Any]]:
    parts, asked = ["1"], list[Any]()
    if scope.account is not None:  # what happened at a door is of a server only
        theirs = "SELECT server FROM owner WHERE account = ? AND server <> 0"
        parts.append(f"(o.account = ? OR o.account = 0 AND o.server IN ({theirs}))")
        asked += [scope.account, scope.account]
    if scope.servers is not None:
        parts.append(f"o.server IN ({', '.join('?' * len(scope.servers)) or 'NULL'})")
        asked += scope.servers
    if values is not None:
        parts.append(f"w.folded IN ({', '.join('?' * len(values)) or 'NULL'})")
        asked += values
    return " AND ".join(parts), asked


def _make(path: Path) -> None:
    """Make the file. It has its name when its tables are there."""
    unfinished = path.with_suffix(".new")
    os.close(create_anew(unfinished))
    db = sqlite3.connect(unfinished, isolation_level=None)
    try:
        db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
    finally:
        db.close()
    unfinished.replace(path)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


@contextmanager
def _answering(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as exc:
        raise EventStoreError(f"the rollups in {path} do not answer: {exc}") from exc


def _added(sums: bytes, more: bytes) -> bytes:
    """Return the sums of two cells, without those that are nothing. Called by SQLite."""
    return _encode({measure: count for measure, count in add(_decode(sums), _decode(more)).items() if count})
