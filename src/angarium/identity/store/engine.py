"""The database of the identity store: where it is, how it is opened, and how its tables are brought up to date.

SQLite (embedded) and PostgreSQL are the same code above this module. A change is on the disk when the call that made
it returns.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, exc, make_url, text

from angarium.config.model import Config
from angarium.core.files import Ballast, make_folder, open_own
from angarium.sql.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"

BUSY_S = 15
"""How long a change waits for another one before it gives up."""

_BALLAST_BYTES = 256 << 10
"""Kept beside SQLite's file, so that a node can start on a full disk: the memory that processes share (32 kB) is a file
too, made when the first of them comes.
"""

_MIGRATION_LOCK = 0x616E67617269  # advisory, PostgreSQL: any number that is always the same
_migrating = threading.Lock()  # Alembic keeps the migration under way in a module's global


def store_url(config: Config, data: Path) -> str:
    """Return the URL of the database: `Identity_Store`, or SQLite in the data folder. Raises StoreError."""
    if config.globals.identity_store:
        return config.globals.identity_store.value
    path = str(data / "identity" / "identity.db")
    url = URL.create("sqlite", database=path).render_as_string()
    if make_url(url).database != path:  # not every version of SQLAlchemy can write all characters
        raise StoreError(f"the data folder {data} has % or ? in its name; rename it")
    return url


def key_file(config: Config, data: Path) -> Path:
    """Return the path of the key file: `Secrets_Key_File`, or one in the data folder."""
    return config.globals.secrets_key_file or data / "identity" / "secrets.key"


def open_engine(url: str) -> Engine:
    """Return an engine for *url*; SQLite's file is created, readable by its owner only. Raises StoreError."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    # what is sent along with a statement may be a secret: it must not get into logs and errors
    return sqlalchemy.create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": BUSY_S, "application_name": "angarium"},
    )


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
        parsed = None
    if parsed is not None and parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database:
        return parsed
    raise StoreError(
        "the identity store is neither SQLite nor PostgreSQL; "
        'write Identity_Store = "sqlite:////folder/identity.db" or "postgresql://user@host/database"'
    )


def _sqlite(url: URL) -> Engine:
    _create(Path(str(url.database)))
    engine = sqlalchemy.create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", partial(_prepare, url))
    event.listen(engine, "begin", _begin)
    return engine


def _create(path: Path) -> None:
    try:
        make_folder(path.parent)
        os.close(open_own(path, os.O_CREAT | os.O_RDWR))
    except OSError as error:
        raise StoreError(f"the identity store {path} cannot be opened: {error.strerror}") from error


def _prepare(url: URL, database: sqlite3.Connection, _record: object) -> None:
    database.isolation_level = None  # the driver would begin transactions where it likes
    path = Path(str(url.database))
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
        raise StoreError(f"the identity store {path} cannot be used: {error}") from error


def _set_up(database: sqlite3.Connection) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("PRAGMA user_version")  # reads, which is what takes the memory that processes share


def _begin(connection: Connection) -> None:
    """Begin a transaction. One that will write takes the lock at once: a reader cannot always become a writer."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads. Raises StoreError when the database does not answer."""
    with asking(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; what was done in it is undone if anything is raised. Raises StoreError."""
    with asking(engine), engine.connect() as raw:
        connection = raw.execution_options(writes=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":  # SQLite's driver was told when the engine was made
                connection.execute(
                    text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{BUSY_S}s"}
                )
            yield connection


@contextlib.contextmanager
def asking(engine: Engine) -> Iterator[None]:
    """Turn the errors of the database into StoreError, without what was sent to it."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        place = engine.url.render_as_string(hide_password=True)
        cause = getattr(error, "orig", None) or error
        # the rest of the text can quote values: "Key (username)=(…) already exists"
        reason = str(cause).partition("\n")[0][:200]
        raise StoreError(f"the identity store {place} does not answer as it should: {reason}") from None


def migrate(engine: Engine) -> None:
    """Bring the tables up to date. Safe when several processes start at once. Raises StoreError."""
    with _migrating, asking(engine):
        if _revision(engine) != _newest():
            _upgrade(engine)


def _newest() -> str | None:
    from alembic.script import ScriptDirectory  # a fifth of a second, for those who need it

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _revision(engine: Engine) -> str | None:
    """Return the revision that the tables are at; None: there are no tables."""
    with reading(engine) as connection:
        if not sqlalchemy.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util import CommandError

    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take its time
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                "the identity store was made by a newer Angarium: start that version, or restore the copy of the "
                f"database from before the upgrade ({error})"
            ) from error
