"""The identity store on both databases: a test that asks for `url`, `database` or `store` runs on each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.testing.clock import ManualClock
from angarium.testing.postgres import PostgresServer

NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """A PostgreSQL database with the tables, to copy from."""
    name = postgres.create_database()
    database = open_database(postgres.url(name))
    database.migrate()
    database.close()
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def empty_url(request: pytest.FixtureRequest, quick_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{quick_path / 'identity' / 'identity.db'}"
    else:
        yield from _copy_of("template1", request.getfixturevalue("postgres"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, quick_path: Path) -> Iterator[str]:
    """The URL of a database with the tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{copy_of(request.getfixturevalue('migrated_file'), quick_path / 'identity')}"
    else:
        yield from _copy_of(request.getfixturevalue("migrated"), request.getfixturevalue("postgres"))


def copy_of(file: Path, folder: Path) -> Path:
    """Copy a SQLite file into a folder that is made for it, as the store makes it."""
    folder.mkdir(0o700)
    return shutil.copy(file, folder)


def _copy_of(template: str, server: PostgresServer) -> Iterator[str]:
    name = server.create_database(template)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The database, with the tables."""
    database = open_database(url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    """What the store takes for the time."""
    return ManualClock(NOW)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """The node's keys."""
    return KeyRing.load_or_create(tmp_path / "identity" / "secrets.key")


@pytest.fixture
def store(database: Database, ring: KeyRing, clock: ManualClock) -> IdentityStore:
    """A store with nothing in it."""
    return IdentityStore(database, ring, clock.now)
