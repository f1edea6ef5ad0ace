"""The thread that acts upon what is recorded: woken by what comes, told from when nothing can be written."""

import threading
from pathlib import Path

import pytest

from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.node.recorder.acting import Acting
from angarium.sql.errors import StoreError
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of


class ScriptedWriter:
    """Does as much as it is told, and says when."""

    def __init__(self) -> None:
        self.todo = 0
        self.silent = False
        self.stepped = threading.Semaphore(0)
        self.done = 0

    def step(self) -> bool:
        self.stepped.release()
        if self.silent:
            raise StoreError("the identity store does not answer")
        if not self.todo:
            return False
        self.todo -= 1
        self.done += 1
        return True


@pytest.fixture
def store(tmp_path: Path) -> IdentityStore:
    database = open_database(f"sqlite:///{tmp_path}/identity/identity.db")
    database.migrate()
    return IdentityStore(database, KeyRing.load_or_create(tmp_path / "keys"), lambda: 0.0)


def test_all_that_was_recorded_is_acted_upon_before_the_end(store: IdentityStore) -> None:
    writer = ScriptedWriter()
    acting = Acting(writer, store.suppression_notes, ManualClock(0.0), kept_log())  # type: ignore[arg-type]
    writer.todo = 3
    acting.start()
    acting.finish()
    assert (writer.done, acting.problem) == (3, "")


def test_what_comes_wakes_it(store: IdentityStore) -> None:
    writer = ScriptedWriter()
    acting = Acting(writer, store.suppression_notes, ManualClock(0.0), kept_log())  # type: ignore[arg-type]
    acting.start()
    assert writer.stepped.acquire(timeout=10)
    writer.todo = 1
    acting.wake()
    assert writer.stepped.acquire(timeout=10)
    acting.finish()
    assert writer.done == 1


def test_a_store_that_is_silent_is_told_and_holds_up_no_end(store: IdentityStore) -> None:
    writer, log = ScriptedWriter(), kept_log()
    writer.silent = True
    acting = Acting(writer, store.suppression_notes, ManualClock(0.0), log)  # type: ignore[arg-type]
    acting.start()
    assert writer.stepped.acquire(timeout=10)
    acting.finish()
    assert acting.problem == "the identity store does not answer"
    (told,) = records_of(log)
    assert told["error"] == "nothing is suppressed: the identity store does not answer"
