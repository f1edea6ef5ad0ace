"""A store that an older Angarium has left is opened by this one: nothing in it is lost, and it can be changed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.sql.errors import StoreError

OLD = Path(__file__).parent / "revision_0001"
WHO = "cli:now"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The folder of a store of revision 0001."""
    with closing(sqlite3.connect(tmp_path / "identity.db")) as database:
        database.executescript((OLD / "identity.sql").read_text())
    shutil.copy(OLD / "secrets.key", tmp_path)
    (tmp_path / "secrets.key").chmod(0o600)
    return tmp_path


def rows(path: Path, columns: dict[str, list[str]] | None = None) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, or those *columns* of them."""
    with closing(sqlite3.connect(path)) as database:
        return {
            name: sorted(database.execute(f"SELECT {', '.join(named)} FROM {name}").fetchall(), key=repr)
            for name, named in (columns or columns_of(path)).items()
        }


def columns_of(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(path)) as database:
        named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [f'"{column}"' for _, column, *_ in database.execute(f"PRAGMA table_info({name})")]
            for (name,) in named
            if name != "alembic_version"
        }


def test_an_old_store_is_brought_up_to_date_and_keeps_all_that_is_in_it(old: Path) -> None:
    columns, before = columns_of(old / "identity.db"), rows(old / "identity.db")
    assert before["accounts"]
    database = open_database(f"sqlite:///{old}/identity.db")
    database.migrate()
    assert rows(old / "identity.db", columns) == before

    ring = KeyRing.load_or_create(old / "secrets.key")
    store = IdentityStore(database, ring, lambda: 1_800_000_000.0)
    assert store.accounts.get("shop").limits.daily_quota == 5
    assert store.people.get("ann@example.com").name == "Ann"
    ring.rotate()
    assert store.secrets.rotate(ring, actor=WHO) == 3  # each could be read
    made = store.accounts.create("next", actor=WHO)
    store.credentials.create_api_key(made.id, "key", ("smtp/inject",), actor=WHO)
    database.close()


def test_an_upgrade_that_is_broken_off_leaves_the_store_as_it_was(old: Path) -> None:
    """Here by a table that is in the way."""
    with closing(sqlite3.connect(old / "identity.db")) as database:
        database.execute("CREATE TABLE trusted (other)")
    before = rows(old / "identity.db")
    database = open_database(f"sqlite:///{old}/identity.db")
    with pytest.raises(StoreError, match="trusted"):
        database.migrate()
    database.close()
    assert rows(old / "identity.db") == before
