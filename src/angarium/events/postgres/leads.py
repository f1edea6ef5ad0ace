"""How recipients are found in PostgreSQL, the newest first: by words where words are asked for.

Left to itself the planner takes a word of which it knows nothing for a common one, and looks through all of the day for
one that is nowhere. So the newest are looked through, where a common word fills a page at once, and then its index is
asked, behind a fence (`OFFSET 0`) that no order and no limit goes through.
"""

from collections.abc import Sequence

from angarium.events.conditions import Conditions, joined
from angarium.events.day_sql import Lead
from angarium.events.port import Whose
from angarium.events.postgres.day_sql import PostgresDaySql
from angarium.events.rows import INDEX_BITS
from angarium.query.nodes import And, Node, Or, Phrase

_NEWEST = 3_000


class PostgresLeads:
    """Implements `reading.Leads` for a day."""

    def __init__(self, sql: PostgresDaySql) -> None:
        self._recipients = f"{sql.prefix}recipient"
        self._messages = f"JOIN {sql.prefix}message m ON m.no = r.no >> {INDEX_BITS}"
        self._conditions = Conditions(sql)

    def __call__(self, node: Node, scope: Whose) -> Sequence[Lead]:
        """See `reading.Leads`."""
        where = self._conditions.scoped(node, scope)
        worded = [
            self._conditions.of(part)
            for part in (node.parts if isinstance(node, And) else (node,))
            if _is_worded(part)
        ]
        if not worded:
            return [Lead(f"{self._recipients} r {self._messages}", [], where)]
        newest = f"(SELECT * FROM {self._recipients} r ORDER BY r.no DESC LIMIT {_NEWEST}) r {self._messages}"
        words, values = joined(" AND ", worded)
        fenced = f"(SELECT * FROM {self._recipients} r WHERE {words} OFFSET 0) r {self._messages}"
        return [Lead(newest, [], where, is_newest=True), Lead(fenced, values, where)]


def _is_worded(node: Node) -> bool:
    """Whether one index of words answers it."""
    return isinstance(node, Phrase) or (isinstance(node, And | Or) and all(map(_is_worded, node.parts)))
