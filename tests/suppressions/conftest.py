"""A ledger on both databases, with two accounts: a test that asks for `ledger` runs on each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.suppressions.store.ledger import Suppressions
from angarium.testing.clock import ManualClock
from angarium.testing.postgres import PostgresServer

NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z


@pytest.fixture(scope="session")
def migrated() -> Iterator[tuple[PostgresServer, str]]:
    """A PostgreSQL server, and the name of a database of it that has the tables."""
    with PostgresServer() as server:
        name = server.create_database()
        database = open_database(server.url(name))
        database.migrate()
        database.close()
        yield server, name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def database(request: pytest.FixtureRequest, quick_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A database with the tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(migrated_file, quick_path)}"
    else:
        server, name = request.getfixturevalue("migrated")
        url = server.url(server.create_database(name))
    database = open_database(url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    """What the store takes for the time."""
    return ManualClock(NOW)


@pytest.fixture
def store(database: Database, clock: ManualClock, tmp_path: Path) -> IdentityStore:
    """An identity store with the accounts 1 and 2."""
    store = IdentityStore(database, KeyRing.load_or_create(tmp_path / "secrets.key"), clock.now)
    for name in ("shop", "club"):
        store.accounts.create(name, actor="cli:test")
    return store


@pytest.fixture
def ledger(store: IdentityStore) -> Suppressions:
    """Its suppressions."""
    return store.suppressions
