"""How long what has happened is kept, and what becomes of it where there is no room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.core.log import Log
from angarium.events.days import day_at
from angarium.events.port import Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.recorder.retention import EventKeeper
from angarium.query.nodes import Everything
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import DAY_S, START, event, fact, reception

DAYS = 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteEventStore]:
    """A store with a message on each of ten days."""
    store = SqliteEventStore(tmp_path / "events")
    for day in range(DAYS):
        mail = reception(day, START + day * DAY_S, to=(f"r{day}@example.com",))
        store.take([mail, event(mail, "delivered", "delivered")])
    store.sync()
    yield store
    store.close()


def keeper(store: SqliteEventStore, clock: ManualClock, *, days: int = 0, most: int = 0) -> EventKeeper:
    return EventKeeper(store, lambda: days, lambda: most, clock, Log(2))


def now() -> ManualClock:
    return ManualClock(START + (DAYS - 1) * DAY_S + 60)


def addresses(store: SqliteEventStore) -> list[str]:
    return [mail.address for mail in store.search(Everything(), Whose(), limit=100).found]


def test_days_that_are_over_go_as_a_whole(store: SqliteEventStore) -> None:
    keeper(store, now(), days=3).look()
    assert addresses(store) == ["r9@example.com", "r8@example.com", "r7@example.com", "r6@example.com"]
    assert sorted(path.name for path in store.folder.iterdir() if path.suffix == ".db") == [
        f"{day_at(START + day * DAY_S)}.db" for day in range(6, 10)
    ]


def test_without_a_limit_all_is_kept(store: SqliteEventStore) -> None:
    keeper(store, now()).look()
    assert len(addresses(store)) == DAYS


def test_the_oldest_days_go_where_there_is_no_room_and_it_is_said(store: SqliteEventStore) -> None:
    sizes = store.sizes()
    keeping = keeper(store, now(), most=sum(list(sizes.values())[-4:]))
    keeping.look()
    assert addresses(store) == ["r9@example.com", "r8@example.com", "r7@example.com", "r6@example.com"]
    assert keeping.dropped == day_at(START + 5 * DAY_S)
    assert keeping.size_bytes == sum(store.sizes().values())


def test_today_is_kept_however_large_it_is(store: SqliteEventStore) -> None:
    keeper(store, now(), most=1).look()
    assert addresses(store) == ["r9@example.com"]


@pytest.mark.parametrize("limit", [{"days": 3}, {"most": 1}])
def test_an_opening_that_comes_too_late_does_not_make_a_day_again(
    store: SqliteEventStore, limit: dict[str, int]
) -> None:
    keeping = keeper(store, now(), **limit)
    keeping.look()
    days = list(store.sizes())
    old, new = reception(0, START), reception(9, START + 9 * DAY_S)
    told = [fact("open", old, 1), fact("open", new, 2), fact("login_failed", None, 3, now().at, user="x")]
    store.take(keeping.kept(told))
    assert list(store.sizes()) == days
    assert keeping.too_late == 1
    assert [each.type for each in store.latest(Everything(), Whose(), limit=2)] == ["open", "login_failed"]


def test_it_looks_once_a_minute(store: SqliteEventStore) -> None:
    clock = now()
    limits = [0]
    keeping = EventKeeper(store, lambda: limits[0], lambda: 0, clock, Log(2))
    keeping.look()
    limits[0] = 3
    clock.at += 59
    keeping.look()
    assert len(addresses(store)) == DAYS
    clock.at += 1
    keeping.look()
    assert len(addresses(store)) == 4


def forgetting(store: SqliteEventStore, clock: ManualClock, days: int) -> EventKeeper:
    return EventKeeper(store, lambda: 0, lambda: 0, clock, Log(2), address_days=lambda: days)


def test_addresses_that_are_over_go_a_day_each_minute_the_newest_first(store: SqliteEventStore) -> None:
    clock = now()
    keeping = forgetting(store, clock, 6)
    seen = []
    for _ in range(4):
        keeping.look()
        seen.append(addresses(store)[-4:])
        clock.at += 60
    kept = [f"r{day}@example.com" for day in (3, 2, 1, 0)]
    assert seen == [[kept[0], "", *kept[2:]], [kept[0], "", "", kept[3]],
                    [kept[0], "", "", ""], [kept[0], "", "", ""]]  # fmt: skip
    assert [mail.state for mail in store.search(Everything(), Whose(), limit=100).found] == [
        "delivered"
    ] * DAYS


def test_without_a_limit_addresses_are_kept_and_todays_always(store: SqliteEventStore) -> None:
    forgetting(store, now(), 0).look()
    assert "" not in addresses(store)
    clock = now()
    keeping = forgetting(store, clock, 1)
    for _ in range(DAYS):
        keeping.look()
        clock.at += 60
    assert addresses(store) == ["r9@example.com", "r8@example.com", *[""] * 8]


def test_a_day_that_is_being_read_is_tried_again(
    store: SqliteEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def forget(day: str) -> bool:
        asked.append(day)
        return len(asked) > 1

    monkeypatch.setattr(store, "forget", forget)
    clock = now()
    keeping = forgetting(store, clock, 8)
    for _ in range(3):
        keeping.look()
        clock.at += 60
    assert asked == [day_at(START)] * 2
