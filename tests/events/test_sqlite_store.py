"""The event store in SQLite: its files, and what stands in them."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.fields import MAIL
from angarium.events.port import EventStoreError, Whose
from angarium.events.sqlite.day import DayFile
from angarium.events.sqlite.leads import SqliteLeads
from angarium.events.sqlite.schema import open_to_read
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.testing.happenings import DAY_S, START, event, fact, reception


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


def a_day_of_quetzalcoatl(store: SqliteEventStore) -> None:
    """In several segments of the index, in shared values, and in what is not shared."""
    for number in range(40):
        mail = reception(
            number,
            to=(f"quetzalcoatl{number}@example.com",),
            author="Quetzalcoatl",
            subject=f"Quetzalcoatl {number // 20}",
            message_id=f"quetzalcoatl{number}@x.test",
            metadata={"name": "quetzalcoatl"},
        )
        reply = Reply(550, "5.1.1", "quetzalcoatl is unknown")
        agent = "quetzalcoatl, whose program has a long name"
        store.take([mail, event(mail, "bounced", "bounced", reply=reply), fact("click", mail, agent=agent)])


def held(folder: Path) -> bool:
    """Whether the name stands anywhere in the files."""
    return any(b"quetzalcoatl" in path.read_bytes().lower() for path in folder.iterdir())


def test_what_a_day_forgets_stands_nowhere_in_the_files(store: SqliteEventStore) -> None:
    a_day_of_quetzalcoatl(store)
    day = store.folder / f"{day_at(START)}.db"
    reader = open_to_read(day)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM event").fetchone()
    store._file(day_at(START))._db.execute("PRAGMA busy_timeout = 0")
    assert not store.forget(day_at(START)), "somebody reads what was there before"
    assert found(store, "status:bounced") == [""] * 40
    reader.close()
    before = sum(path.stat().st_size for path in store.folder.iterdir())
    assert held(store.folder)
    assert store.forget(day_at(START))
    assert not held(store.folder)
    assert sum(path.stat().st_size for path in store.folder.iterdir()) < before / 2


def test_whoever_is_killed_while_a_day_forgets_has_forgotten_all_or_nothing(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    a_day_of_quetzalcoatl(store)
    left: list[Path] = []

    def leave() -> int:
        """Copy what a kill leaves behind at this moment."""
        left.append(tmp_path / f"left{len(left)}")
        shutil.copytree(store.folder, left[-1])
        return 0

    store._file(day_at(START))._db.set_progress_handler(leave, 300)
    assert store.forget(day_at(START))
    store.close()
    assert len(left) > 10
    came_to = []
    for folder in left:
        again = SqliteEventStore(folder)
        came_to.append(sum(bool(address) for address in found(again, "status:bounced")))
        assert again.forget(day_at(START))
        assert found(again, "status:bounced") == [""] * 40
        again.close()
        assert not held(folder)
    assert set(came_to) == {40, 0}


def test_a_day_that_could_not_forget_is_as_it_was(store: SqliteEventStore) -> None:
    a_day_of_quetzalcoatl(store)
    db = store._file(day_at(START))._db
    db.set_progress_handler(lambda: 1, 300)
    with pytest.raises(EventStoreError):
        store.forget(day_at(START))
    db.set_progress_handler(None, 0)
    assert len(found(store, "quetzalcoatl")) == 40
    store.take([reception(99)])
    assert found(store, "roof") == ["bob@example.com"]
    assert store.forget(day_at(START))
    assert found(store, "roof OR quetzalcoatl") == []


def test_what_comes_days_later_is_written_without_looking_through_anything(store: SqliteEventStore) -> None:
    mail = reception(1, to=tuple(f"r{number}@example.com" for number in range(300)))
    store.take([mail, *(reception(number) for number in range(2, 50))])
    store.close()
    said: list[str] = []
    late = DayFile(store.folder / f"{day_at(START)}.db", lambda event: "")
    late._db.set_trace_callback(said.append)
    late.take(
        [
            event(mail, "bounced", "bounced", index=7, after_s=3 * DAY_S, reply=Reply(550, "5.1.1", "gone")),
            fact("late_bounce", mail, 2, START + 3 * DAY_S, reply="550 5.1.1 gone"),
        ],
        count(1_000),
    )
    late._db.set_trace_callback(None)
    asked = [
        sql for sql in said if sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE")) and "'%" not in sql
    ]
    plans = [str(row) for sql in asked for row in late._db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(asked) < 30
    assert not [
        plan for plan in plans if re.search(r"SCAN (message|recipient|event|word|shared|tag)\b", plan)
    ]
    late.close()
    page = store.search(parse("reply:gone", MAIL, Now(START)), Whose(), limit=9)
    assert [(each.index, each.state) for each in page.found] == [(7, "bounced"), (0, "bounced")]


@pytest.mark.parametrize(
    ("query", "leads"),
    [
        ("subject:roof AND domain:example.com AND attempts:>2", ["VIRTUAL TABLE INDEX"]),
        ("roof", ["VIRTUAL TABLE INDEX", "VIRTUAL TABLE INDEX"]),
        ("status:bounced", ["recipient_state"]),
        ("id:01a22f3fc6c0735699d859c85f467b81", ["SEARCH m USING"]),
        ("id:<a@b.test>", ["message_named"]),
    ],
)
def test_what_leads_a_question_looks_at_what_it_finds_only(
    store: SqliteEventStore, query: str, leads: list[str]
) -> None:
    store.take([reception(1)])
    path = store.folder / f"{day_at(START)}.db"
    with closing(open_to_read(path)) as db:
        found = SqliteLeads(db)(parse(query, MAIL, Now(START)), Whose())
        for lead, expected in zip(found, leads, strict=True):
            sql = f"EXPLAIN QUERY PLAN SELECT r.no FROM {lead.source} WHERE {lead.where[0]} ORDER BY {lead.number} DESC"
            plan = [str(row[3]) for row in db.execute(sql, [*lead.values, *lead.where[1]])]
            assert any(expected in line for line in plan[:3]), plan


def test_numbers_are_never_given_twice_also_when_the_day_of_the_last_one_is_gone(tmp_path: Path) -> None:
    folder, day = tmp_path / "days", day_at(START - DAY_S)
    store = SqliteEventStore(folder)
    store.take([reception(2)])
    store.take([reception(1, START - DAY_S)])
    last = store.last()
    store.drop(day)
    store.close()
    again = SqliteEventStore(folder)
    assert again.last() == last
    again.take([reception(3)])
    with closing(again):
        (happening,) = again.log(parse("", MAIL, Now(START)), Whose(), after=last, limit=10)
    assert happening.number == last + 1
