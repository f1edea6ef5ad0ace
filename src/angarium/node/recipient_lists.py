"""Stored lists as a worker reads them: named by requests, and read in pages by orders."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from angarium.assets.lists.records import PAGE, ListedRecipient
from angarium.assets.store.editions import Editions
from angarium.assets.store.lists import found_list
from angarium.core.fields import Personal
from angarium.core.records import ForwardPath
from angarium.core.submission import ListSource
from angarium.engine.orders.pages import RecipientPage
from angarium.sql.database import Database
from angarium.sql.errors import NotFound
from angarium.submission.requests.mail import mailbox_of, path_to

_PAGES: Final = 1 << 24
"""A position is an edition, and how many of its pages were read: more than that no edition has."""


class WorkerLists:
    """Implements `SendersLists` and `RecipientPages`. An order reads the edition that was current when it began."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._editions = Editions(database, time.time)

    async def get(self, account: int, name: int | str) -> ListSource:
        """See `SendersLists.get`."""
        return await asyncio.to_thread(self._get, account, name)

    def _get(self, account: int, name: int | str) -> ListSource:
        with self._database.reading() as connection:
            found = found_list(connection, account, name)
        return ListSource(str(found.id), found.count)

    async def page(self, account: int, source: str, after: int, most: int) -> RecipientPage:
        """See `RecipientPages.page`."""
        return await asyncio.to_thread(self._page, account, source, after, most)

    def _page(self, account: int, source: str, after: int, most: int) -> RecipientPage:
        try:
            with self._database.reading() as connection:
                current = found_list(connection, account, int(source)).edition
            edition, number = divmod(after, _PAGES) if after else (current, 0)
            pages = self._editions.get(edition).pages if edition else 0
            return self._read(edition, number, pages, most)
        except NotFound:  # deleted meanwhile, or replaced so long ago that it is gone
            return RecipientPage((), (), after, is_last=True)

    def _read(self, edition: int, number: int, pages: int, most: int) -> RecipientPage:
        """Read whole pages up to *most* recipients, one at least that has somebody on it if there is one."""
        paths: list[ForwardPath] = []
        personal: list[Personal] = []
        while number < pages and len(paths) + PAGE <= max(most, PAGE):
            _add(self._editions.page(edition, number), paths, personal)
            number += 1
        return RecipientPage(paths, personal, edition * _PAGES + number, is_last=number >= pages)


def _add(rows: Sequence[ListedRecipient], paths: list[ForwardPath], personal: list[Personal]) -> None:
    for row in rows:
        mailbox = mailbox_of(row.address)
        if mailbox is not None:
            paths.append(path_to(mailbox))
            personal.append(row.personal())
