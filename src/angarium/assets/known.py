"""The templates that one worker knows: read once, and believed until their account changes."""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection

from angarium.assets.store.ready import ready_template
from angarium.assets.templates.ready import ReadyTemplate
from angarium.core.bounded import Bounded
from angarium.sql.database import Database
from angarium.sql.threads import StoreThread

MOST_KEPT: Final = 2_000
MOST_KEPT_BYTES: Final = 64 << 20

Moment = tuple[int, int]
"""When something was read: how often the store was replaced by an older copy, and its generation."""


class AccountNews(Protocol):
    """Which accounts have changed; `identity.directory.changes.Changes` tells it."""

    @property
    def seen(self) -> Moment | None:
        """The last moment that is known of, None before the first."""
        ...

    def holds(self, account: int, seen: Moment) -> bool:
        """Whether what was read of *account* at *seen* is not known to have changed since."""
        ...


class TemplateName(NamedTuple):
    """What a message names: *name* is an id or an alias, of the account or of the *server* that its sender has."""

    account: int
    server: int | None
    name: int | str
    is_draft: bool = False


class _Kept(NamedTuple):
    template: ReadyTemplate
    seen: Moment


class KnownTemplates:
    """For one event loop. *generation* tells the store's number within a question, *news* what has changed since."""

    def __init__(
        self, database: Database, generation: Callable[[Connection], int], news: AccountNews
    ) -> None:
        self._database = database
        self._generation = generation
        self._news = news
        self._thread = StoreThread("templates")
        self._kept: Bounded[TemplateName, _Kept] = Bounded(MOST_KEPT)
        self._bytes = 0

    def now(self, name: TemplateName) -> ReadyTemplate | None:
        """Return a template without asking the store; None: it has to be asked."""
        kept = self._kept.get(name)
        if kept is None or not self._news.holds(name.account, kept.seen):
            return None
        return kept.template

    async def get(self, name: TemplateName) -> ReadyTemplate:
        """Return a template. Raises NotFound where there is none of that name, or nothing of it is published; and
        StoreError.
        """
        known = self.now(name)
        if known is not None:
            return known
        era = self._news.seen[0] if self._news.seen is not None else 0
        number, template = await self._thread.ask(lambda: self._read(name))
        self._keep(name, _Kept(template, (era, number)))
        return template

    async def close(self) -> None:
        """Ask no more."""
        await self._thread.close()

    def _read(self, name: TemplateName) -> tuple[int, ReadyTemplate]:
        with self._database.snapshot() as connection:
            number = self._generation(connection)
            return number, ready_template(
                connection, name.account, name.server, name.name, draft=name.is_draft
            )

    def _keep(self, name: TemplateName, kept: _Kept) -> None:
        self._kept.put(name, kept)
        self._bytes += kept.template.size
        if (
            self._bytes > MOST_KEPT_BYTES
        ):  # what was replaced or fell out counts, too: it is forgotten a little early
            self._kept.clear()
            self._kept.put(name, kept)
            self._bytes = kept.template.size
