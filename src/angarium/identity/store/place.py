"""Where the identity store is, and what it is opened with."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from angarium.assets import store as assets
from angarium.config.model import Config
from angarium.identity.secrets import KeyRing
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.kind import DatabaseKind
from angarium.suppressions import store as suppressions

IDENTITY: Final = DatabaseKind(
    "identity store",
    "Identity_Store",
    "identity.db",
    (
        Path(__file__).parent / "migrations",
        Path(suppressions.__file__).parent / "migrations",
        Path(assets.__file__).parent / "migrations",
    ),
)


def store_url(config: Config, data: Path) -> str:
    """Return the URL of the database: `Identity_Store`, or SQLite in the data folder. Raises StoreError."""
    if config.globals.identity_store:
        return config.globals.identity_store.value
    path = str(data / "identity" / IDENTITY.file)
    url = URL.create("sqlite", database=path).render_as_string()
    if make_url(url).database != path:  # not every version of SQLAlchemy can write all characters
        raise StoreError(f"the data folder {data} has % or ? in its name; rename it")
    return url


def sqlite_file(url: str) -> Path | None:
    """Return the file of the store at *url*; None when it is not SQLite."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.drivername == "sqlite" and parsed.database else None


def shown_url(url: str) -> str:
    """Return *url* without its password."""
    return make_url(url).render_as_string(hide_password=True)


def key_file(config: Config, data: Path) -> Path:
    """Return the path of the key file: `Secrets_Key_File`, or one in the data folder."""
    return config.globals.secrets_key_file or data / "identity" / "secrets.key"


def prepare_store(config: Config, data: Path) -> None:
    """Make the key file and the tables, if they are not there. Raises KeyRingError or StoreError."""
    database = open_database(store_url(config, data))
    try:
        KeyRing.load_or_create(key_file(config, data))
        database.migrate()
    finally:
        database.close()


def open_database(url: str) -> Database:
    """Return the database at *url*; its tables may not be up to date yet. Raises StoreError."""
    return Database(url, IDENTITY)
