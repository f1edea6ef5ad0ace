"""What a day forgets in PostgreSQL: it stands in no file of its tables, also where somebody was reading."""

from pathlib import Path

import psycopg
import pytest

from angarium.events.days import day_at
from angarium.events.port import EventStoreError
from angarium.events.postgres import writing
from angarium.events.postgres.schema import schema_of
from angarium.events.postgres.store import PostgresEventStore
from angarium.testing.event_stores import EventStores
from angarium.testing.happenings import START, fact, reception
from angarium.testing.postgres import PostgresServer

pytestmark = pytest.mark.peer

DAY = day_at(START)


def held(url: str) -> list[str]:
    """The tables of the day in whose files the name stands."""
    tables = "message", "recipient", "event"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CHECKPOINT")
        folder = Path(str(db.execute("SHOW data_directory").fetchone()[0]))  # type: ignore[index]
        names = [f"{schema_of(DAY)}.{table}" for table in tables]
        files = [db.execute("SELECT pg_relation_filepath(%s)", (name,)).fetchone()[0] for name in names]  # type: ignore[index]
    return [
        table
        for table, file in zip(tables, files, strict=True)
        if b"quetzalcoatl" in (folder / file).read_bytes().lower()
    ]


@pytest.fixture
def stores(postgres: PostgresServer, tmp_path: Path) -> EventStores:
    return EventStores(tmp_path, postgres)


def a_store(stores: EventStores) -> PostgresEventStore:
    store = stores.new()
    assert isinstance(store, PostgresEventStore)
    for number in range(40):
        mail = reception(number, to=(f"quetzalcoatl{number}@example.com",), subject="Dear Quetzalcoatl")
        store.take([mail, fact("click", mail, agent="quetzalcoatl")])
    store.sync()
    return store


def test_it_stands_in_no_file_and_is_swept_later_where_somebody_reads(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_LOCK_S", 0.2)
    store = a_store(stores)
    assert held(stores.place) == ["message", "recipient", "event"]
    with psycopg.connect(stores.place) as reader:
        reader.execute(f"SELECT count(*) FROM {schema_of(DAY)}.event".encode())
        assert not store.forget(DAY)
        assert held(stores.place) == ["event"]
    again = stores.again()
    assert again.forget(DAY)
    assert held(stores.place) == []
    stores.close()


def test_whoever_fails_in_the_middle_has_forgotten_nothing(stores: EventStores) -> None:
    store = a_store(stores)
    with psycopg.connect(stores.place, autocommit=True) as other:
        other.execute(f"ALTER TABLE {schema_of(DAY)}.event RENAME COLUMN detail TO elsewhere".encode())
        with pytest.raises(EventStoreError):
            store.forget(DAY)
        other.execute(f"ALTER TABLE {schema_of(DAY)}.event RENAME COLUMN elsewhere TO detail".encode())
    assert held(stores.place) == ["message", "recipient", "event"]
    assert store.forget(DAY)
    assert held(stores.place) == []
    stores.close()
