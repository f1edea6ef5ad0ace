"""The ledger of suppressions: written, lifted, undone. Blocking; from an event loop call it in a thread.

What people do is in the audit log as well, and what the recorder undoes; what it writes is not: the ledger tells of it.
When a method returns, what it wrote has reached the disk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from angarium.sql.changes import ChangeLog
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, NotFound
from angarium.sql.rows import record_of
from angarium.suppressions.address import entry_of, what_of
from angarium.suppressions.records import EVERYTHING, Added, Cause, CauseFilter, NewCause, TakenBack, covers
from angarium.suppressions.store.choosing import conditions, is_of, standing_in
from angarium.suppressions.store.rows import Row, allowing, row_of
from angarium.suppressions.store.schema import causes, changes

BATCH: Final = 500
"""Rows that are changed in one transaction."""
MOST_PATTERNS: Final = 100
"""That stand at a time for one account, or for all: each is tried on each address."""
MOST_DOMAINS: Final = 10_000

_KEY = causes.c

Progress = Callable[[int], None]
"""Told how many are done."""


class Suppressions:
    """All causes. *log* is where the database's changes are told of, *now* the clock. Threads may share it."""

    def __init__(self, database: Database, log: ChangeLog, now: Callable[[], float]) -> None:
        self._database = database
        self._log = log
        self._now = now

    # -- written

    def add(self, new: Sequence[NewCause], *, actor: str) -> Added:
        """Write causes that somebody names, all of them or none; what stands already is not written again.

        Raises Invalid, Conflict where there are too many domains or patterns, and StoreError where there is no such
        account.
        """
        rows = [row_of(each, actor, self._now()) for each in new]
        with self._log.changing(actor) as change:
            with _raising(change.connection) as number:
                added = _written(change.connection, rows, number)
            for account, count in _counted(added.rows).items():
                change.note("suppress", _called(added.rows, account), account, after={"count": count})
        return added.result

    def record(self, new: Sequence[NewCause], *, actor: str = "recorder") -> Added:
        """Write causes that a program has read of, all of them or none; one that was written before, standing or not,
        is not written again. Raises as `add` does.
        """
        rows = [row_of(each, actor, self._now()) for each in new]
        with self._database.writing() as connection, _raising(connection) as number:
            return _written(connection, rows, number).result

    def take_back(self, those: Sequence[TakenBack]) -> int:
        """Undo the unsubscriptions that recipients have taken back, as of then, and return how many those were. What
        was put on the list by somebody else, or for another reason, stays. Raises Invalid.
        """
        with self._database.writing() as connection, _raising(connection) as number:
            return sum(_take_back(connection, each, number) for each in those)

    def allow(self, entries: Sequence[NewCause], *, actor: str) -> int:
        """Take things off their lists: each lifts what had happened to it up to its `at`, and what is told later of
        that time, in its scope; in that of everything, on all lists of the account. Returns how many no longer hold;
        where nothing held, nothing is written. What is there for *compliance* only an entry of that reason lifts.

        Raises Invalid.
        """
        rows = [allowing(each, actor, self._now()) for each in entries]
        with self._log.changing(actor) as change, _raising(change.connection) as number:
            lifted = [(row, _lift(change.connection, row, number)) for row in rows]
            written = [row for row, count in lifted if count]
            for account, count in _counted(written).items():
                change.note("allow", _called(written, account), account, after={"count": count})
        return sum(count for _, count in lifted)

    def undo(self, selection: CauseFilter, *, actor: str, progress: Progress = lambda done: None) -> int:
        """Make it as if the causes of *selection* had never been, and return how many those were: what another cause
        suppresses stays so, and what an entry had lifted holds again. In transactions of `BATCH`.

        Raises Invalid.
        """
        done, after = 0, 0
        while ids := self._undoable(selection, after):
            done += self._undo(ids, actor)
            after = ids[-1]
            progress(done)
        return done

    def _undoable(self, selection: CauseFilter, after: int) -> list[int]:
        chosen = (*conditions(selection), _KEY.undone_at.is_(None), _KEY.id > after)
        query = select(_KEY.id).where(*chosen).order_by(_KEY.id).limit(BATCH)
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def _undo(self, ids: Sequence[int], actor: str) -> int:
        with self._log.changing(actor) as change, _raising(change.connection) as number:
            connection = change.connection
            query = select(causes).where(_KEY.id.in_(ids), _KEY.undone_at.is_(None))
            found = [dict(row) for row in connection.execute(query).mappings()]
            undone = {"undone_at": change.at, "undone_by": actor[:200], "holds": False, "changed": number}
            those = [row["id"] for row in found]
            connection.execute(update(causes).where(_KEY.id.in_(those)).values(undone))
            for row in found:
                if row["effect"] == "allow":
                    _lift_anew(connection, row, number)
            for account, count in _counted(found).items():
                change.note("undo", _called(found, account), account, after={"count": count})
        return len(found)

    # -- read

    def page(
        self,
        selection: CauseFilter,
        after: int | None = None,
        limit: int = 100,
        *,
        newest_first: bool = False,
    ) -> list[Cause]:
        """Return causes by rising id, or by falling id with *newest_first*, those behind *after*. Raises Invalid."""
        query = select(causes).where(*conditions(selection)).limit(limit)
        query = query.order_by(_KEY.id.desc() if newest_first else _KEY.id)
        if after is not None:
            query = query.where(_KEY.id < after if newest_first else _KEY.id > after)
        with self._database.reading() as connection:
            return [record_of(row, Cause) for row in connection.execute(query).mappings()]

    def count(self, selection: CauseFilter, most: int | None = None) -> int:
        """Return how many causes there are, counting no further than *most*. Raises Invalid."""
        query = select(_KEY.id).where(*conditions(selection))
        if most is not None:
            query = query.limit(most)
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(query.subquery())) or 0

    def get(self, cause: int) -> Cause:
        """Return a cause. Raises NotFound."""
        found = self.page(CauseFilter(ids=(cause,)))
        if not found:
            raise NotFound(f"suppression {cause}")
        return found[0]

    def standing(self, text: str, account: int) -> list[Cause]:
        """Return what suppresses *text*, in the form that is compared, for mail of *account*, the oldest first."""
        with self._database.reading() as connection:
            return standing_in(connection, text, account, self._now())


class _Written(NamedTuple):
    rows: list[Row]
    result: Added


@contextmanager
def _raising(connection: Connection) -> Iterator[int]:
    """Raise the number of changes; other changes wait from here on."""
    raised = update(changes).values(number=changes.c.number + 1).returning(changes.c.number)
    yield int(connection.scalar(raised) or 0)


def _written(connection: Connection, rows: list[Row], number: int) -> _Written:
    """Write those of *rows* that are new, lifted where an entry stands that lifts them."""
    written: list[Row] = []
    for batch in _batches(rows):
        new = _new_ones(connection, batch)
        _check_room(connection, new)
        lifting = _lifting(connection, new)
        for row in new:
            row["changed"] = number
            row["lifted_by"] = _lifted_by(row, lifting)
            row["holds"] = row["lifted_by"] is None
        if new:
            made = connection.execute(insert(causes).returning(_KEY.id, sort_by_parameter_order=True), new)
            for row, id in zip(new, made.scalars(), strict=True):
                row["id"] = id
        written += new
    return _Written(written, Added(tuple(row["id"] for row in written), len(rows) - len(written)))


def _take_back(connection: Connection, taken: TakenBack, number: int) -> int:
    text = what_of(taken.what).text
    chosen = (
        *(*is_of(text), _KEY.holds, _KEY.account == taken.account, _KEY.scope == taken.scope),
        *(_KEY.reason == "unsubscribe", _KEY.origin == "recorder", _KEY.at <= taken.at),
    )
    undone = {"undone_at": taken.at, "undone_by": "recipient", "holds": False, "changed": number}
    return connection.execute(update(causes).where(*chosen).values(undone)).rowcount


def _told(connection: Connection, rows: Sequence[Row]) -> set[bytes]:
    """Return which of *rows* were told before of the same message. An unsubscription that was undone before a row says
    it again is forgotten: whoever says so twice means it.
    """
    at = {row["once"]: row["at"] for row in rows if row["once"] is not None}
    if not at:
        return set()
    query = select(_KEY.once, _KEY.reason, _KEY.undone_at).where(_KEY.once.in_(list(at)))
    found = connection.execute(query).all()
    again = {
        once
        for once, reason, undone_at in found
        if reason == "unsubscribe" and undone_at is not None and undone_at < at[once]
    }
    if again:
        connection.execute(update(causes).where(_KEY.once.in_(again)).values(once=None))
    return {once for once, *_ in found} - again


def _new_ones(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Return *rows* without what is known: told before of the same message, or standing without a message."""
    told = _told(connection, rows)
    plain = [row["entry"] for row in rows if row["once"] is None]
    query = select(_KEY.account, _KEY.scope, _KEY.what, _KEY.reason, _KEY.expires_at)
    held = {tuple(row) for row in connection.execute(query.where(_KEY.entry.in_(plain), _KEY.holds))}
    new = []
    for row in rows:
        key = (row["account"], row["scope"], row["what"], row["reason"], row["expires_at"])
        if row["once"] in told or (row["once"] is None and key in held):
            continue
        new.append(row)
        if row["once"] is None:
            held.add(key)
        else:
            told.add(row["once"])
    return new


def _check_room(connection: Connection, rows: Iterable[Row]) -> None:
    """Raises Conflict where there would be more domains or patterns than are looked at quickly."""
    for kind, most, called in (("pattern", MOST_PATTERNS, "patterns"), ("domain", MOST_DOMAINS, "domains")):
        for account, more in _counted(row for row in rows if row["kind"] == kind).items():
            whose = _KEY.account.is_(None) if account is None else _KEY.account == account
            query = select(func.count()).select_from(causes).where(_KEY.kind == kind, whose, _KEY.holds)
            if (connection.scalar(query) or 0) + more > most:
                raise Conflict(f"there may be {most} {called} at most; undo one, or name addresses")


def _lifting(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Return the entries that may lift *rows*."""
    found = {row["entry"] for row in rows} | {
        entry_of(row["account"], EVERYTHING, row["what"]) for row in rows
    }
    query = select(causes).where(_KEY.entry.in_(found), _KEY.effect == "allow", _KEY.undone_at.is_(None))
    return [dict(row) for row in connection.execute(query).mappings()]


def _lifted_by(row: Row, lifting: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the entry that lifts *row*: what happened before somebody allowed it."""
    return next((entry["id"] for entry in lifting if _lifts(entry, row)), None)


def _lifts(entry: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    is_same = entry["account"] == row["account"] and entry["what"] == row["what"]
    if row["reason"] == "compliance" and entry["reason"] != "compliance":
        return False  # what the operator put on the list, the operator takes off
    return is_same and covers(entry["scope"], row["scope"]) and row["at"] <= entry["at"]


def _lift(connection: Connection, entry: Row, number: int) -> int:
    """Write *entry* if it lifts anything, and return how much."""
    held = [row for row in _held(connection, entry) if _lifts(entry, row)]
    if not held:
        return 0
    entry["changed"] = number
    entry["id"] = connection.scalar(insert(causes).values(entry).returning(_KEY.id))
    lifted = {"lifted_by": entry["id"], "holds": False, "changed": number}
    for batch in _batches([row["id"] for row in held]):
        connection.execute(update(causes).where(_KEY.id.in_(batch)).values(lifted))
    return len(held)


def _held(connection: Connection, entry: Row) -> list[Mapping[str, Any]]:
    query = select(causes).where(*is_of(entry["what"]), _KEY.holds)
    return [dict(row) for row in connection.execute(query).mappings()]


def _lift_anew(connection: Connection, entry: Row, number: int) -> None:
    """Have what *entry*, which was undone, had lifted hold again, unless another entry lifts it."""
    query = select(causes).where(*is_of(entry["what"]), _KEY.lifted_by == entry["id"])
    rows = [dict(row) for row in connection.execute(query).mappings()]
    lifting = _lifting(connection, rows)
    for row in rows:
        by = _lifted_by(row, lifting)
        holds = by is None and row["undone_at"] is None
        values = {"lifted_by": by, "holds": holds, "changed": number}
        connection.execute(update(causes).where(_KEY.id == row["id"]).values(values))


def _counted(rows: Iterable[Mapping[str, Any]]) -> dict[int | None, int]:
    counts: dict[int | None, int] = {}
    for row in rows:
        counts[row["account"]] = counts.get(row["account"], 0) + 1
    return counts


def _called(rows: Sequence[Mapping[str, Any]], account: int | None) -> str:
    """Return what the audit log says was suppressed: the thing, or how many."""
    mine = [row for row in rows if row["account"] == account]
    return f"suppression {mine[0]['what']}"[:200] if len(mine) == 1 else f"{len(mine)} suppressions"


def _batches(items: Sequence[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch
