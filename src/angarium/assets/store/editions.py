"""What is on lists, in pages of an edition: written, read, taken away. Blocking.

Each step is a transaction of its own, so that nobody waits long for the database; an edition that is loaded is seen by
nobody until all of it is there.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from angarium.assets.lists.duplicates import DuplicateFinder, RowBits
from angarium.assets.lists.pages import mark_of, packed, read_marks, unpacked, written_marks
from angarium.assets.lists.records import (
    MOST_RECIPIENTS,
    PAGE,
    DuplicateRule,
    ListEdition,
    ListedRecipient,
    ListLoaded,
)
from angarium.assets.store.schema import editions, lists, pages
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, NotFound

RETIRED_KEPT_S: Final = 7 * 86_400.0
"""How long who was on a list can still be read by whoever began to."""
ABANDONED_S: Final = 86_400.0
"""After so long without a page more nobody is loading any more."""
_PAGES_AT_ONCE: Final = 10
"""That are written in one transaction."""
_DROPPED_AT_ONCE: Final = 100

_KEY: Final = editions.c
_PAGE: Final = pages.c

Progress = Callable[[int], None]
"""Told how many rows are done."""


class Editions:
    """All of them. *now* is the clock. Threads may share it. Raises StoreError."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    # -- read

    def get(self, edition: int) -> ListEdition:
        """Return an edition that is not being loaded. Raises NotFound."""
        query = select(_KEY.id, _KEY.list, _KEY.count, _KEY.pages)
        with self._database.reading() as connection:
            row = connection.execute(query.where(_KEY.id == edition, _KEY.state != "loading")).first()
        if row is None:
            raise NotFound(f"edition {edition} of a list")
        return ListEdition(*row)

    def page(self, edition: int, number: int) -> list[ListedRecipient]:
        """Return the recipients of a page, numbered from 0; some may have been taken off. Raises NotFound."""
        where = (_PAGE.edition == edition, _PAGE.number == number)
        with self._database.reading() as connection:
            content = connection.scalar(select(_PAGE.content).where(*where))
        if content is None:
            raise NotFound(f"page {number} of edition {edition} of a list")
        return unpacked(content)

    def recipients(self, edition: int) -> Iterator[ListedRecipient]:
        """Yield all recipients in their order, a page at a time. Raises NotFound."""
        if edition:
            for number in range(self.get(edition).pages):
                yield from self.page(edition, number)

    def places_of(
        self, connection: Connection, address: str, edition: int | None = None
    ) -> list[tuple[int, int]]:
        """Return the pages that have somebody with *address* on them, by edition and number, of one edition or of all.
        In time that grows with all that is kept: 80 MB are read for ten million.
        """
        mark = mark_of(address)
        query = select(_PAGE.edition, _PAGE.number, _PAGE.marks)
        if edition is not None:
            query = query.where(_PAGE.edition == edition)
        found = connection.execute(query, execution_options={"yield_per": _DROPPED_AT_ONCE})
        return [(row.edition, row.number) for row in found if mark in read_marks(row.marks)]

    # -- written

    def load(
        self, list_id: int, rows: Iterator[ListedRecipient], keep: DuplicateRule, progress: Progress
    ) -> tuple[ListEdition, ListLoaded]:
        """Write an edition of *rows* that nobody sees yet. Raises Conflict where there are too many."""
        finder = DuplicateFinder()
        try:
            edition = self._begin(list_id)
            count, number = 0, 0
            while some := list(islice(rows, PAGE * _PAGES_AT_ONCE)):
                count += len(some)
                if count > MOST_RECIPIENTS:
                    raise Conflict(f"a list has {MOST_RECIPIENTS:,} recipients at most; make several")
                made = page_rows(edition, number, some, finder)
                number += len(made)
                self._write(edition, made, count)
                progress(count)
            dropped = finder.dropped(keep)
            self._thin(edition, number, dropped)
        finally:
            finder.close()
        left = count - dropped.count
        return ListEdition(edition, list_id, left, number), ListLoaded(left, dropped.count)

    def drop(self, edition: int) -> None:
        """Take an edition away, in small steps."""
        while True:
            with self._database.writing() as connection:
                some = select(_PAGE.number).where(_PAGE.edition == edition).limit(_DROPPED_AT_ONCE)
                numbers = list(connection.scalars(some))
                if not numbers:
                    connection.execute(delete(editions).where(_KEY.id == edition))
                    return
                where = (_PAGE.edition == edition, _PAGE.number.in_(numbers))
                connection.execute(delete(pages).where(*where))

    def drop_of(self, list_id: int) -> None:
        """Take all editions of a list away."""
        with self._database.reading() as connection:
            found = list(connection.scalars(select(_KEY.id).where(_KEY.list == list_id)))
        for edition in found:
            self.drop(edition)

    def sweep(self) -> int:
        """Take away what nobody reads any more, and return how many editions those were."""
        now = self._now()
        retired = (_KEY.state == "retired") & (_KEY.changed_at < now - RETIRED_KEPT_S)
        abandoned = (_KEY.state == "loading") & (_KEY.changed_at < now - ABANDONED_S)
        orphaned = _KEY.list.not_in(select(lists.c.id))
        with self._database.reading() as connection:
            found = list(connection.scalars(select(_KEY.id).where(retired | abandoned | orphaned)))
        for edition in found:
            self.drop(edition)
        return len(found)

    def _begin(self, list_id: int) -> int:
        row = {"list": list_id, "state": "loading", "count": 0, "pages": 0, "changed_at": self._now()}
        with self._database.writing() as connection:
            return int(connection.execute(insert(editions).values(row).returning(_KEY.id)).scalar_one())

    def _write(self, edition: int, made: list[dict[str, Any]], count: int) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(pages), made)
            told = {"count": count, "pages": made[-1]["number"] + 1, "changed_at": self._now()}
            connection.execute(update(editions).where(_KEY.id == edition).values(told))

    def _thin(self, edition: int, count: int, dropped: RowBits) -> None:
        """Take rows out of the pages that have some to be *dropped*."""
        if not dropped.count:
            return
        for number in range(count):
            first = number * PAGE
            if not dropped.any_within(first, first + PAGE):
                continue
            rows = self.page(edition, number)
            left = [each for row, each in enumerate(rows, first) if row not in dropped]
            with self._database.writing() as connection:
                put_page(connection, edition, number, left)


def page_rows(
    edition: int, first: int, rows: Sequence[ListedRecipient], finder: DuplicateFinder | None = None
) -> list[dict[str, Any]]:
    """Return pages to be inserted, numbered from *first*. *finder* is told of each row."""
    made = []
    for number, start in enumerate(range(0, len(rows), PAGE), first):
        some = rows[start : start + PAGE]
        marks = [mark_of(each.address) for each in some]
        if finder is not None:
            for mark in marks:
                finder.add(mark)
        content = {"count": len(some), "marks": written_marks(marks), "content": packed(some)}
        made.append({"edition": edition, "number": number, **content})
    return made


def put_page(connection: Connection, edition: int, number: int, rows: Sequence[ListedRecipient]) -> None:
    """Write a page anew with those *rows* on it."""
    (made,) = page_rows(edition, number, rows) if rows else (_empty_page(),)
    where = (_PAGE.edition == edition, _PAGE.number == number)
    values = {name: made[name] for name in ("count", "marks", "content")}
    connection.execute(update(pages).where(*where).values(values))


def marks_of(connection: Connection, edition: int) -> Iterator["array[int]"]:
    """Yield the marks of each page of an edition."""
    query = select(_PAGE.marks).where(_PAGE.edition == edition).order_by(_PAGE.number)
    for written in connection.execute(query, execution_options={"yield_per": _DROPPED_AT_ONCE}).scalars():
        yield read_marks(written)


def counted(connection: Connection, edition: int) -> int:
    """Return how many recipients the pages of an edition have."""
    return connection.scalar(select(func.sum(_PAGE.count)).where(_PAGE.edition == edition)) or 0


def _empty_page() -> dict[str, Any]:
    return {"count": 0, "marks": b"", "content": packed([])}
