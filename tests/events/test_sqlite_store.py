"""The event store in SQLite: its files, and what stands in them."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.fields import MAIL
from angarium.events.port import EventStoreError, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.happenings import START, event, fact, reception


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteEventStore]:
    store = SqliteEventStore(tmp_path / "events")
    yield store
    store.close()


def found(store: SqliteEventStore, query: str) -> list[str]:
    return [mail.address for mail in store.search(parse(query, MAIL, Now(START)), Whose(), limit=100).found]


def rows(tmp_path: Path, sql: str) -> list[Any]:
    found: list[Any] = []
    for path in sorted((tmp_path / "events").glob("*.db")):
        with sqlite3.connect(path) as db:
            found += db.execute(sql).fetchall()
    return found


def test_what_is_counted_of_an_event_stands_in_columns(store: SqliteEventStore, tmp_path: Path) -> None:
    mail = reception(1, to=("bob@example.com",), track_links="html")
    attempt = Attempt(started_at=START, stage="final", host="gmail-smtp-in.l.google.com")
    store.take([mail, event(mail, "delivered", "delivered", attempt=attempt, domain="relay.example.net")])
    store.take([fact("open", mail, 1, machine="prefetch"), fact("open", mail, 2)])
    word = "(SELECT text FROM word WHERE no = {})".format
    sql = f"SELECT {word('binding')}, {word('provider')}, tries, machine FROM event ORDER BY no"
    assert rows(tmp_path, sql) == [
        ("default", "", 0, 0),
        ("default", "google", 1, 0),
        ("", "", 0, 1),
        ("", "", 0, 0),
    ]
    assert rows(tmp_path, f"SELECT {word('home')}, {word('domain')} FROM recipient") == [
        ("example.com", "relay.example.net")
    ]
    assert rows(tmp_path, "SELECT traits FROM message") == [(2,)]


def test_a_file_of_a_newer_format_is_refused(store: SqliteEventStore, tmp_path: Path) -> None:
    store.take([reception(1)])
    store.close()
    (path,) = (tmp_path / "events").glob("*.db")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(EventStoreError, match="has format 99; this program reads 1"):
        store.take([reception(2)])


def test_a_file_has_its_name_when_its_tables_are_there(store: SqliteEventStore, tmp_path: Path) -> None:
    (tmp_path / "events" / "2026-11-30.new").write_bytes(b"half of a file, left by one who was killed")
    assert found(store, "roof") == []
    store.take([reception(1)])
    assert found(store, "roof") == ["bob@example.com"]
    assert [path.suffix for path in (tmp_path / "events").iterdir() if path.name.count("-") == 2] == [".db"]


def test_what_is_erased_stands_nowhere_in_the_files(store: SqliteEventStore, tmp_path: Path) -> None:
    for number in range(40):  # in several segments of the index
        name = "quetzalcoatl" if number % 9 == 4 else f"somebody{number}"
        mail = reception(
            number, to=(f"{name}@example.com",), subject=f"Dear {name}", message_id=f"{name}@x.test"
        )
        reply = Reply(550, "5.1.1", f"{name} is unknown")
        store.take([mail, event(mail, "bounced", "bounced", reply=reply)])
    assert store.erase(day_at(START), "quetzalcoatl@example.com") == 4
    store.close()
    held = b"".join(path.read_bytes() for path in (tmp_path / "events").iterdir()).lower()
    assert b"quetzalcoatl" not in held
    assert b"somebody7" in held
