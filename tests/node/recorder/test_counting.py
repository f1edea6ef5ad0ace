"""The sums of what is recorded: none of what may be lost, all of it once, and nothing is held up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.core.reply import Reply
from angarium.events.days import day_at
from angarium.events.port import EventStoreError
from angarium.events.reports.model import ReportQuery
from angarium.events.reports.reporter import MailReporter
from angarium.events.rollups.roller import AT_ONCE, MOST_LEFT, Roller
from angarium.events.rollups.store import RollupsFile, RollupsReader
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.recorder.counting import TakenCounts
from angarium.testing.happenings import DAY_S, START, event, fact, reception


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteEventStore]:
    store = SqliteEventStore(tmp_path / "events")
    yield store
    store.close()


def test_what_is_not_durable_is_in_no_sum(store: SqliteEventStore, tmp_path: Path) -> None:
    """After a power cut its number may be that of another event."""
    file = RollupsFile(tmp_path / "reports.db")
    roller = Roller(store, file, lambda reason: "Soft")
    store.take([reception(1)])
    assert not roller.step(START)
    assert file.upto() == 0
    roller.have_synced(store.last())
    store.take([reception(2)])
    roller.step(START + 900)
    assert file.upto() == 1
    file.close()


def test_sums_are_made_when_a_quarter_hour_is_over_or_much_is_left(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    file = RollupsFile(tmp_path / "reports.db")
    roller = Roller(store, file, lambda reason: "Soft")
    roller.have_synced(0)
    assert not roller.step(START)
    store.take([reception(1)])
    roller.have_synced(store.last())
    roller.step(START + 1)
    assert file.upto() == 0
    roller.step(START + 900)
    assert file.upto() == 1
    roller.have_synced(1 + MOST_LEFT)  # numbers, of which not all need be there
    assert roller.step(START + 901)
    assert file.upto() == 1 + AT_ONCE
    file.close()


def test_what_fails_in_the_middle_adds_nothing_and_is_added_later(
    store: SqliteEventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RollupsFile(tmp_path / "reports.db")
    roller = Roller(store, file, lambda reason: "Soft")
    store.take([reception(1, stream="s"), reception(2, campaign="c")])
    with monkeypatch.context() as patched:
        patched.setattr("angarium.events.rollups.store._ADD", "INSERT INTO nowhere VALUES (?, ?, ?, ?, ?)")
        with pytest.raises(EventStoreError, match="do not answer"):
            roller.roll(2)
    assert file.upto() == 0
    roller.roll(2)
    assert file.upto() == 2
    file.close()
    again = RollupsFile(tmp_path / "reports.db")
    assert again.upto() == 2
    again.close()


def test_when_the_newest_events_are_dropped_their_numbers_are_counted_anew(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    """A file of a day is dropped with all that happened to its mail, of late too."""
    file = RollupsFile(tmp_path / "reports.db")
    old, new = reception(1, START - 40 * DAY_S), reception(2, START)
    store.take([new, old, event(old, "delivered", "delivered", 1)])
    Roller(store, file, lambda reason: "Soft").roll(3)
    store.close()
    (tmp_path / "events" / f"{day_at(START - 40 * DAY_S)}.db").unlink()
    again = SqliteEventStore(tmp_path / "events")
    roller = Roller(again, file, lambda reason: "Soft")
    again.take([event(new, "delivered", "delivered", 1)])
    roller.roll(again.last())
    reporter = MailReporter(again, RollupsReader(tmp_path / "reports.db"), lambda reason: "Soft")
    total = reporter.report(ReportQuery(START - 50 * DAY_S, START + DAY_S), START + DAY_S).total
    assert (total.counts["accepted"], total.counts["delivered"]) == (2, 2)
    again.close()
    file.close()


def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    file = RollupsFile(tmp_path / "reports.db")
    file._db.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(EventStoreError, match="has format 99; this program reads 1"):
        RollupsFile(tmp_path / "reports.db")


def test_metrics_count_by_type_and_bounces_by_category() -> None:
    counts = TakenCounts()
    mail = reception(1)
    gone = event(mail, "bounced", "bounced", 1, reply=Reply(550, "5.1.1", "no such user"))
    counts.note([mail, gone, fact("open", mail, 1), fact("open", mail, 2)])
    assert counts.types == {"received": 1, "bounced": 1, "open": 2}
    assert counts.bounces == {"hard": 1}
