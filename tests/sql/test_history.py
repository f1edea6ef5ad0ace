"""Several rooms keep their tables in one database: one history with a branch for each, on both databases."""

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

import angarium
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.history import newest
from angarium.sql.kind import DatabaseKind
from angarium.testing.postgres import PostgresServer
from angarium.testing.programs import run

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}
branch_labels = None
depends_on = {needs!r}


def upgrade():
    op.create_table({table!r}, sa.Column("id", sa.Integer(), primary_key=True))
"""


class Rooms:
    """Folders of migrations, and the database that has their tables."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def add(
        self, room: str, revision: str, table: str, before: str | None = None, needs: str | None = None
    ) -> Path:
        """Write a migration of *room* and return its folder."""
        folder = self.folder / room
        folder.mkdir(exist_ok=True)
        said = MIGRATION.format(revision=revision, before=before, table=table, needs=needs)
        (folder / f"{revision}.py").write_text(said)
        return folder

    def migrated(self, *folders: Path) -> set[str]:
        """Bring the database up to date for those who know *folders*, and return its tables."""
        database = Database(self.url, DatabaseKind("books", "Books", "books.db", folders))
        try:
            database.migrate()
            database.migrate()
            with database.reading() as connection:
                return set(inspect(connection).get_table_names()) - {"alembic_version"}
        finally:
            database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    """An empty database."""
    if request.param == "sqlite":
        yield Rooms(tmp_path, f"sqlite:///{tmp_path}/books.db")
        return
    with PostgresServer() as server:
        yield Rooms(tmp_path, server.url(server.create_database()))


def test_each_room_adds_to_its_own_branch(rooms: Rooms) -> None:
    authors, shops = rooms.add("authors", "a1", "authors"), rooms.add("shops", "s1", "shops")
    assert rooms.migrated(authors, shops) == {"authors", "shops"}
    rooms.add("authors", "a2", "pseudonyms", before="a1")
    rooms.add("shops", "s2", "shelves", before="s1")
    assert rooms.migrated(authors, shops) == {"authors", "pseudonyms", "shops", "shelves"}


def test_a_room_that_is_new_finds_the_tables_of_the_others(rooms: Rooms) -> None:
    authors = rooms.add("authors", "a1", "authors")
    assert rooms.migrated(authors) == {"authors"}
    shops = rooms.add("shops", "s1", "shops", needs="a2")  # comes after what another room adds only now
    rooms.add("authors", "a2", "pseudonyms", before="a1")
    assert rooms.migrated(authors, shops) == {"authors", "pseudonyms", "shops"}


def test_who_does_not_know_of_a_room_leaves_the_database_alone(rooms: Rooms) -> None:
    authors, shops = rooms.add("authors", "a1", "authors"), rooms.add("shops", "s1", "shops")
    rooms.migrated(authors, shops)
    rooms.add("authors", "a2", "pseudonyms", before="a1")
    with pytest.raises(StoreError, match="the books was made by a newer Angarium"):
        rooms.migrated(authors)
    assert rooms.migrated(authors, shops) == {"authors", "pseudonyms", "shops"}


def test_a_migration_that_fails_leaves_nothing(rooms: Rooms) -> None:
    authors = rooms.add("authors", "a1", "authors")
    rooms.add("authors", "a2", "authors", before="a1")
    with pytest.raises(StoreError, match=r"the books .* does not answer as it should"):
        rooms.migrated(authors)
    (authors / "a2.py").unlink()
    assert rooms.migrated(authors) == {"authors"}


def test_sentences_name_what_the_database_is_for(tmp_path: Path) -> None:
    kind = DatabaseKind("books", "Books", "books.db", ())
    with pytest.raises(StoreError) as raised:
        Database("mysql://a/b", kind)
    assert str(raised.value) == (
        "the books is neither SQLite nor PostgreSQL; "
        'write Books = "sqlite:////folder/books.db" or "postgresql://user@host/database"'
    )
    database = Database(f"sqlite:///{tmp_path}/books.db", kind)
    with (
        pytest.raises(StoreError, match=r"^the books sqlite:.* does not answer"),
        database.reading() as connection,
    ):
        connection.execute(text("SELECT 1 FROM nowhere"))
    database.close()


def test_the_room_knows_nothing_of_who_has_tables_in_it() -> None:
    folder = Path(angarium.__file__).parent / "sql"
    words = re.compile(r"identit|account|server|credential|login|person|people|stream", re.IGNORECASE)
    told = {
        path.name: words.findall(ast.unparse(ast.parse(path.read_text()))) for path in folder.rglob("*.py")
    }
    assert {name: found for name, found in told.items() if found} == {}


def test_what_is_newest_is_read_without_alembic_as_alembic_has_it(tmp_path: Path) -> None:
    rooms = Rooms(tmp_path, "sqlite://")
    rooms.add("one", "a1", "t1")
    one = rooms.add("one", "a2", "t2", before="a1")
    two = rooms.add("two", "b1", "t3", needs="a1")
    three = rooms.add("three", "c1", "t4", needs="a2")
    assert newest([one, two]) == {"a2", "b1"}
    assert newest([one, three]) == {"c1"}
    assert newest([]) == set()
    kind = DatabaseKind("books", "Books", "books.db", (one, two, three))
    with closing(Database(f"sqlite:///{tmp_path}/books.db", kind)) as database:
        database.migrate()
        with database.reading() as connection:
            at = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    assert newest(kind.migrations) == at == {"b1", "c1"}


@pytest.mark.process
def test_a_database_that_is_up_to_date_needs_no_alembic_and_sqlite_no_postgresql(tmp_path: Path) -> None:
    """They would be a fifth of the memory of a node that does nothing."""
    program = f"""
import sys
from pathlib import Path
from angarium.identity.store.place import open_database
open_database("sqlite:///{tmp_path}/identity.db").migrate()
print([name for name in ("alembic", "sqlalchemy.dialects.postgresql") if name in sys.modules])
"""
    said = [run([sys.executable, "-c", program]) for _ in range(2)]
    assert "alembic" in said[0]
    assert said[1] == "[]\n"
