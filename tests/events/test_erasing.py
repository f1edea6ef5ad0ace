"""What was asked to be erased is erased, however often whoever does it is stopped."""

from pathlib import Path

import pytest

from angarium.events.erasing import Erasure, ErasureFolder, work
from angarium.events.port import EventStoreError, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.nodes import Everything
from angarium.testing.happenings import DAY_S, START, reception


class StoppedStore(SqliteEventStore):
    """Ends in the middle, each second time."""

    calls = 0

    def erase(self, day: str, address: str) -> int:
        self.calls += 1
        if self.calls % 2:
            raise EventStoreError("stopped")
        return super().erase(day, address)


def addresses(store: SqliteEventStore) -> list[str]:
    return [mail.address for mail in store.search(Everything(), Whose(), limit=100).found]


@pytest.fixture
def store(tmp_path: Path) -> StoppedStore:
    store = StoppedStore(tmp_path / "events")
    for day in range(4):
        store.take([reception(day, START + day * DAY_S, to=("bob@example.com", f"ann{day}@example.com"))])
    return store


def test_a_request_is_done_a_day_at_a_time_and_goes_on_where_it_was(
    store: StoppedStore, tmp_path: Path
) -> None:
    requests = ErasureFolder(tmp_path / "erasures")
    name = requests.ask("bob@example.com", START)
    told = [each for _ in range(9) for _, each in work(ErasureFolder(tmp_path / "erasures"), store, START)]
    assert [bool(each.problem) for each in told] == [True, False] * 4 + [False]
    assert requests.read(name) == Erasure(
        "", START, done=sorted(store.sizes(), reverse=True), days=4, found=4, has_ended=True
    )
    assert sorted(addresses(store)) == ["", "", "", "", *(f"ann{day}@example.com" for day in range(4))]
    store.close()


def test_an_answer_that_nobody_fetches_is_forgotten(store: StoppedStore, tmp_path: Path) -> None:
    requests = ErasureFolder(tmp_path / "erasures")
    name = requests.ask("x@example.com", START)
    requests.write(name, Erasure("", START, has_ended=True))
    assert list(work(requests, store, START + 3_600)) == []
    assert requests.names() == [name]
    assert list(work(requests, store, START + 3_601)) == []
    assert requests.names() == []
    store.close()
