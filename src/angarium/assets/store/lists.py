"""Lists of recipients in the store. Blocking; from an event loop call it in a thread.

Whoever reads a list reads an edition of it, so that nobody is missed or met twice when it is replaced meanwhile. What
was replaced stays readable for `RETIRED_KEPT_S`; what was deleted does not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from angarium.assets import checks
from angarium.assets.lists.duplicates import DuplicateFinder
from angarium.assets.lists.pages import mark_of, unpacked
from angarium.assets.lists.records import (
    MOST_ATTRIBUTES_BYTES,
    MOST_LISTS,
    MOST_RECIPIENTS,
    DuplicateRule,
    ListedRecipient,
    ListLoaded,
    StoredList,
)
from angarium.assets.store.editions import Editions, Progress, counted, marks_of, page_rows, put_page
from angarium.assets.store.owners import check_owner, check_room
from angarium.assets.store.schema import editions, lists, pages
from angarium.smtp.address import AddressError
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import Check, checked
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.sql.rows import before_of, record_of, row_of, said

MOST_ADDED: Final = 10_000
"""Recipients that are put on a list or taken off it at once, without a new edition."""

_KEY: Final = lists.c


def _attributes(field: str, value: Any) -> dict[str, Any]:
    """The owner's own data."""
    if not isinstance(value, Mapping):
        raise Invalid(field, 'write an object: {"name": "value"}')
    if len(msgspec.json.encode(value)) > MOST_ATTRIBUTES_BYTES:
        raise Invalid(field, f"this is too much; write {MOST_ATTRIBUTES_BYTES:,} bytes of JSON at most")
    return dict(value)


_CHANGE: Final[Mapping[str, Check]] = {
    "name": checks.name,
    "alias": checks.alias,
    "description": checks.description,
    "attributes": _attributes,
}


def _nothing(_: int) -> None:
    pass


class RecipientLists:
    """All lists, of all accounts. *now* is the clock. Threads may share it."""

    def __init__(self, database: Database, log: ChangeLog, now: Callable[[], float]) -> None:
        self._database = database
        self._log = log
        self.editions = Editions(database, now)

    # -- the lists

    def create(self, account: int, alias: str, *, name: str = "", actor: str, **fields: Any) -> StoredList:
        """Make a list with nobody on it, and the `description` and `attributes` that somebody says.

        Raises Invalid, NotFound, Conflict.
        """
        given = {"alias": alias, "name": name or alias, **fields}
        new = {"description": "", "attributes": {}, **checked(given, _CHANGE)}
        with self._log.changing(actor) as change:
            check_owner(change.connection, account, None)
            check_room(change.connection, lists, account, MOST_LISTS, "lists")
            _check_alias_is_free(change.connection, account, new["alias"])
            times = {"created_at": change.at, "changed_at": change.at}
            id = change.add(lists, account=account, edition=0, count=0, **new, **times)
            made = _list(change.connection, id)
            change.note("create", f"list {id}", account, after=said(made, "edition"))
        return made

    def get(self, id: int) -> StoredList:
        """Return a list. Raises NotFound."""
        with self._log.reading() as connection:
            return _list(connection, id)

    def find(self, account: int, name: int | str) -> StoredList:
        """Return a list of an account by its id or its alias. Raises NotFound."""
        with self._log.reading() as connection:
            return found_list(connection, account, name)

    def page(
        self, account: int | None = None, after: int | None = None, limit: int = 100
    ) -> list[StoredList]:
        """Return lists, of one account or of all, by rising id."""
        where = [_KEY.account == account] if account is not None else []
        query = select(lists).where(_KEY.id > (after or 0), *where).order_by(_KEY.id).limit(limit)
        with self._log.reading() as connection:
            return [record_of(row, StoredList) for row in connection.execute(query).mappings()]

    def change(self, id: int, *, actor: str, **fields: Any) -> StoredList:
        """Change `name`, `alias`, `description`, `attributes`. Raises Invalid, NotFound, Conflict."""
        given = checked(fields, _CHANGE)
        with self._log.changing(actor) as change:
            found = _list(change.connection, id)
            new = {name: value for name, value in given.items() if value != getattr(found, name)}
            if not new:
                return found
            if "alias" in new:
                _check_alias_is_free(change.connection, found.account, new["alias"])
            change.set(lists, id, **new, changed_at=change.at)
            change.note("change", f"list {id}", found.account, before_of(found, new), new)
            return _list(change.connection, id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a list, and who is on it: what is being sent to it ends where it is. Raises NotFound."""
        with self._log.changing(actor) as change:
            found = _list(change.connection, id)
            change.connection.execute(delete(lists).where(_KEY.id == id))
            change.note("delete", f"list {id}", found.account, before=said(found, "edition"))
        self.editions.drop_of(id)

    def sweep(self) -> int:
        """Take away what nobody reads any more. Raises StoreError."""
        return self.editions.sweep()

    # -- who is on them

    def replace(
        self,
        id: int,
        rows: Iterable[ListedRecipient],
        *,
        keep: DuplicateRule = "first",
        actor: str,
        progress: Progress = _nothing,
    ) -> ListLoaded:
        """Put *rows* on a list in place of all that is on it, at once when the last is read: if that raises, the list
        is as it was. Raises NotFound, Conflict, OSError, and what *rows* raises.
        """
        self.get(id)
        edition, loaded = self.editions.load(id, iter(rows), keep, progress)
        with self._log.changing(actor) as change:
            found = _list(change.connection, id)
            if found.edition:
                change.set(editions, found.edition, state="retired", changed_at=change.at)
            count = counted(change.connection, edition.id)  # somebody may have been erased meanwhile
            change.set(editions, edition.id, state="current", count=count, changed_at=change.at)
            change.set(lists, id, edition=edition.id, count=count, changed_at=change.at)
            told = {"count": count, "duplicates": loaded.duplicates}
            change.note("load", f"list {id}", found.account, {"count": found.count}, told)
        return loaded

    def add(
        self, id: int, rows: Sequence[ListedRecipient], *, keep: DuplicateRule = "first", actor: str
    ) -> ListLoaded:
        """Put up to `MOST_ADDED` *rows* behind those on a list. By the rule `first` those that are on it stay as they
        are, by `last` they go. Raises NotFound, Invalid, Conflict.
        """
        if len(rows) > MOST_ADDED:
            raise Invalid("recipients", f"{len(rows)} are too many; write {MOST_ADDED} at most")
        new, dropped = _without_duplicates(rows, keep)
        with self._log.changing(actor) as change:
            found = _list(change.connection, id)
            edition = found.edition or _first_edition(change, id)
            if keep == "last":
                dropped += self._take_off(change.connection, edition, {mark_of(row.address) for row in new})
            elif keep == "first":
                new, known = _unknown(change.connection, edition, new)
                dropped += known
            count = counted(change.connection, edition) + len(new)
            if count > MOST_RECIPIENTS:
                raise Conflict(f"a list has {MOST_RECIPIENTS:,} recipients at most; make another")
            _append(change, edition, new)
            change.set(editions, edition, count=count, changed_at=change.at)
            change.set(lists, id, edition=edition, count=count, changed_at=change.at)
            change.note("add", f"list {id}", found.account, {"count": found.count}, {"count": count})
        return ListLoaded(count, dropped)

    def remove(self, id: int, addresses: Sequence[str], *, actor: str) -> int:
        """Take addresses off a list, and return how many rows those were. Raises NotFound, Invalid."""
        if len(addresses) > MOST_ADDED:
            raise Invalid("addresses", f"{len(addresses)} are too many; write {MOST_ADDED} at most")
        with self._log.changing(actor) as change:
            found = _list(change.connection, id)
            taken = self._take_off(change.connection, found.edition, set(map(mark_of, addresses)))
            if taken:
                count = counted(change.connection, found.edition)
                change.set(editions, found.edition, count=count, changed_at=change.at)
                change.set(lists, id, count=count, changed_at=change.at)
                change.note("remove", f"list {id}", found.account, {"count": found.count}, {"count": count})
        return taken

    def recipients(self, id: int) -> Iterator[ListedRecipient]:
        """Yield who is on a list, in order, a page at a time. Raises NotFound."""
        return self.editions.recipients(self.get(id).edition)

    def rows_of(self, id: int, address: str) -> list[ListedRecipient]:
        """Return the rows of a list that have *address*. Raises NotFound, AddressError."""
        edition = self.get(id).edition
        with self._database.reading() as connection:
            places = self.editions.places_of(connection, address, edition)
        mark = mark_of(address)
        return [
            each
            for _, number in places
            for each in self.editions.page(edition, number)
            if mark_of(each.address) == mark
        ]

    def erase(self, address: str, *, account: int | None = None, actor: str) -> int:
        """Take *address* off all lists of an account, None: of all; what was replaced and what is being loaded too.
        Return how many rows those were.
        """
        try:
            mark, taken = mark_of(address), 0
        except AddressError:
            return 0  # no list has it
        with self._database.reading() as connection:
            touched = {edition for edition, _ in self.editions.places_of(connection, address)}
            if account is not None:
                own = select(editions.c.id).where(
                    editions.c.list.in_(select(_KEY.id).where(_KEY.account == account))
                )
                touched &= set(connection.scalars(own))
        for edition in sorted(touched):
            with self._log.changing(actor) as change:
                gone = self._take_off(change.connection, edition, {mark})
                count = counted(change.connection, edition)
                change.set(editions, edition, count=count)
                change.connection.execute(update(lists).where(_KEY.edition == edition).values(count=count))
                of_list = select(editions.c.list).where(editions.c.id == edition).scalar_subquery()
                owner = change.connection.scalar(select(_KEY.account).where(_KEY.id == of_list))
                change.note("erase", f"edition {edition} of a list", owner, after={"rows": gone})
                taken += gone
        return taken

    def _take_off(self, connection: Connection, edition: int, marks: set[int]) -> int:
        touched = [
            number
            for number, found in enumerate(marks_of(connection, edition))
            if not marks.isdisjoint(found)
        ]
        taken = 0
        for number in touched:
            where = (pages.c.edition == edition, pages.c.number == number)
            rows = unpacked(connection.scalar(select(pages.c.content).where(*where)) or b"")
            left = [row for row in rows if mark_of(row.address) not in marks]
            put_page(connection, edition, number, left)
            taken += len(rows) - len(left)
        return taken


def found_list(connection: Connection, account: int, name: int | str) -> StoredList:
    """Return a list of an account by its id or its alias. Raises NotFound."""
    which = _KEY.id == name if isinstance(name, int) else _KEY.alias == name
    is_askable = 0 < name < 1 << 63 if isinstance(name, int) else name.isprintable()
    query = select(lists).where(_KEY.account == account, which)
    row = connection.execute(query).mappings().first() if is_askable else None
    if row is None:
        raise NotFound(f"list {str(name)[:100]}")
    return record_of(row, StoredList)


def _without_duplicates(
    rows: Sequence[ListedRecipient], keep: DuplicateRule
) -> tuple[list[ListedRecipient], int]:
    finder = DuplicateFinder()
    try:
        for row in rows:
            finder.add(mark_of(row.address))
        dropped = finder.dropped(keep)
    finally:
        finder.close()
    return [row for number, row in enumerate(rows) if number not in dropped], dropped.count


def _unknown(
    connection: Connection, edition: int, rows: list[ListedRecipient]
) -> tuple[list[ListedRecipient], int]:
    """Return those of *rows* that are not on an edition, and how many are."""
    by_mark = {mark_of(row.address): row for row in rows}
    for found in marks_of(connection, edition):
        for mark in by_mark.keys() & set(found):
            del by_mark[mark]
    return list(by_mark.values()), len(rows) - len(by_mark)


def _append(change: Changing, edition: int, rows: Sequence[ListedRecipient]) -> None:
    query = select(editions.c.pages).where(editions.c.id == edition)
    first = change.connection.scalar(query) or 0
    made = page_rows(edition, first, rows)
    if made:
        change.connection.execute(insert(pages), made)
        change.set(editions, edition, pages=first + len(made))


def _first_edition(change: Changing, list_id: int) -> int:
    return change.add(editions, list=list_id, state="current", count=0, pages=0, changed_at=change.at)


def _check_alias_is_free(connection: Connection, account: int, alias: str) -> None:
    where = (_KEY.account == account, _KEY.alias == alias)
    if connection.scalar(select(_KEY.id).where(*where)) is not None:
        raise Conflict(f"there is a list {alias!r} already; choose another id, or change that one")


def _list(connection: Connection, id: int) -> StoredList:
    return record_of(row_of(connection, lists, id, "list"), StoredList)
