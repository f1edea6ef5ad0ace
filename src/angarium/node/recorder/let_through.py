"""Hard bounces that have suppressed lately. When there are enough of one provider to be a burst, those that were let
through before belong to it as well.
"""

from collections.abc import Iterable
from typing import Final

from angarium.events.days import day_at
from angarium.feedback.burst import key_of
from angarium.feedback.consequences import GONE
from angarium.feedback.reasons import REASONS
from angarium.suppressions.notes import NewNote
from angarium.suppressions.records import Cause

_MOST: Final = 10_000


class LetThrough:
    """By what the guard counts them under (`burst.key_of`), the last `_MOST`. Told twice, each is there once."""

    def __init__(self) -> None:
        self._notes: dict[tuple[int, bytes, str], NewNote] = {}

    def add(self, note: NewNote) -> None:
        """Remember what has suppressed, as the note that it would be if it were held."""
        self._notes[_name(note)] = note
        while len(self._notes) > _MOST:
            del self._notes[next(iter(self._notes))]

    def of(self, key: str, since: float) -> list[NewNote]:
        """Return those under *key* that happened from *since* on."""
        return [note for note in self._notes.values() if note.burst == key and note.at >= since]

    def remove(self, notes: Iterable[NewNote]) -> None:
        """Forget some, which are held now."""
        for note in notes:
            self._notes.pop(_name(note), None)

    def forget(self, before: float) -> None:
        """Forget what is too old to belong to a burst."""
        for name in [name for name, note in self._notes.items() if note.at < before]:
            del self._notes[name]


def note_of(cause: Cause) -> NewNote:
    """Return a cause that the recorder has written as the note that it would be if it were held."""
    assert cause.account is not None
    assert cause.message is not None
    assert cause.event is not None
    is_gone = cause.bounce_class == REASONS[GONE].number
    rule, _, why = cause.note.partition(": ")
    return NewNote(
        state="held",
        account=cause.account,
        what=cause.what,
        scope=cause.scope,
        reason=cause.reason,
        at=cause.at,
        day=day_at(cause.at),
        message=cause.message,
        sent_to=cause.sent_to,
        event=cause.event,
        rule=rule,
        why=why,
        failure=GONE if is_gone else "",
        bounce_class=cause.bounce_class or 0,
        reply=cause.reply,
        provider=cause.provider,
        burst=key_of(cause.provider, cause.what.rpartition("@")[2], GONE if is_gone else ""),
    )


def _name(note: NewNote) -> tuple[int, bytes, str]:
    return note.account, note.message, note.sent_to
