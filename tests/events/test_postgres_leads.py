"""How PostgreSQL finds words: where they are common, among the newest; where they are rare, by their index."""

import random

import pytest

from angarium.events.fields import MAIL
from angarium.events.port import EventStore, Whose
from angarium.events.postgres import leads
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.event_stores import EventStores
from angarium.testing.happenings import START, reception
from angarium.testing.postgres import PostgresServer

pytestmark = pytest.mark.peer


@pytest.fixture
def store(postgres: PostgresServer, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> EventStore:
    monkeypatch.setattr(leads, "_NEWEST", 4)
    stores = EventStores(tmp_path, postgres)  # type: ignore[arg-type]
    store = stores.new()
    subjects = ["rare roof", *["red roof"] * 9]
    mails = [
        reception(n, START + n, to=(f"r{n}@example.com",), subject=each) for n, each in enumerate(subjects)
    ]
    random.Random(1).shuffle(mails)
    store.take(sorted(mails, key=lambda mail: mail.message.id))
    return store


def found(store: EventStore, query: str, limit: int) -> list[str]:
    node, after, addresses = parse(query, MAIL, Now(START)), None, []
    while True:
        page = store.search(node, Whose(), limit=limit, after=after)
        addresses += [mail.address.partition("@")[0] for mail in page.found]
        if page.next is None:
            return addresses
        after = page.next


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 20])
def test_all_are_found_whichever_way(store: EventStore, limit: int) -> None:
    newest_first = [f"r{number}" for number in reversed(range(10))]
    assert found(store, "roof", limit) == newest_first
    assert found(store, "rare", limit) == ["r0"]
    assert found(store, "rare AND roof", limit) == ["r0"]
    assert found(store, "rare OR red", limit) == newest_first
    assert found(store, "red AND -to:r9", limit) == newest_first[1:9]
    assert found(store, "nowhere", limit) == []
    assert store.count(parse("roof", MAIL, Now(START)), Whose(), most=100) == 10
