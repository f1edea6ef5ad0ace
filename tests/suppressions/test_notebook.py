"""Notes of addresses: written once, with how far their reader has come; held ones decided in bulk."""

import pytest

from angarium.core.ids import MessageId
from angarium.identity.store.store import IdentityStore
from angarium.suppressions.notes import HeldBurst, NewNote, NoteFilter
from angarium.suppressions.records import EVERYTHING, CauseFilter
from angarium.suppressions.store.notebook import Notebook
from angarium.testing.clock import ManualClock

NOW = 1_795_262_400.0
HELD = NoteFilter(state="held")


@pytest.fixture
def notebook(store: IdentityStore) -> Notebook:
    return store.suppression_notes


def note(number: int, what: str = "", **said: object) -> NewNote:
    address = what or f"r{number}@example.com"
    fields: dict[str, object] = {
        "state": "held", "account": 1, "what": address, "scope": EVERYTHING, "reason": "hard_bounce",
        "at": NOW + number, "day": "2026-11-21", "message": MessageId(number.to_bytes(16, "big")),
        "sent_to": address, "event": number, "rule": "hard bounce", "why": "there is no such mailbox",
        "burst": "google", "reply": f"550 5.1.1 no {number}", "provider": "google", "bounce_class": 10,
    }  # fmt: skip
    return NewNote(**{**fields, **said})  # type: ignore[arg-type]


def test_a_note_is_written_once_with_the_place_of_its_reader(notebook: Notebook) -> None:
    assert notebook.place("node") == 0
    notebook.write([note(1), note(2), note(1)], "node", 7)
    notebook.write([note(2, why="told again"), note(3)], "node", 9)
    assert [each.what for each in notebook.page(HELD)] == [f"r{n}@example.com" for n in (1, 2, 3)]
    assert (notebook.place("node"), notebook.place("another")) == (9, 0)
    key = (1, note(1).message, "R1@example.com")
    assert notebook.known([key, (2, note(1).message, "r1@example.com")]) == {key}


def test_what_is_held_is_told_by_its_burst(notebook: Notebook) -> None:
    notebook.write([note(1), note(2), note(3, burst="yahoo"), note(4, state="noted")], "node", 1)
    assert notebook.held() == [
        HeldBurst("google", 2, NOW + 1, NOW + 2, "550 5.1.1 no 2"),
        HeldBurst("yahoo", 1, NOW + 3, NOW + 3, "550 5.1.1 no 3"),
    ]
    assert notebook.held(account=2) == []


def test_what_is_released_suppresses_as_if_it_had_not_been_held(
    store: IdentityStore, notebook: Notebook
) -> None:
    notebook.write([note(n) for n in range(1, 4)] + [note(4, burst="yahoo")], "node", 1)
    assert notebook.release(NoteFilter(burst="google"), actor="cli:test") == 3
    (cause,) = store.suppressions.page(CauseFilter(what="r2@example.com"))
    assert (cause.reason, cause.event, cause.reply, cause.provider) == (
        "hard_bounce",
        2,
        "550 5.1.1 no 2",
        "google",
    )
    assert cause.holds
    assert [each.what for each in notebook.page(HELD)] == ["r4@example.com"]
    assert notebook.release(NoteFilter(burst="google"), actor="cli:test") == 0
    released = notebook.page(NoteFilter(state="released"))
    assert {(each.changed_by, each.changed_at) for each in released} == {("cli:test", NOW)}


def test_what_is_discarded_suppresses_nobody_and_is_not_told_again(
    store: IdentityStore, notebook: Notebook
) -> None:
    notebook.write([note(1), note(2)], "node", 1)
    assert notebook.discard(NoteFilter(what="r1@example.com"), actor="cli:test") == 1
    assert store.suppressions.count(CauseFilter()) == 0
    notebook.write([note(1)], "node", 2)
    assert [each.what for each in notebook.page(HELD)] == ["r2@example.com"]


def test_old_notes_are_forgotten_but_not_what_waits_for_somebody(
    notebook: Notebook, clock: ManualClock
) -> None:
    notebook.write([note(1, state="noted"), note(2)], "node", 1)
    clock.at += 401 * 86_400.0
    assert notebook.sweep() == 1
    assert [each.what for each in notebook.page(NoteFilter())] == ["r2@example.com"]


def test_notes_go_with_their_account(store: IdentityStore, notebook: Notebook) -> None:
    notebook.write([note(1), note(2, account=2)], "node", 1)
    store.accounts.delete(1, actor="cli:test")
    assert [each.account for each in notebook.page(NoteFilter())] == [2]
