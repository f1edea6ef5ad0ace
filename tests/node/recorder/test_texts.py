"""Texts that the recorder keeps, whatever fails on the way, and how they go again."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angarium.core.ids import MessageId
from angarium.core.log import Log
from angarium.core.options import Options
from angarium.core.records import Content, Fact, Message
from angarium.events.bodies.port import BodyStoreError, TextToKeep, body_of, kept_until
from angarium.events.bodies.store import BodyStore
from angarium.events.sqlite.store import SqliteEventStore
from angarium.node.recorder.recorder import JournalRecorder
from angarium.node.recorder.texts import TextKeeper
from angarium.spool.port import JournalEntry
from angarium.testing.clock import ManualClock
from angarium.testing.happenings import DAY_S, START, an_id, reception

KEPT = Options(keep_body_days=7)
LOG = Log(2)


class ScriptedTexts:
    """A journal of messages with texts, in memory and in files of their own. Fails where it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries_: list[JournalEntry] = []
        self.kept = -1
        self.fails_at: set[int] = set()
        self.let_go_of: list[bytes] = []

    def accept(self, message: Message, text: bytes, *, large: bool = False) -> None:
        body: memoryview | Path = memoryview(text)
        if large:
            body = self.folder / message.id.hex()
            body.write_bytes(text)
        self._add(JournalEntry(len(self.entries_), "accept", message, None, 0, head=text[:100], body=body))

    def share(self, content: bytes, text: bytes) -> None:
        said = Content(id=MessageId(content), made_at=START, size=len(text))
        entry = JournalEntry(
            len(self.entries_), "content", None, None, 0, content=said, body=memoryview(text)
        )
        self._add(entry)

    def _add(self, entry: JournalEntry) -> None:
        self.entries_.append(entry)

    def entries(self, after: int = -1) -> Iterator[JournalEntry]:
        for entry in self.entries_[after + 1 :]:
            if entry.position in self.fails_at:
                self.fails_at.remove(entry.position)
                raise OSError(5, "Input/output error")
            yield entry

    def facts(self, after: int = -1) -> Iterator[tuple[int, Fact]]:
        return iter(())

    def commit(self, name: str, place: int) -> None:
        self.kept = place

    def let_go(self, body: MessageId) -> None:
        (self.folder / body.hex()).unlink()
        self.let_go_of.append(body)

    def sweep(self, before: float) -> None:
        """Nothing is ever left."""


class FailingTexts(BodyStore):
    """Fails at some of its calls, as on a disk that is full for a while."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__(folder)
        self._rng = rng

    def take(self, texts: list[TextToKeep]) -> None:  # type: ignore[override]
        self._fail()
        super().take(texts)
        self._fail()

    def sync(self) -> None:
        self._fail()
        super().sync()

    def _fail(self) -> None:
        if self._rng.random() < 0.3:
            raise BodyStoreError("database or disk is full")


def a_message(number: int, options: Options = KEPT, content: bytes = b"") -> Message:
    return msgspec.structs.replace(reception(number).message, options=options, content=content)


def text_of(store: BodyStore, message: Message) -> bytes | None:
    kept = store.read(message.id)
    return None if kept is None else b"".join(kept.pieces)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_each_is_kept_once_and_none_is_missing_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("texts")
    journal = ScriptedTexts(folder)
    expected: dict[int, bytes | None] = {}
    for number in range(12):
        kind = rng.choice(["plain", "large", "shared", "not kept"])
        text = rng.randbytes(rng.choice([0, 50, 3000]))
        message = a_message(number)
        if kind == "shared":
            message = msgspec.structs.replace(message, content=an_id(1000 + number, START))
            journal.share(message.content, text)
            journal.accept(message, b"")
        elif kind == "not kept":
            journal.accept(msgspec.structs.replace(message, options=Options()), text)
        else:
            journal.accept(message, text, large=kind == "large")
        expected[number] = None if kind == "not kept" or not text else text
    clock = ManualClock(START + 100)
    events = SqliteEventStore(folder / "events")
    texts = FailingTexts(folder / "kept", rng)
    journal.fails_at = set(rng.sample(range(len(journal.entries_)), 4))

    def started() -> JournalRecorder:
        keeper = TextKeeper(texts, lambda: 0, clock, LOG)
        recorder = JournalRecorder(folder / "nowhere", events, clock, texts=keeper)
        recorder.follow(Path("p0"), journal, journal.kept)
        return recorder

    recorder = started()
    for _ in range(rng.randint(1, 40)):
        clock.at += rng.random() * 10
        recorder.step()
        if rng.random() < 0.2:  # it was killed
            recorder = started()
    while recorder.step(is_last=True) or recorder.status.error:
        clock.at += 1
    assert {number: text_of(texts, a_message(number)) for number in expected} == expected
    assert journal.kept == len(journal.entries_) - 1
    assert not [path for path in folder.iterdir() if len(path.name) == 32]
    events.close()
    texts.close()


def test_many_texts_are_taken_a_few_at_a_time(tmp_path: Path) -> None:
    journal = ScriptedTexts(tmp_path)
    for number in range(5):
        journal.accept(a_message(number), bytes(8 << 20))
    store = BodyStore(tmp_path / "kept")
    taken: list[int] = []

    class Counting(TextKeeper):
        def take(self, texts: list[TextToKeep]) -> None:  # type: ignore[override]
            taken.append(len(texts))

    clock = ManualClock(START)
    keeper = Counting(store, lambda: 0, clock, LOG)
    recorder = JournalRecorder(
        tmp_path / "nowhere", SqliteEventStore(tmp_path / "events"), clock, texts=keeper
    )
    recorder.follow(Path("p0"), journal, -1)
    while recorder.step():
        pass
    assert taken == [2, 2, 1]


def keep(store: BodyStore, number: int, days: int, size: int) -> Message:
    message = a_message(number, Options(keep_body_days=days))
    text = random.Random(number).randbytes(size)
    store.take([TextToKeep(message, body_of(message), kept_until(message), text)])
    return message


def test_texts_whose_days_are_over_go(tmp_path: Path) -> None:
    store, clock = BodyStore(tmp_path / "kept"), ManualClock(START)
    keeper = TextKeeper(store, lambda: 0, clock, LOG)
    short, long = keep(store, 1, 1, 100), keep(store, 2, 2, 100)
    clock.at = START + 1.2 * DAY_S
    keeper.look()
    assert text_of(store, short) is not None
    clock.at = START + 2.2 * DAY_S
    keeper.look()
    assert text_of(store, short) is None
    assert text_of(store, long) is not None
    assert keeper.size_bytes == sum(store.sizes().values())


def test_what_is_too_much_goes_before_its_time_and_the_last_day_is_not_added_to(tmp_path: Path) -> None:
    store, clock = BodyStore(tmp_path / "kept"), ManualClock(START)
    log = tmp_path / "log"
    keeper = TextKeeper(store, lambda: 200_000, clock, Log(os.open(log, os.O_CREAT | os.O_WRONLY)))
    first, last = keep(store, 1, 1, 150_000), keep(store, 2, 5, 150_000)
    keeper.look()
    assert text_of(store, first) is None
    assert text_of(store, last) is not None
    assert "texts_dropped" in log.read_text()
    keep(store, 3, 5, 150_000)
    clock.at += 61
    keeper.look()
    assert "texts_left_out" in log.read_text()
    message = a_message(4, Options(keep_body_days=5))
    keeper.take([TextToKeep(message, body_of(message), kept_until(message), b"no room")])
    assert (text_of(store, message), keeper.left_out) == (None, 1)
