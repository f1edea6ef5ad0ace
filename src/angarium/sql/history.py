"""How the tables of a database came to be: one history, with a branch for each who has tables in it.

The table `alembic_version` holds the newest revision of each branch. Nobody has to know of the others' tables to add
to its own; but whoever opens a database knows of all branches, for a revision that is unknown is one of a newer
Angarium.
"""

import ast
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection, text

from angarium.sql.errors import StoreError
from angarium.sql.kind import DatabaseKind

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"

_MIGRATION_LOCK = 0x616E67617269  # advisory, PostgreSQL: any number that is always the same
_migrating = threading.Lock()  # Alembic keeps the migration under way in a module's global


class History:
    """The migrations of databases of one kind."""

    def __init__(self, kind: DatabaseKind) -> None:
        self._kind = kind

    def is_at_end(self, connection: Connection) -> bool:
        """Whether the tables are up to date."""
        return newest(self._kind.migrations) == _revisions(connection)

    def upgrade(self, connection: Connection) -> None:
        """Bring the tables up to date in the transaction of *connection*, which writes. Raises StoreError."""
        from alembic import command  # a fifth of a second and ten megabytes, for those who need it
        from alembic.util import CommandError

        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take its time
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config = self._config()
        config.attributes["connection"] = connection
        try:
            with _migrating:
                command.upgrade(config, "heads")
        except CommandError as error:
            raise StoreError(
                f"the {self._kind.called} was made by a newer Angarium: start that version, or restore the copy of "
                f"the database from before the upgrade ({error})"
            ) from error

    def _config(self) -> "Config":
        from alembic.config import Config

        folders = os.pathsep.join(map(str, self._kind.migrations))
        config = Config()
        said = {
            "script_location": str(_FOLDER),
            "version_locations": folders,
            "path_separator": "os",
            "version_path_separator": "os",  # the same, to a version before 1.16
        }
        for name, value in said.items():
            config.set_main_option(name, value.replace("%", "%%"))
        return config


def newest(folders: Iterable[Path]) -> set[str]:
    """Return the revisions in *folders* that no other follows or depends on: what an up-to-date database is at."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*.py"):
            said = _said_in(file.read_text())
            before = _names(said.get("down_revision")) | _names(said.get("depends_on"))
            found |= dict.fromkeys(_names(said.get("revision")), before)
    return found.keys() - set().union(*found.values())


def _said_in(text: str) -> dict[str, Any]:
    """Return the constants that a migration sets at its top."""
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "depends_on")
    }


def _names(said: str | Iterable[str] | None) -> set[str]:
    return {said} if isinstance(said, str) else set(said or ())


def _revisions(connection: Connection) -> set[str]:
    """Return the revisions that the tables are at; none: there are no tables."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
