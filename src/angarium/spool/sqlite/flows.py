"""The flows of the settled store: their numbers, and what each holds. Within the store's thread."""

import sqlite3

from angarium.core.records import Flow, FlowSummary
from angarium.spool.port import Selection
from angarium.spool.store import Changes


class StoredFlows:
    """The table of flows, with its names in memory."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.is_current = False
        """Whether the names in memory are those of the table. Until they are, nothing may be written by them."""
        self._db = db
        self._numbers: dict[Flow, int] = {}
        self._names: dict[int, Flow] = {}
        self.load()

    def load(self) -> None:
        """Read the names; again when a transaction was undone. Raises sqlite3.Error; then those in memory stay."""
        rows = self._db.execute("SELECT no, binding, domain, lane, source FROM flow").fetchall()
        self._numbers, self._names = {}, {}
        for no, *names in rows:
            self._intern(Flow(*names), no)
        self.is_current = True

    def _intern(self, flow: Flow, no: int) -> int:
        self._numbers[flow] = no
        self._names[no] = flow
        return no

    def number(self, flow: Flow) -> int:
        """Return the number of *flow*, made when it has none, within a transaction."""
        no = self._numbers.get(flow)
        if no is None:
            sql = "INSERT INTO flow (binding, domain, lane, source) VALUES (?, ?, ?, ?)"
            no = self._intern(flow, self._db.execute(sql, flow).lastrowid or 0)
        return no

    def known_number(self, flow: Flow) -> int | None:
        """Return the number of *flow* if it has one."""
        return self._numbers.get(flow)

    def name(self, no: int) -> Flow:
        """Return the flow with a number."""
        return self._names[no]

    def matching(self, selection: Selection) -> list[int]:
        """Return the numbers of the flows of a selection's domain and binding."""
        return [no for flow, no in self._numbers.items() if selection.covers(flow.binding, flow.domain)]

    def count(self, selection: Selection) -> int:
        """Return how many rows match a selection that names no message, without the leased ones."""
        columns = {None: "queued + held", "queued": "queued", "held": "held"}[selection.state]
        numbers = dict(self._db.execute(f"SELECT no, {columns} FROM flow"))
        return sum(numbers[no] for no in self.matching(selection))

    def take_changes(self) -> Changes:
        """Return the summaries of flows that have changed since the last call, within a transaction."""
        changed = self._db.execute("SELECT no, queued, held FROM flow WHERE changed = 1").fetchall()
        self._db.execute("UPDATE flow SET changed = 0 WHERE changed = 1")
        summaries = [self._summary(*row) for row in changed]
        self._drop([no for no, queued, held in changed if not queued and not held])
        return summaries

    def _drop(self, empty: list[int]) -> None:
        """Forget flows without rows, leased ones included, so that domains long gone take no memory."""
        for no in empty:
            sql = (
                "DELETE FROM flow WHERE no = ?1 AND NOT EXISTS "
                "(SELECT 1 FROM recipient INDEXED BY by_lease WHERE flow = ?1 AND leased = 1)"
            )
            if self._db.execute(sql, (no,)).rowcount:
                del self._numbers[self._names.pop(no)]

    def summaries(self) -> Changes:
        """Return the summary of every flow that is not empty."""
        rows = self._db.execute("SELECT no, queued, held FROM flow WHERE queued > 0 OR held > 0").fetchall()
        return [self._summary(*row) for row in rows]

    def _summary(self, no: int, queued: int, held: int) -> tuple[Flow, FlowSummary]:
        due = "SELECT min(due) FROM recipient INDEXED BY by_due WHERE flow = ? AND leased = 0 AND held = 0"
        oldest = (
            "SELECT received FROM recipient INDEXED BY by_flow "
            "WHERE flow = ? AND leased = 0 ORDER BY message LIMIT 1"
        )
        next_due = self._db.execute(due, (no,)).fetchone()[0] if queued else None
        first = self._db.execute(oldest, (no,)).fetchone() if queued or held else None
        return self._names[no], FlowSummary(queued, held, next_due, first[0] if first else None)
