"""Trusted logins as the store keeps them over restarts: read at the start, written now and then.

A crash loses what was not written yet. It is no change of the store: the generation stays, and nobody reads anew.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, delete, select, text

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.tasks import Tasks
from angarium.identity.guard.trust import MOST_NETWORKS, Trust, Trusted
from angarium.identity.store import schema
from angarium.sql.database import Database, inserting
from angarium.sql.errors import StoreError
from angarium.sql.outage import Outage
from angarium.sql.threads import StoreThread

FLUSH_S: Final = 5.0
MOST_READ: Final = 100_000

_MOST_UNWRITTEN = 50_000

_trusted = schema.trusted


class TrustKept:
    """Fills the *trust* of one worker from the store, and tells the store what is new. For one event loop."""

    def __init__(self, database: Database, trust: Trust, clock: Clock, log: Log) -> None:
        self._database = database
        self._trust = trust
        self._clock = clock
        self._worker = StoreThread("trusted logins")
        self._tasks = Tasks(log, clock)
        self._new: dict[tuple[str, str], Trusted] = {}
        self._was_read = False
        self._outage = Outage("trusted logins", "identity_outage", log, clock)
        self._service: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Read what is trusted, as soon as the store answers, and go on writing."""
        await self.flush()
        self._service = self._tasks.regularly(FLUSH_S, self.flush)

    async def close(self) -> None:
        """Write what is to be written, and stop."""
        if self._service is not None:
            self._service.cancel()
            await asyncio.gather(self._service, return_exceptions=True)
        await self.flush()
        await self._worker.close()

    def note(self, network: str, login: str) -> None:
        """Have the store keep that *login* is trusted from *network*. Of too many at once some are not kept."""
        if len(self._new) < _MOST_UNWRITTEN:
            self._new[login, network] = Trusted(login, network, self._trust.until(network, login))

    async def flush(self) -> None:
        """Read if that has not been done yet, and write what is new. What cannot be written is kept for next time."""
        new, self._new = self._new, {}
        try:
            if not self._was_read:
                await self._read()
            if new:
                now = self._clock.now()
                await self._worker.ask(lambda: write(self._database, new.values(), now), timeout_s=30)
        except StoreError as error:
            self._new = new | self._new
            self._outage.begins(error)
        else:
            self._outage.ends()

    async def _read(self) -> None:
        now = self._clock.now()
        for each in await self._worker.ask(lambda: read(self._database, now)):
            if each.until > self._trust.until(each.network, each.login):
                self._trust.keep(each)
        self._was_read = True


def read(database: Database, now: float) -> list[Trusted]:
    """Return what is trusted still, those longest trusted last. Raises StoreError."""
    latest = select(_trusted).where(_trusted.c.until > now).order_by(_trusted.c.until.desc()).limit(MOST_READ)
    with database.reading() as connection:
        rows = connection.execute(latest).mappings().all()
    return [Trusted(**row) for row in reversed(rows)]


def write(database: Database, new: Iterable[Trusted], now: float) -> None:
    """Keep *new*, and no more of one login than is trusted; forget what is over. Raises StoreError."""
    rows = sorted(new)
    with database.writing() as connection:
        if (
            connection.dialect.name == "postgresql"
        ):  # one after the other, as on SQLite: so none waits for another
            connection.execute(text("LOCK TABLE trusted IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(delete(_trusted).where(_trusted.c.until <= now))
        connection.execute(_later(connection), [row._asdict() for row in rows])
        for login in sorted({row.login for row in rows}):
            connection.execute(_beyond(login))


def _later(connection: Connection) -> Any:
    """Return the statement that keeps a row, unless another worker's lasts longer."""
    made = inserting(connection, _trusted)
    return made.on_conflict_do_update(
        index_elements=["login", "network"],
        set_={"until": made.excluded.until},
        where=_trusted.c.until < made.excluded.until,
    )


def _beyond(login: str) -> Any:
    """Return the statement that deletes what is one too many of *login*."""
    of_login = _trusted.c.login == login
    latest = select(_trusted.c.network).where(of_login).order_by(_trusted.c.until.desc(), _trusted.c.network)
    return delete(_trusted).where(of_login, _trusted.c.network.not_in(latest.limit(MOST_NETWORKS)))
