"""The tables: migrations make what the code expects, on both engines, also when several begin at once."""

import os
import re
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, select, text

from angarium.assets.store import schema as assets
from angarium.config.load import load_config
from angarium.identity.store import schema
from angarium.identity.store.place import key_file, open_database, store_url
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.suppressions.store import schema as suppressions
from angarium.testing.programs import PATIENCE_S

SECRET = "hunter2"


def everything_told(error: BaseException) -> str:
    """Return what a log would say of an error and its causes."""
    return "".join(traceback.format_exception(error))


def described(connection: Connection) -> dict[str, object]:
    """Return all there is to say of the tables of this room, in words that can be compared."""
    looking = inspect(connection)
    tables = set(looking.get_table_names()) & set(schema.metadata.tables)
    return {
        table: {
            "columns": sorted(  # a column that is added later comes last, wherever its field stands
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in looking.get_columns(table)
            ),
            "primary key": looking.get_pk_constraint(table),
            "foreign keys": sorted(looking.get_foreign_keys(table), key=str),
            "unique": sorted(looking.get_unique_constraints(table), key=str),
            "indexes": sorted(looking.get_indexes(table), key=str),
        }
        for table in tables
    }


def test_migrations_make_the_tables_of_the_schema(empty_url: str, request: pytest.FixtureRequest) -> None:
    database = open_database(empty_url)
    database.migrate()
    with database.reading() as connection:
        migrated = described(connection)
    with database.writing() as connection:
        for table in (
            "alembic_version",
            *suppressions.metadata.tables,
            *reversed(assets.metadata.sorted_tables),
        ):
            connection.execute(text(f"DROP TABLE {table}"))
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
        made = described(connection)
    database.close()
    assert migrated == made
    assert set(made) == set(schema.metadata.tables)


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(schema.generation.update().values(value=41))
    database.migrate()
    with database.reading() as connection:
        assert connection.scalar(select(schema.generation.c.value)) == 41


_MIGRATE = """
import sys
from angarium.identity.store.place import open_database
sys.stdin.readline()
open_database(sys.argv[1]).migrate()
"""


@pytest.mark.process
def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", _MIGRATE, empty_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in starting:
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors.decode()) == (0, "")
    database = open_database(empty_url)
    with database.reading() as connection:
        assert connection.execute(select(schema.generation)).all() == [(1, 0)]
    database.close()


def test_a_store_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = '9999' WHERE version_num LIKE '0%'")
        )
    with pytest.raises(StoreError, match="newer Angarium"):
        database.migrate()
    with database.reading() as connection:
        assert "9999" in set(connection.scalars(text("SELECT version_num FROM alembic_version")))


def test_the_file_of_sqlite_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = open_database(f"sqlite:///{tmp_path}/new/identity.db")
        database.migrate()
        with database.writing() as connection:
            connection.execute(schema.generation.update().values(value=1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
        database.close()
    finally:
        os.umask(before)
    names = ["identity.db", "identity.db-ballast", "identity.db-wal", "identity.db-shm"]
    assert modes == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_sqlite_syncs_each_change_and_keeps_what_belongs_together(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/identity.db")
    with database.reading() as connection:
        said = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    "url",
    ["", "mysql://a/b", "identity.db", "sqlite://", "postgresql+asyncpg://a/b", "postgresql://a:port/b"],
)
def test_other_databases_are_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(StoreError, match=re.escape('write Identity_Store = "sqlite:')):
        open_database(url)


def test_a_store_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    database = open_database(f"postgresql://someone:{SECRET}@/name?host={tmp_path}")
    with pytest.raises(StoreError, match="does not answer") as raised:
        database.migrate()
    assert SECRET not in everything_told(raised.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"{tmp_path}/file/identity.db cannot be opened: File exists"):
        open_database(f"sqlite:///{tmp_path}/file/identity.db")


def test_what_is_sent_to_the_database_is_in_no_error(database: Database) -> None:
    with pytest.raises(StoreError) as raised, database.writing() as connection:
        connection.execute(text("SELECT :a FROM nowhere"), {"a": SECRET})
    assert "nowhere" in str(raised.value)
    assert SECRET not in everything_told(raised.value)
    assert create_engine("sqlite://").hide_parameters is False  # it has to be asked for
    assert database.engine.hide_parameters is True


def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "identity.db").write_text("Dear diary, " * 100)
    with pytest.raises(StoreError, match="cannot be used: file is not a database"):
        open_database(f"sqlite:///{tmp_path}/identity.db").migrate()
    assert (tmp_path / "identity.db").read_text() == "Dear diary, " * 100


def test_the_store_is_in_the_data_folder_unless_the_configuration_says_otherwise(tmp_path: Path) -> None:
    data = tmp_path / "a b%20#c?"
    config = load_config(None)
    assert key_file(config, data) == data / "identity" / "secrets.key"
    database = open_database(store_url(config, data))
    database.migrate()
    database.close()
    assert (data / "identity" / "identity.db").stat().st_size > 0
    (tmp_path / "a.conf").write_text('Identity_Store = "postgresql://h/n"\nSecrets_Key_File = "/k"\n')
    config = load_config(tmp_path / "a.conf")
    assert (store_url(config, data), key_file(config, data)) == ("postgresql://h/n", Path("/k"))
