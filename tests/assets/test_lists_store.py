"""Lists as they are kept: replaced at once, added to, read in pages, erased from; on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from angarium.assets.lists.records import ListedRecipient, StoredList
from angarium.assets.store import editions as kept
from angarium.assets.store.schema import editions, pages
from angarium.core.fields import Personal
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.testing.clock import ManualClock

WHO = "cli:test"


def people(*numbers: int, host: str = "example.com") -> list[ListedRecipient]:
    return [ListedRecipient(f"p{number}@{host}", data=b'{"number":%d}' % number) for number in numbers]


def addresses(store: IdentityStore, made: StoredList) -> list[str]:
    return [each.address for each in store.lists.recipients(made.id)]


def counts(database: Database) -> tuple[int, int]:
    """How many editions and pages there are."""
    with database.reading() as connection:
        found = [
            connection.scalar(select(func.count()).select_from(table)) or 0 for table in (editions, pages)
        ]
        return found[0], found[1]


@pytest.fixture
def made(store: IdentityStore) -> StoredList:
    """A list with nobody on it."""
    return store.lists.create(1, "news", name="The news", attributes={"from": "shop"}, actor=WHO)


def test_a_list_is_made_found_changed_and_deleted(store: IdentityStore, made: StoredList) -> None:
    assert (made.count, made.attributes, made.name) == (0, {"from": "shop"}, "The news")
    assert store.lists.find(1, "news") == store.lists.find(1, made.id) == made
    assert list(store.lists.recipients(made.id)) == []
    with pytest.raises(NotFound):
        store.lists.find(2, "news")
    with pytest.raises(Conflict, match="'news' already"):
        store.lists.create(1, "news", actor=WHO)
    with pytest.raises(Invalid):
        store.lists.change(made.id, alias="7", actor=WHO)
    assert store.lists.change(made.id, alias="old-news", actor=WHO).alias == "old-news"
    store.lists.delete(made.id, actor=WHO)
    assert store.lists.page() == []


def test_rows_come_back_in_order_with_all_that_they_have(store: IdentityStore, made: StoredList) -> None:
    full = ListedRecipient(
        "ann@example.com", "Ann", "all@example.com", ("a", "ü"), b'{"plan":"x"}', b'{"n":1}'
    )
    rows = [full, *people(*range(2_500))]
    seen: list[int] = []
    loaded = store.lists.replace(made.id, rows, actor=WHO, progress=seen.append)
    assert (loaded.recipients, loaded.duplicates, seen) == (2_501, 0, [2_501])
    found = store.lists.get(made.id)
    assert list(store.lists.recipients(made.id)) == rows
    assert store.lists.editions.get(found.edition) == (found.edition, made.id, 2_501, 3)
    assert [len(store.lists.editions.page(found.edition, number)) for number in range(3)] == [
        1_000,
        1_000,
        501,
    ]
    with pytest.raises(NotFound):
        store.lists.editions.page(found.edition, 3)
    assert full.personal() == Personal("Ann", b'{"plan":"x","n":1}', "all@example.com")


@pytest.mark.parametrize(
    ("keep", "left"), [("first", [0, 1, 2]), ("last", [3, 4, 5]), ("all", [0, 1, 2, 3, 4, 5])]
)
def test_who_is_there_twice_stays_by_the_rule(
    store: IdentityStore, made: StoredList, keep: str, left: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "PAGE", 2)
    written = ["a@b.example", "c@b.example", "d@b.example", "A@B.example", "c@b.EXAMPLE", "d@b.example"]
    rows = [ListedRecipient(address) for address in written]
    loaded = store.lists.replace(made.id, rows, keep=keep, actor=WHO)  # type: ignore[arg-type]
    assert addresses(store, made) == [written[row] for row in left]
    assert (loaded.recipients, loaded.duplicates) == (len(left), 6 - len(left))
    assert store.lists.get(made.id).count == len(left)


def test_a_list_is_replaced_at_once_or_not_at_all(
    store: IdentityStore, made: StoredList, database: Database, clock: ManualClock
) -> None:
    store.lists.replace(made.id, people(1, 2), actor=WHO)

    def broken() -> Iterator[ListedRecipient]:
        yield from people(*range(20_000))
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        store.lists.replace(made.id, broken(), actor=WHO)
    assert addresses(store, made) == ["p1@example.com", "p2@example.com"]
    assert counts(database)[0] == 2
    clock.at += kept.ABANDONED_S + 1
    assert store.lists.sweep() == 1
    assert counts(database) == (1, 1)
    assert store.lists.sweep() == 0


def test_who_began_to_read_reads_on_after_the_list_was_replaced(
    store: IdentityStore, made: StoredList, database: Database, clock: ManualClock
) -> None:
    store.lists.replace(made.id, people(1), actor=WHO)
    before = store.lists.get(made.id).edition
    store.lists.replace(made.id, people(2), actor=WHO)
    assert [each.address for each in store.lists.editions.recipients(before)] == ["p1@example.com"]
    clock.at += kept.RETIRED_KEPT_S + 1
    assert store.lists.sweep() == 1
    with pytest.raises(NotFound):
        store.lists.editions.page(before, 0)
    assert addresses(store, made) == ["p2@example.com"]


def test_nothing_is_left_of_what_was_deleted_or_of_an_account(
    store: IdentityStore, made: StoredList, database: Database
) -> None:
    store.lists.replace(made.id, people(*range(1_500)), actor=WHO)
    store.lists.delete(made.id, actor=WHO)
    assert counts(database) == (0, 0)
    other = store.lists.create(2, "news", actor=WHO)
    store.lists.replace(other.id, people(1), actor=WHO)
    store.accounts.delete(2, actor=WHO)
    assert store.lists.sweep() == 1
    assert counts(database) == (0, 0)


@pytest.mark.parametrize(
    ("keep", "left", "dropped"),
    [("first", [1, 2, 3], 2), ("last", [2, 1, 3], 2), ("all", [1, 2, 1, 3, 3], 0)],
)
def test_some_are_added_by_the_rule(
    store: IdentityStore, made: StoredList, keep: str, left: list[int], dropped: int
) -> None:
    store.lists.add(made.id, people(1, 2), actor=WHO)
    loaded = store.lists.add(made.id, people(1, 3, 3), keep=keep, actor=WHO)  # type: ignore[arg-type]
    assert addresses(store, made) == [f"p{number}@example.com" for number in left]
    assert (loaded.recipients, loaded.duplicates) == (len(left), dropped)
    assert store.lists.get(made.id).count == len(left)


def test_some_are_found_and_taken_off(store: IdentityStore, made: StoredList) -> None:
    store.lists.replace(made.id, people(*range(1_200)), actor=WHO)
    assert store.lists.rows_of(made.id, "P1100@EXAMPLE.com") == people(1_100)
    assert (
        store.lists.remove(made.id, ["p1100@example.com", "p7@example.com", "no@example.com"], actor=WHO) == 2
    )
    assert store.lists.rows_of(made.id, "p1100@example.com") == []
    assert (store.lists.get(made.id).count, len(addresses(store, made))) == (1_198, 1_198)
    assert store.lists.remove(made.id, ["no@example.com"], actor=WHO) == 0


def test_an_address_is_erased_from_all_lists_and_what_was_replaced(
    store: IdentityStore, made: StoredList, database: Database
) -> None:
    other = store.lists.create(2, "club", actor=WHO)
    for each in (made, other):
        store.lists.replace(each.id, people(1, 2), actor=WHO)
    old = store.lists.get(made.id).edition
    store.lists.replace(made.id, people(1, 3), actor=WHO)
    assert store.lists.erase("P1@example.com", account=2, actor=WHO) == 1
    assert store.lists.erase("P1@example.com", actor=WHO) == 2
    assert addresses(store, made) == ["p3@example.com"]
    assert addresses(store, other) == ["p2@example.com"]
    assert [each.address for each in store.lists.editions.recipients(old)] == ["p2@example.com"]
    assert store.lists.get(made.id).count == 1
    assert "p1@example.com" not in str(store.audit.page())
    assert store.lists.erase("p1@example.com", actor=WHO) == 0


def test_the_audit_log_tells_how_many_were_put_on(store: IdentityStore, made: StoredList) -> None:
    store.lists.replace(made.id, people(1, 1), actor="cli:ann")
    told = store.audit.page()[-1]
    assert (told.actor, told.action, told.what, told.account) == ("cli:ann", "load", f"list {made.id}", 1)
    assert told.details == {"before": {"count": 0}, "after": {"count": 1, "duplicates": 1}}
