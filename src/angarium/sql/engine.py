"""How a database is opened: SQLite, which is embedded, or PostgreSQL. Above this module they are the same.

SQLite's file is kept as a database of mail needs it: what is written is on the disk when its transaction ends.
"""

import os
import sqlite3
from functools import partial
from pathlib import Path

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, exc, make_url

from angarium.core.files import Ballast, make_folder, open_own
from angarium.sql.errors import StoreError
from angarium.sql.kind import DatabaseKind

BUSY_S = 15
"""How long a change waits for another one before it gives up."""

_BALLAST_BYTES = 256 << 10
"""Kept beside SQLite's file, so that a node can start on a full disk: the memory that processes share (32 kB) is a file
too, made when the first of them comes.
"""


def open_engine(url: str, kind: DatabaseKind) -> Engine:
    """Return an engine for *url*; SQLite's file is created, readable by its owner only. Raises StoreError."""
    parsed = _parsed(url, kind)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, kind)
    # what is sent along with a statement may be a secret: it must not get into logs and errors
    return sqlalchemy.create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": BUSY_S,
            "application_name": "angarium",
            # a server that is gone without a word is not waited for longer (milliseconds); a busy one is
            "tcp_user_timeout": BUSY_S * 1000,
            "keepalives_idle": BUSY_S,
            "keepalives_interval": 5,
        },
    )


def _parsed(url: str, kind: DatabaseKind) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
        parsed = None
    if parsed is not None and parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database:
        return parsed
    raise StoreError(
        f"the {kind.called} is neither SQLite nor PostgreSQL; "
        f'write {kind.option} = "sqlite:////folder/{kind.file}" or "postgresql://user@host/database"'
    )


def _sqlite(url: URL, kind: DatabaseKind) -> Engine:
    path = Path(str(url.database))
    _create(path, kind)
    engine = sqlalchemy.create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", partial(_prepare, path, kind))
    event.listen(engine, "begin", _begin)
    return engine


def _create(path: Path, kind: DatabaseKind) -> None:
    try:
        make_folder(path.parent)
        os.close(open_own(path, os.O_CREAT | os.O_RDWR))
    except OSError as error:
        raise StoreError(f"the {kind.called} {path} cannot be opened: {error.strerror}") from error


def _prepare(path: Path, kind: DatabaseKind, database: sqlite3.Connection, _record: object) -> None:
    database.isolation_level = None  # the driver would begin transactions where it likes
    ballast = Ballast(path.with_name(f"{path.name}-ballast"), _BALLAST_BYTES)
    try:
        try:
            _set_up(database)
        except sqlite3.OperationalError:
            ballast.drop()
            _set_up(database)
        else:
            ballast.keep()
    except sqlite3.Error as error:
        raise StoreError(f"the {kind.called} {path} cannot be used: {error}") from error


def _set_up(database: sqlite3.Connection) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("PRAGMA user_version")  # reads, which is what takes the memory that processes share


def _begin(connection: Connection) -> None:
    """Begin a transaction. One that will write takes the lock at once: a reader cannot always become a writer."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
