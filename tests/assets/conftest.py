"""A store on both databases with two accounts and a server each: a test that asks for `store` runs on each."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from angarium.assets.store import schema as assets
from angarium.identity.secrets import KeyRing
from angarium.identity.store import schema as identity
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.testing.clock import ManualClock
from angarium.testing.postgres import PostgresServer

NOW = 1_795_262_400.0  # 2026-11-21T12:00:00Z


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Database]:
    """A database of a PostgreSQL server that has the tables, for all tests: making one each takes half a second."""
    with PostgresServer() as server, closing(open_database(server.url(server.create_database()))) as database:
        database.migrate()
        yield database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def database(request: pytest.FixtureRequest, quick_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A database with the tables, which are empty."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql")
        emptied(database)
        yield database
        return
    with closing(open_database(f"sqlite:///{shutil.copy(migrated_file, quick_path)}")) as database:
        yield database


def emptied(database: Database) -> None:
    """Take all rows out, so that ids begin at 1 again."""
    names = [table.name for table in (*identity.metadata.sorted_tables, *assets.metadata.sorted_tables)]
    with database.writing() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY CASCADE"))
        connection.execute(insert(identity.generation).values(id=1, value=0))


@pytest.fixture
def clock() -> ManualClock:
    """What the store takes for the time."""
    return ManualClock(NOW)


@pytest.fixture
def store(database: Database, clock: ManualClock, tmp_path: Path) -> IdentityStore:
    """An identity store with the accounts 1 and 2, and their servers 1 and 2."""
    store = IdentityStore(database, KeyRing.load_or_create(tmp_path / "secrets.key"), clock.now)
    for name in ("shop", "club"):
        account = store.accounts.create(name, actor="cli:test")
        store.servers.create(account.id, "main", actor="cli:test")
    return store
