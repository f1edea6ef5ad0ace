"""What a worker asks before it sends: is this recipient suppressed? Nearly always no, which costs two microseconds.

Who is found in the picture is looked up in the ledger, in a thread: only then is it known for which mail, why, and
whether it was undone meanwhile. While nothing is known, mail of accounts waits.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.core.tasks import Tasks
from angarium.smtp.address import comparable
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.sql.outage import Outage
from angarium.sql.threads import StoreThread
from angarium.suppressions.decide import MailFacts, Stop, facts_of, stop_for, stopping
from angarium.suppressions.index.picture import PictureKeeper
from angarium.suppressions.index.rules import Rules
from angarium.suppressions.store.choosing import standing_in
from angarium.suppressions.store.following import Following, rules_in

LOOK_S: Final = 0.4
"""How often it is asked what has changed."""
_LOOK_TAKES_S: Final = 60.0
"""The first one may read a large file."""
_AT_ONCE: Final = 100


class SuppressionCheck:
    """A worker's. The file is in *folder*. For one event loop."""

    def __init__(self, database: Database, folder: Path, clock: Clock, log: Log) -> None:
        self._database = database
        self._clock = clock
        self._keeper = PictureKeeper(Following(database), folder)
        self._watch, self._asking = StoreThread("suppressions watch"), StoreThread("suppressions")
        self._tasks = Tasks(log, clock)
        self._silence = Outage("suppressions", "identity_outage", log, clock)
        self._services: list[asyncio.Task[Any]] = []
        self._known = asyncio.Event()

    async def start(self) -> None:
        """Look for the first time, and go on. A store that is silent is waited for, not raised."""
        await self.look()
        self._services = [self._tasks.regularly(LOOK_S, self.look)]

    async def close(self) -> None:
        """Stop looking."""
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self._watch.close()
        await self._asking.close()

    async def look(self) -> None:
        """Hear what has changed."""
        try:
            await self._watch.ask(self._keeper.look, _LOOK_TAKES_S)
        except (StoreError, OSError) as error:
            self._silence.begins(error)
        else:
            self._silence.ends()
        if self.is_known:
            self._known.set()
        else:
            self._known.clear()

    @property
    def is_known(self) -> bool:
        """Whether anything can be said."""
        return self._keeper.picture is not None

    @property
    def problem(self) -> str:
        """Why nothing can be said; empty: all is known."""
        return "" if self.is_known else self._keeper.problem

    async def known(self) -> None:
        """Wait until something can be said."""
        await self._known.wait()

    def may_stop(self, message: Message, path: ForwardPath) -> bool:
        """Whether *message* may have to be kept from the recipient *path*: nobody else need be looked up."""
        picture = self._keeper.picture
        if picture is None:
            return True
        text = comparable(path.address, path.domain)
        return picture.knows(text) and picture.may_stop(text, facts_of(message))

    async def stops(self, recipients: Sequence[Recipient]) -> list[Stop | None]:
        """Return for each of *recipients* why it gets no mail, None where it does. Raises StoreError."""
        asked = [(_text_of(each.path), facts_of(each.message)) for each in recipients]
        found: list[Stop | None] = []
        for at in range(0, len(asked), _AT_ONCE):
            found += await self._asking.ask(partial(self._look_up, asked[at : at + _AT_ONCE]))
        return found

    async def stop_at_door(self, path: ForwardPath, facts: MailFacts) -> Stop | None:
        """Return why mail with *facts* would not reach *path*, None where it would. Raises StoreError."""
        text = _text_of(path)
        picture = self._keeper.picture
        if picture is not None and not picture.may_stop(text, facts):
            return None
        (stop,) = await self._asking.ask(partial(self._look_up, [(text, facts)]))
        return stop

    def _look_up(self, asked: Iterable[tuple[str, MailFacts]]) -> list[Stop | None]:
        """Return what the ledger says. Blocks. Raises StoreError."""
        now, picture = self._clock.now(), self._keeper.picture
        found: list[Stop | None] = []
        with self._database.reading() as connection:
            rules = picture.rules if picture is not None else Rules(rules_in(connection))
            for text, facts in asked:
                causes = [
                    *standing_in(connection, text, facts.account, now),
                    *rules.matching(facts.account, text),
                ]
                cause = stopping(causes, facts, now)
                found.append(None if cause is None else stop_for(cause))
        return found


def _text_of(path: ForwardPath) -> str:
    return comparable(path.address, path.domain)
