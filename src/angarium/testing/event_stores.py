"""Event stores for tests, in either database."""

from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from angarium.events.port import Judge
from angarium.events.postgres.schema import SCHEMA
from angarium.events.postgres.store import PostgresEventStore
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.postgres import PostgresServer

AnyEventStore = SqliteEventStore | PostgresEventStore


class EventStores:
    """Makes stores: files in *folder*, or databases of *server*."""

    def __init__(self, folder: Path, server: PostgresServer | None) -> None:
        self._folder = folder
        self._server = server
        self._names = count(1)
        self._open: dict[AnyEventStore, str] = {}
        self._free: list[str] = []
        self.place = ""
        """The folder or the URL of the store that was made last."""

    def new(self, judge: Judge = lambda event: "") -> AnyEventStore:
        """Return an empty store."""
        if self._server is None:
            self.place = str(self._folder / f"events{next(self._names)}")
        else:
            self.place = self._free.pop() if self._free else self._server.url(self._server.create_database())
        return self.again(judge)

    def again(self, judge: Judge = lambda event: "") -> AnyEventStore:
        """Return the store that was made last, opened by itself, as another process has it."""
        store = (
            SqliteEventStore(Path(self.place), judge)
            if self._server is None
            else PostgresEventStore(self.place, judge)
        )
        self._open[store] = self.place
        return store

    def done_with(self, store: AnyEventStore) -> None:
        """Close a store that nobody else has open. Its database, which takes time to make, is emptied."""
        store.close()
        place = self._open.pop(store)
        if self._server is not None:
            empty(place)
            self._free.append(place)

    def close(self) -> None:
        """Close all that was opened."""
        for store in self._open:
            store.close()


def empty(url: str) -> None:
    """Remove all that an event store has in a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (SCHEMA,)
        )
        for (name,) in found.fetchall():
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
