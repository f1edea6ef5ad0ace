"""Lists as orders read them: in pages, of one edition, none missed and none twice."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from angarium.assets.lists.records import PAGE, ListedRecipient
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.node.recipient_lists import WorkerLists
from angarium.sql.database import Database
from angarium.sql.errors import NotFound

WHO = "test"


@pytest.fixture
def database(quick_path: Path, migrated_file: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{shutil.copy(migrated_file, quick_path)}")) as database:
        yield database


@pytest.fixture
def store(database: Database, tmp_path: Path) -> IdentityStore:
    store = IdentityStore(database, KeyRing.load_or_create(tmp_path / "secrets.key"), lambda: 1.8e9)
    for name in ("default", "acme"):
        store.accounts.create(name, actor=WHO)
    store.lists.create(1, "news", actor=WHO)
    return store


def rows(number: int, name: str = "p") -> list[ListedRecipient]:
    return [ListedRecipient(f"{name}{n}@to.example", f"N{n}", data=b'{"n":%d}' % n) for n in range(number)]


def read(lists: WorkerLists, after: int = 0, most: int = PAGE) -> list[str]:
    """Return who is on the list behind a position."""
    addresses: list[str] = []
    while True:
        page = asyncio.run(lists.page(1, "1", after, most))
        assert page.is_last or page.upto > after, "positions grow"
        assert page.is_last or page.recipients, "there is something on each page but the last"
        assert [each.name for each in page.personal] == [
            f"N{path.address.partition('@')[0].lstrip('pq')}" for path in page.recipients
        ]
        addresses += [path.address for path in page.recipients]
        after = page.upto
        if page.is_last:
            return addresses


def test_each_is_read_once_in_order(database: Database, store: IdentityStore) -> None:
    people = rows(2 * PAGE + 1)
    store.lists.replace(1, people, actor=WHO)
    for most in (1, PAGE, 10 * PAGE):
        assert read(WorkerLists(database), most=most) == [each.address for each in people]
    assert asyncio.run(WorkerLists(database).get(1, "news")) == ("1", 2 * PAGE + 1)


def test_who_began_reads_on_in_the_edition_that_was_replaced(
    database: Database, store: IdentityStore
) -> None:
    store.lists.replace(1, rows(PAGE + 1), actor=WHO)
    lists = WorkerLists(database)
    begun = asyncio.run(lists.page(1, "1", 0, PAGE)).upto
    store.lists.replace(1, rows(5, "q"), actor=WHO)
    assert read(lists, begun) == [f"p{PAGE}@to.example"]
    assert read(lists) == [f"q{n}@to.example" for n in range(5)]


def test_a_page_of_which_all_were_taken_off_ends_nothing(database: Database, store: IdentityStore) -> None:
    store.lists.replace(1, rows(PAGE + 1), actor=WHO)
    store.lists.remove(1, [each.address for each in rows(PAGE)], actor=WHO)
    assert read(WorkerLists(database)) == [f"p{PAGE}@to.example"]


def test_a_list_that_is_deleted_or_anothers_has_nobody(database: Database, store: IdentityStore) -> None:
    store.lists.replace(1, rows(PAGE + 1), actor=WHO)
    lists = WorkerLists(database)
    begun = asyncio.run(lists.page(1, "1", 0, PAGE)).upto
    assert asyncio.run(lists.page(2, "1", 0, PAGE)) == ((), (), 0, True)
    with pytest.raises(NotFound):
        asyncio.run(lists.get(2, "news"))
    store.lists.delete(1, actor=WHO)
    assert asyncio.run(lists.page(1, "1", begun, PAGE)) == ((), (), begun, True)
