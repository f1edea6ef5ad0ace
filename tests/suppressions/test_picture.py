"""A worker's picture follows the ledger, with a file or without one, whatever happens to the file."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from angarium.identity.store.store import IdentityStore
from angarium.spool.disk import RealDisk
from angarium.sql.database import Database
from angarium.sql.errors import StoreError
from angarium.suppressions.decide import MailFacts
from angarium.suppressions.index.builder import WHOLE_S, IndexBuilder
from angarium.suppressions.index.file import NAME, MappedIndex
from angarium.suppressions.index.picture import PictureKeeper
from angarium.suppressions.records import CauseFilter, NewCause
from angarium.suppressions.store import schema
from angarium.suppressions.store.following import Following
from angarium.suppressions.store.ledger import Suppressions
from angarium.testing.clock import ManualClock

ME = "cli:test"
MAIL = MailFacts(1, 7, "outbound")
LEAST = 3


def manual(*said: str, account: int | None = 1, **more: Any) -> list[NewCause]:
    given = {"reason": "manual", "origin": "cli", "at": 0.0, **more}
    return [NewCause(account=account, what=each, **given) for each in said]


class Lab:
    """A ledger, who makes its file, and a worker that looks at both."""

    def __init__(self, store: IdentityStore, database: Database, folder: Path, clock: ManualClock) -> None:
        self.ledger: Suppressions = store.suppressions
        self.following = Following(database)
        self.folder = folder
        self.clock = clock
        self.builder = IndexBuilder(self.following, folder, RealDisk(), clock.now, LEAST)
        self.keeper = PictureKeeper(self.following, folder)

    def add(self, *said: str, **more: Any) -> None:
        self.ledger.add(manual(*said, **more), actor=ME)

    @property
    def file(self) -> Path:
        return self.folder / NAME

    def stops(self, text: str, facts: MailFacts = MAIL) -> bool:
        self.keeper.look()
        picture = self.keeper.picture
        assert picture is not None
        assert picture.knows(text) or not picture.may_stop(text, facts)
        return picture.may_stop(text, facts)

    def recent(self) -> int:
        assert self.keeper.picture is not None
        return len(self.keeper.picture.recent)


@pytest.fixture
def lab(store: IdentityStore, database: Database, tmp_path: Path, clock: ManualClock) -> Lab:
    return Lab(store, database, tmp_path / "suppressions", clock)


def test_a_short_list_needs_no_file(lab: Lab) -> None:
    lab.add("a@x.example")
    assert not lab.builder.step()
    assert [lab.stops("a@x.example"), lab.stops("b@x.example")] == [True, False]
    lab.add("b@x.example")
    assert lab.stops("b@x.example")
    assert not lab.file.exists()


def test_a_long_one_is_in_the_file_and_what_changes_is_beside_it(lab: Lab) -> None:
    many = [f"a{n}@x.example" for n in range(50)]
    lab.add(*many)
    assert lab.builder.step()
    assert [lab.stops(each) for each in many] == [True] * 50
    assert lab.recent() == 0
    lab.add("b@x.example")
    assert not lab.builder.step()
    assert (lab.stops("b@x.example"), lab.recent()) == (True, 1)


def test_what_has_changed_goes_into_the_file_in_the_end(lab: Lab) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.builder.step()
    made_at = MappedIndex(lab.file).stamp.made_at
    lab.clock.at += 100
    lab.add("b@x.example", "c@x.example")
    lab.ledger.add(manual("a1@x.example", reason="complaint"), actor=ME)
    lab.ledger.undo(CauseFilter(what="a1@x.example", reasons=("manual",)), actor=ME)
    lab.ledger.undo(CauseFilter(what="a2@x.example"), actor=ME)
    assert lab.builder.step()
    index = MappedIndex(lab.file)
    assert (index.count, index.stamp) == (21, (*lab.following.number(), made_at))
    assert [lab.stops(f"{each}@x.example") for each in ("b", "a1", "a2")] == [True, True, False]
    assert lab.recent() == 0
    assert not lab.builder.step()


def test_a_list_is_that_of_its_account_its_stream_or_the_node(lab: Lab) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(9)))
    lab.add("s@x.example", scope="7/news")
    lab.add("k@x.example", scope="*/broadcast")
    lab.add("n@x.example", account=None, reason="compliance")
    assert lab.builder.step()
    news = MailFacts(1, 7, "news", transactional=False)
    found = [
        [lab.stops(f"{each}@x.example", facts) for each in "skn"] for facts in (MAIL, news, MailFacts(2))
    ]
    assert found == [[False, False, True], [True, True, True], [False, False, True]]


def test_rules_are_followed(lab: Lab) -> None:
    assert not lab.stops("ann@example.com")
    lab.add("example.com", "/^bot/")
    assert [lab.stops("ann@example.com"), lab.stops("bot7@x.example"), lab.stops("eve@x.example")] == [
        True,
        True,
        False,
    ]
    lab.ledger.undo(CauseFilter(what="example.com"), actor=ME)
    assert not lab.stops("ann@example.com")


@pytest.mark.parametrize("harm", ["gone", "torn", "another"])
def test_a_file_that_is_no_good_is_made_anew_and_nobody_is_missed(lab: Lab, harm: str) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.builder.step()
    if harm == "gone":
        lab.file.unlink()
    elif harm == "torn":
        os.truncate(lab.file, 700)
    else:
        lab.file.write_bytes(b"Dear diary, " * 100)
    assert lab.stops("a7@x.example")
    assert lab.builder.step()
    assert MappedIndex(lab.file).count == 20
    assert (lab.stops("a7@x.example"), lab.recent()) == (True, 0)


def test_a_file_of_another_ledger_is_not_believed(lab: Lab, database: Database) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.builder.step()
    assert lab.stops("a1@x.example")
    with database.writing() as connection:  # as a copy of another node would
        connection.execute(schema.causes.delete())
        connection.execute(update(schema.changes).values(epoch="f" * 16, number=3))
    lab.add("new@x.example")
    assert [lab.stops("a1@x.example"), lab.stops("new@x.example")] == [False, True]
    lab.builder.step()
    assert MappedIndex(lab.file).stamp.epoch == "f" * 16


def test_a_ledger_that_was_put_back_is_read_anew(lab: Lab, database: Database) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.add("b@x.example")
    lab.builder.step()
    assert lab.stops("b@x.example")
    with database.writing() as connection:
        connection.execute(schema.causes.delete().where(schema.causes.c.what == "b@x.example"))
        connection.execute(update(schema.changes).values(number=1))
    assert [lab.stops("b@x.example"), lab.stops("a1@x.example")] == [False, True]


def test_what_has_expired_leaves_the_file_after_a_day(lab: Lab) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.builder.step()
    lab.clock.at += WHOLE_S - 1
    assert not lab.builder.step()
    lab.clock.at += 2
    assert lab.builder.step()
    assert MappedIndex(lab.file).stamp.made_at == lab.clock.now()


def test_while_the_ledger_is_silent_the_file_is_believed(lab: Lab, tmp_path: Path) -> None:
    lab.add(*(f"a{n}@x.example" for n in range(20)))
    lab.builder.step()
    silent = PictureKeeper(_Silent(lab.following), lab.folder)
    with pytest.raises(StoreError):
        silent.look()
    assert silent.picture is not None
    assert silent.picture.may_stop("a1@x.example", MAIL)
    without = PictureKeeper(_Silent(lab.following), tmp_path / "nowhere")
    with pytest.raises(StoreError):
        without.look()
    assert (without.picture, without.problem) == (None, "the suppressions are not read yet")


class _Silent(Following):
    def __init__(self, following: Following) -> None:
        super().__init__(following._database)

    def number(self) -> Any:
        raise StoreError("nobody answers")


def test_more_than_memory_takes_is_not_known_until_the_file_has_it(lab: Lab) -> None:
    lab.keeper = PictureKeeper(lab.following, lab.folder, most_changes=10)
    assert not lab.stops("a1@x.example")
    lab.add(*(f"a{n}@x.example" for n in range(11)))
    lab.keeper.look()
    assert lab.keeper.picture is None
    assert lab.keeper.problem == "more than 10 suppressions have changed since their file was made"
    lab.builder.step()
    assert lab.stops("a1@x.example")
    assert lab.keeper.problem == ""
