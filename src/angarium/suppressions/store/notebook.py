"""Notes of addresses, and how far their reader has come: both in one transaction. Blocking."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from angarium.sql.changes import ChangeLog
from angarium.sql.database import Database
from angarium.sql.rows import record_of
from angarium.suppressions.notes import HeldBurst, NewNote, Note, NoteFilter
from angarium.suppressions.store.ledger import Suppressions
from angarium.suppressions.store.schema import notes, reading

BATCH: Final = 500
_KEPT_S: Final = 400 * 86_400.0
"""What was noted, or decided, so long ago is forgotten."""
_LONGEST = 1_000
_KEY = notes.c

Progress = Callable[[int], None]
"""Told how many are done."""


class Notebook:
    """All notes. Threads may share it. Raises StoreError throughout."""

    def __init__(
        self, database: Database, log: ChangeLog, causes: Suppressions, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._log = log
        self._causes = causes
        self._now = now

    def place(self, reader: str) -> int:
        """Return how far *reader* has come: what it gave to `write` last, 0 at its beginning."""
        with self._database.reading() as connection:
            return int(connection.scalar(select(reading.c.number).where(reading.c.reader == reader)) or 0)

    def write(self, new: Sequence[NewNote], reader: str, place: int) -> None:
        """Write notes, those that were not written before, and that *reader* has come to *place*."""
        with self._database.writing() as connection:
            _insert(connection, [_row_of(each, self._now()) for each in new])
            moved = update(reading).where(reading.c.reader == reader).values(number=place)
            if not connection.execute(moved).rowcount:
                connection.execute(insert(reading).values(reader=reader, number=place))

    def known(self, new: Sequence[tuple[int, bytes, str]]) -> set[tuple[int, bytes, str]]:
        """Return for which of these accounts, messages and addresses that were sent to a note was written before."""
        found: set[tuple[int, bytes, str]] = set()
        with self._database.reading() as connection:
            for some in _batches({_once(*each): each for each in new}.items()):
                asked = dict(some)
                query = select(_KEY.once).where(_KEY.once.in_(asked))
                found |= {asked[once] for once in connection.scalars(query)}
        return found

    def of(self, account: int, what: str, limit: int = 1_000) -> list[Note]:
        """Return the latest notes of an address, as it is compared, the oldest first."""
        query = select(notes).where(_KEY.account == account, _KEY.what == what).order_by(_KEY.at.desc())
        with self._database.reading() as connection:
            rows = connection.execute(query.limit(limit)).mappings()
            return [record_of(row, Note) for row in rows][::-1]

    def page(self, selection: NoteFilter, after: int | None = None, limit: int = 100) -> list[Note]:
        """Return notes by rising id, those behind *after*."""
        query = select(notes).where(*_conditions(selection)).order_by(_KEY.id).limit(limit)
        if after is not None:
            query = query.where(_KEY.id > after)
        with self._database.reading() as connection:
            return [record_of(row, Note) for row in connection.execute(query).mappings()]

    def held(self, account: int | None = None) -> list[HeldBurst]:
        """Return what is held, by its key, the most first; None: of all accounts."""
        where = _conditions(NoteFilter(state="held", account=account))
        columns = (_KEY.burst, func.count(), func.min(_KEY.at), func.max(_KEY.at), func.max(_KEY.reply))
        query = select(*columns).where(*where).group_by(_KEY.burst)
        with self._database.reading() as connection:
            found = [HeldBurst(*row) for row in connection.execute(query)]
        return sorted(found, key=lambda each: (-each.count, each.burst))

    def count(self, selection: NoteFilter) -> int:
        """Return how many notes there are."""
        with self._database.reading() as connection:
            query = select(func.count()).select_from(notes).where(*_conditions(selection))
            return connection.scalar(query) or 0

    def release(self, selection: NoteFilter, *, actor: str, progress: Progress = lambda done: None) -> int:
        """Have what is held of *selection* suppress, and return how many those were. In transactions of `BATCH`: the
        causes first, which are written once however often that is tried.
        """
        done = 0
        while held := self._some_held(selection):
            self._causes.record([note.cause() for note in held], actor=actor)
            done += self._decide(held, "released", actor)
            progress(done)
        return done

    def discard(self, selection: NoteFilter, *, actor: str, progress: Progress = lambda done: None) -> int:
        """Forget what is held of *selection*, and return how many those were. In transactions of `BATCH`."""
        done = 0
        while held := self._some_held(selection):
            done += self._decide(held, "discarded", actor)
            progress(done)
        return done

    def sweep(self) -> int:
        """Forget what is very old and not held, and return how many notes those were."""
        old = (_KEY.made_at < self._now() - _KEPT_S, _KEY.state != "held")
        with self._database.writing() as connection:
            return connection.execute(delete(notes).where(*old)).rowcount

    def _some_held(self, selection: NoteFilter) -> list[Note]:
        where = _conditions(selection)
        query = select(notes).where(*where, _KEY.state == "held").order_by(_KEY.id).limit(BATCH)
        with self._database.reading() as connection:
            return [record_of(row, Note) for row in connection.execute(query).mappings()]

    def _decide(self, held: Sequence[Note], state: str, actor: str) -> int:
        with self._log.changing(actor) as change:
            where = (_KEY.id.in_([note.id for note in held]), _KEY.state == "held")
            values = {"state": state, "changed_at": change.at, "changed_by": actor[:200]}
            changed = change.connection.execute(update(notes).where(*where).values(values)).rowcount
            for account in dict.fromkeys(note.account for note in held):
                count = sum(note.account == account for note in held)
                change.note(state, f"{count} held suppressions", account, after={"burst": held[0].burst})
        return changed


def _row_of(new: NewNote, now: float) -> dict[str, Any]:
    row = {name: getattr(new, name) for name in new.__struct_fields__}
    once = _once(new.account, new.message, new.sent_to)
    return {
        **row,
        "reply": " ".join(new.reply.split())[:_LONGEST],
        "made_at": now,
        "changed_at": None,
        "changed_by": "",
        "once": once,
    }


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    by_once: dict[bytes, dict[str, Any]] = {}
    for row in rows:
        by_once.setdefault(row["once"], row)
    for batch in _batches(by_once.items()):
        known = set(connection.scalars(select(_KEY.once).where(_KEY.once.in_([once for once, _ in batch]))))
        new = [row for once, row in batch if once not in known]
        if new:
            connection.execute(insert(notes), new)


def _once(account: int, message: bytes, sent_to: str) -> bytes:
    """Return what is the same however often it is told that a message to an address has failed."""
    return blake2b(f"{account}\0{sent_to.lower()}\0".encode() + bytes(message), digest_size=16).digest()


def _conditions(selection: NoteFilter) -> list[ColumnElement[bool]]:
    same = {name: getattr(selection, name) for name in ("state", "account", "what", "burst", "message")}
    found: list[ColumnElement[bool]] = [
        _KEY[name] == value for name, value in same.items() if value is not None
    ]
    if selection.ids is not None:
        found.append(_KEY.id.in_(selection.ids))
    if selection.since is not None:
        found.append(_KEY.at >= selection.since)
    if selection.until is not None:
        found.append(_KEY.at < selection.until)
    return found


def _batches(items: Iterable[Any]) -> list[list[Any]]:
    listed = list(items)
    return [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
