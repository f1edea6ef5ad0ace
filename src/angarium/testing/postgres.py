"""A PostgreSQL server of a test's own: Debian's package `postgresql`, in its own folder, reached by a socket there.

It does not wait for the disk, or needs none, so it is quick and worth nothing after a power cut.
`script/debian-packages` installs it.
"""

import itertools
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from angarium.testing.memory import memory_folder
from angarium.testing.peers import PeerMissing
from angarium.testing.programs import Program, run

_DEBIAN = Path("/usr/lib/postgresql")
_QUICK = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50"),
    *("min_wal_size=32MB", "max_wal_size=64MB"),  # it may lie in memory
)


class PostgresServer:
    """A running server without password. Leaving the context stops it and removes its folder.

    It refuses to run as root; then it runs as the system's user `postgres`.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="angarium-pg-", dir=memory_folder()))
        self._data = self.directory / "data"
        self._databases = itertools.count(1)
        try:
            self._program = self._start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    def url(self, database: str) -> str:
        """Return the URL of a database, as `Identity_Store` takes it."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def create_database(self, template: str = "template1") -> str:
        """Make a database, a copy of *template*, and return its name."""
        name = f"test_{next(self._databases)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, also with clients connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._program.stop(signal.SIGINT)  # which waits for no client
        self._program.kill_group()
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def go_down(self) -> None:
        """End the server for a while. What it had committed is kept."""
        self._program.stop(signal.SIGINT)
        self._program.kill_group()

    def come_up(self) -> None:
        """Start it again."""
        self._program = self._launch()

    def _start(self) -> Program:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        run(
            _unprivileged(
                [
                    _binary("initdb"),
                    "-D",
                    self._data,
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "--no-sync",
                    "-E",
                    "UTF8",
                ]
            )
        )
        return self._launch()

    def _launch(self) -> Program:
        settings = [f"unix_socket_directories={self.directory}", "listen_addresses=", *_QUICK]
        options = [argument for setting in settings for argument in ("-c", setting)]
        # its statistics and sockets are its own: nothing of the system's server is touched
        program = Program(
            _unprivileged([_binary("postgres"), "-D", self._data, *options]),
            name="postgres",
            cwd=self.directory,
        )
        try:
            program.wait_for("database system is ready to accept connections")
        except BaseException:
            program.stop()
            raise
        return program

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def _unprivileged(arguments: Sequence[str | Path]) -> list[str | Path]:
    if os.geteuid() != 0:
        return list(arguments)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *arguments]


def _binary(name: str) -> Path:
    """Return the newest PostgreSQL's program of that name. Raises PeerMissing."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which(name)
    if not found and on_path is None:
        raise PeerMissing(f"{name} is not installed; script/debian-packages installs Debian's postgresql")
    return found[-1] if found else Path(str(on_path))
