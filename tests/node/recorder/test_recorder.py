"""What the recorder takes from the journals, whatever fails on the way."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.records import Content, Event, Fact
from angarium.core.reply import Reply
from angarium.events.fields import MAIL
from angarium.events.port import EventStoreError, ReceivedMail, Told, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.recorder.follow import JournalFollower
from angarium.node.recorder.recorder import JournalRecorder
from angarium.query.nodes import Everything
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.spool.port import JournalEntry
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import START, event, fact, reception

HEAD = b"Subject: Your roof\r\nFrom: Shop <shop@example.org>\r\nMessage-ID: <a1@shop.example.org>\r\n\r\ntext"


class ScriptedJournal:
    """A journal in memory. Fails where it is told to."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told
        self.kept = -1
        self.fails_at: set[int] = set()

    def entries(self, after: int = -1) -> Iterator[JournalEntry]:
        for place in range(after + 1, len(self.told)):
            if place in self.fails_at:
                self.fails_at.remove(place)
                raise OSError(5, "Input/output error")
            yield entry_of(place, self.told[place])

    def facts(self, after: int = -1) -> Iterator[tuple[int, Fact]]:
        return (
            (place, told) for place, told in enumerate(self.told) if place > after and isinstance(told, Fact)
        )

    def commit(self, name: str, place: int) -> None:
        self.kept = place


def entry_of(place: int, told: Told) -> JournalEntry:
    if isinstance(told, ReceivedMail):
        return JournalEntry(place, "accept", told.message, None, 0, head=HEAD)
    if isinstance(told, Event):
        return JournalEntry(place, "event", None, told, 0)
    return JournalEntry(place, "fact", None, None, 0, fact=told)


def told_of(count: int) -> list[Told]:
    """Receptions, and what happens to each."""
    told: list[Told] = []
    for number in range(count):
        mail = reception(number, START + number, to=(f"r{number}@example.com",))
        told += [mail, event(mail, "bounced", "bounced", reply=Reply(550, "5.1.1", "no such user"))]
        told.append(fact("open", mail, number))
    return told


def test_the_header_says_what_the_mail_is_called() -> None:
    follower = JournalFollower(ScriptedJournal(told_of(1)), -1)
    (taken, *_) = follower.read(10)
    assert isinstance(taken, ReceivedMail)
    assert taken.summary == ("Your roof", "Shop <shop@example.org>", "a1@shop.example.org")


def test_messages_that_share_a_content_are_called_what_it_says() -> None:
    mail = reception(1)
    shared = ReceivedMail(msgspec.structs.replace(mail.message, content=b"c" * 16), mail.summary)

    class WithContent(ScriptedJournal):
        def entries(self, after: int = -1) -> Iterator[JournalEntry]:
            content = Content(id=b"c" * 16, made_at=START, size=100)
            yield JournalEntry(0, "content", None, None, 0, content=content, head=HEAD)
            yield JournalEntry(1, "accept", shared.message, None, 0, head=b"its own data")

    (taken,) = JournalFollower(WithContent([]), -1).read(10)
    assert isinstance(taken, ReceivedMail)
    assert taken.summary.subject == "Your roof"


def test_the_journal_is_kept_until_what_it_said_is() -> None:
    journal = ScriptedJournal(told_of(2))
    follower = JournalFollower(journal, -1)
    assert len(follower.read(4)) == 4
    assert journal.kept == -1
    follower.keep()
    assert journal.kept == 3
    assert len(follower.read(10)) == 2
    assert follower.read(10) == []
    follower.again()
    assert len(follower.read(10)) == 2


class FailingStore(SqliteEventStore):
    """Fails at some of its calls, as on a disk that is full for a while."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__(folder)
        self._rng = rng

    def take(self, told: list[Told]) -> None:  # type: ignore[override]
        self._fail()
        super().take(told)
        self._fail()

    def sync(self) -> None:
        self._fail()
        super().sync()

    def _fail(self) -> None:
        if self._rng.random() < 0.3:
            raise EventStoreError("database or disk is full")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_nothing_is_missing_and_nothing_twice_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    told = told_of(10)
    journal = ScriptedJournal(told)
    journal.fails_at = set(rng.sample(range(len(told)), 5))
    store = FailingStore(tmp_path_factory.mktemp("events"), rng)
    clock = ManualClock(START + 1000)
    for _ in range(rng.randint(1, 3)):  # each a process that was killed
        recorder = JournalRecorder(Path("nowhere"), store, clock)
        recorder.follow(Path("p0"), journal, journal.kept)
        for _ in range(rng.randint(1, 30)):
            clock.at += rng.random()
            recorder.step()
    while recorder.step(is_last=True) or recorder.status.error:
        clock.at += 1
    assert journal.kept == len(told) - 1
    now = Now(clock.now())
    assert store.count(parse("status:bounced AND roof", MAIL, now), Whose(), most=100) == 10
    for mail in told:
        if isinstance(mail, ReceivedMail):
            timeline = store.timeline(mail.message.id, Whose())
            assert timeline is not None
            assert [each.type for each in timeline.happenings] == ["received", "bounced", "open"]
    assert store.count(Everything(), Whose(), most=100) == 10
    store.close()


def test_how_far_it_is_behind_is_told_and_a_quiet_system_is_not_behind(tmp_path: Path) -> None:
    clock = ManualClock(START + 1000)
    recorder = JournalRecorder(tmp_path, SqliteEventStore(tmp_path / "events"), clock)
    recorder.follow(Path("p0"), ScriptedJournal(told_of(1)[:2]), -1)
    assert recorder.step()
    assert recorder.status.lag_s == 999
    assert recorder.status.taken == 2
    assert not recorder.step()
    assert recorder.status.lag_s == 0


def test_how_far_it_is_behind_grows_while_the_store_does_not_answer(tmp_path: Path) -> None:
    clock = ManualClock(START + 1000)

    class Silent(SqliteEventStore):
        is_silent = False

        def take(self, told: Sequence[Told]) -> None:
            if self.is_silent:
                raise EventStoreError("the server is away")
            super().take(told)

    store = Silent(tmp_path / "events")
    recorder = JournalRecorder(tmp_path, store, clock)
    journal = ScriptedJournal([])
    recorder.follow(Path("p0"), journal, -1)
    assert not recorder.step()
    journal.told = told_of(1)
    store.is_silent = True
    for behind_s in (60, 120):
        clock.at += 60
        assert not recorder.step()
        assert (recorder.status.lag_s, recorder.status.error) == (behind_s, "the server is away")
    store.is_silent = False
    while recorder.step():
        pass
    assert (recorder.status.lag_s, recorder.status.taken, recorder.status.error) == (0, 3, "")


def test_one_that_is_killed_every_few_seconds_gets_on(tmp_path: Path) -> None:
    """What is not kept is read again: if that came each ten seconds only, it would never be through."""
    clock, store = ManualClock(START + 1000), SqliteEventStore(tmp_path / "events")
    journal = ScriptedJournal(told_of(3))
    recorder = JournalRecorder(tmp_path, store, clock)
    recorder.follow(Path("p0"), journal, journal.kept)
    for _ in range(3):
        recorder.step()
        clock.at += 1
    assert journal.kept == len(journal.told) - 1
    store.close()


def test_syncs_become_rare_where_it_lives_on(tmp_path: Path) -> None:
    """Each makes the journal's wait."""
    clock, synced = ManualClock(START + 1000), list[float]()

    class Watched(SqliteEventStore):
        def sync(self) -> None:
            synced.append(clock.at - START - 1000)
            super().sync()

    journal, store = ScriptedJournal([]), Watched(tmp_path / "events")
    recorder = JournalRecorder(tmp_path, store, clock)
    recorder.follow(Path("p0"), journal, -1)
    for told in told_of(14):
        journal.told.append(told)
        recorder.step()
        clock.at += 1
    assert synced == [1, 3, 7, 15, 25, 35]
    store.close()


def test_what_is_in_no_journal_is_stored_too_once_the_store_takes_it(tmp_path: Path) -> None:
    clock, store = ManualClock(START + 1000), FailingStore(tmp_path, random.Random(3))
    heard: list[int] = []
    recorder = JournalRecorder(Path("nowhere"), store, clock, lambda: heard.append(1))
    for number in range(5):
        recorder.note(Fact(kind="domain_lost", id=b"%016d" % number, at=START, account=7))
        for _ in range(9):
            recorder.step()
    log = store.log(Everything(), Whose(account=7), after=0, limit=100)
    assert [(each.type, each.account, each.message) for each in log] == [("domain_lost", 7, None)] * 5
    assert heard
    store.close()
