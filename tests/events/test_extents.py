"""How far the log goes: known without asking every day, and the same for whoever reads while something is stored."""

import os
import time

import pytest

from angarium.events.port import Extent, Told, Whose
from angarium.events.reading import DayReader
from angarium.events.sqlite.extents import DayExtents
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.nodes import Everything
from angarium.testing.happenings import DAY_S, START, event, reception


def test_a_day_that_is_not_written_to_is_asked_once(tmp_path):
    asked: list[str] = []
    extents = DayExtents(lambda day: tmp_path / day, lambda day: asked.append(day) or Extent(1, len(asked)))
    file = tmp_path / "old"
    file.write_bytes(b"x")
    long_ago = time.time() - 1000
    os.utime(file, (long_ago, long_ago))
    assert [extents.of("old") for _ in range(3)] == [(1, 1)] * 3
    (tmp_path / "old-wal").write_bytes(b"y")
    os.utime(tmp_path / "old-wal", (long_ago + 1, long_ago + 1))
    assert [extents.of("old") for _ in range(3)] == [(1, 2)] * 3


def test_what_was_just_written_is_asked_each_time(tmp_path):
    asked: list[str] = []
    extents = DayExtents(lambda day: tmp_path / day, lambda day: asked.append(day) or Extent(1, len(asked)))
    (tmp_path / "new").write_bytes(b"x")
    assert [extents.of("new") for _ in range(2)] == [(1, 1), (1, 2)]


def test_who_reads_while_something_is_stored_misses_nothing(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something is stored in both days when the newer one has been looked at and the older one has not."""
    store = SqliteEventStore(tmp_path)
    old, new = reception(1, START), reception(2, START + DAY_S)
    store.take([old, new])
    coming: list[Told] = [event(new, "delivered", "delivered"), event(old, "delivered", "delivered")]
    look = DayReader.numbers

    def looking(self: DayReader, *args: object, **more: object) -> object:
        found = look(self, *args, **more)  # type: ignore[arg-type]
        store.take([coming.pop(0), coming.pop()] if coming else [])
        return found

    monkeypatch.setattr(DayReader, "numbers", looking)
    numbers: list[int] = []
    for _ in range(3):
        after = numbers[-1] if numbers else 0
        numbers += [each.number for each in store.log(Everything(), Whose(), after=after, limit=100)]
    assert numbers == sorted(numbers)
    assert len(numbers) == 4
