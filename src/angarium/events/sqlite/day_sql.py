"""What SQLite says in its own way: words by FTS5, and each word that it has seen."""

import re
from collections.abc import Sequence
from typing import Any

from angarium.events.catalogue import KINDS
from angarium.events.conditions import joined
from angarium.events.day_sql import Condition
from angarium.events.rows import FIRST_FACT, LATE_SEQ
from angarium.events.sqlite.schema import REPLY_BITS
from angarium.events.sqlite.words import hash_of
from angarium.query.nodes import Between, Phrase

_LATE_BOUNCE = KINDS["late_bounce"].number
COLUMNS = ("to", "from", "subject", "tag")
"""Of `words`, those that have words."""
IN_WORDS = "r.no IN (SELECT rowid FROM words WHERE words MATCH ?)"
IN_REPLIES = f"r.no IN (SELECT rowid >> {REPLY_BITS} FROM reply_words WHERE reply_words MATCH ?)"


class SqliteDaySql:
    """Implements `DaySql`."""

    prefix = ""
    everything = "1"
    id_text = "lower(hex(m.id))"
    meta = "meta(m.metadata, ?)"
    """A function that is made for each connection."""
    tags = "(SELECT json_group_array(text) FROM tag JOIN word ON word.no = tag.word WHERE tag.message = m.no)"
    reply = f"""coalesce((SELECT reply FROM event WHERE recipient = r.no AND reply <> ''
      AND (seq < {FIRST_FACT} OR (r.seq = {LATE_SEQ} AND kind = {_LATE_BOUNCE})) ORDER BY seq DESC LIMIT 1), '')"""

    is_forgotten = "(SELECT application_id FROM pragma_application_id) > 0"

    def text(self, column: str) -> str:
        """See `DaySql.text`."""
        return f"iif(typeof({column}) = 'integer', (SELECT value FROM shared WHERE no = {column}), {column})"

    def message_id(self, text: str) -> Condition:
        """See `DaySql.message_id`."""
        return "m.named = ? AND lower(m.message_id) = ?", [hash_of(text.encode("utf-8", "replace")), text]

    def glob(self, glob: str) -> tuple[str, str]:
        """See `DaySql.glob`. What is marked by a backslash here stands in brackets there."""
        return "GLOB", re.sub(r"\\(.)|\[", lambda found: _in_brackets(found[1] or "["), glob, flags=re.DOTALL)

    def whole(self, number: str) -> str:
        """See `DaySql.whole`."""
        return f"CAST({number} AS INTEGER)"

    def unindexed(self, column: str) -> str:
        """See `DaySql.unindexed`."""
        return f"+{column}"

    def latency(self, seconds: str) -> str:
        """See `DaySql.latency`. A function that is made for each connection."""
        return f"latency({seconds})"

    def phrase(self, fields: Sequence[str], phrase: Phrase) -> Condition:
        """See `DaySql.phrase`."""
        return joined(" OR ", ((sql, [match_of(columns, phrase)]) for sql, columns in _by_table(fields)))

    def seen(self, fields: Sequence[str], glob: str) -> Condition:
        """See `DaySql.seen`. What stands before the first star bounds the search."""
        _, text = self.glob(glob)
        return joined(" OR ", (_seen(sql, columns, text) for sql, columns in _by_table(fields)))


def match_of(columns: Sequence[str], phrase: Phrase) -> str:
    """Return the expression of FTS5 that finds a phrase in *columns*."""
    return f'{{{" ".join(columns)}}} : "{" ".join(phrase.words)}"{" *" if phrase.is_open else ""}'


def bounds_of(column: str, node: Between) -> Condition:
    """Return the condition that a column is within the bounds of *node*."""
    parts: list[Condition] = []
    if node.low is not None:
        parts.append((f"{column} {'>' if node.leaves_low else '>='} ?", [node.low]))
    if node.high is not None:
        parts.append((f"{column} {'<=' if node.takes_high else '<'} ?", [node.high]))
    return " AND ".join(sql for sql, _ in parts) or "1", [value for _, values in parts for value in values]


def _by_table(fields: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Return what looks into the tables that *fields* are in, each with the columns."""
    words = [field for field in fields if field != "reply"]
    replies = [field for field in fields if field == "reply"]
    return [(sql, columns) for sql, columns in ((IN_WORDS, words), (IN_REPLIES, replies)) if columns]


def _seen(sql: str, columns: Sequence[str], glob: str) -> Condition:
    start = re.split(r"[*?\[]", glob, maxsplit=1)[0]
    bounds, values = (
        ("term >= ? AND term < ? AND ", [start, f"{start}\U0010ffff"]) if start else ("", list[Any]())
    )
    table, number = ("reply_words", f"doc >> {REPLY_BITS}") if sql == IN_REPLIES else ("words", "doc")
    marks = ",".join("?" * len(columns))
    found = f"SELECT {number} FROM {table}_seen WHERE {bounds}term GLOB ? AND col IN ({marks})"
    return f"r.no IN ({found})", [*values, glob, *columns]


def _in_brackets(char: str) -> str:
    return f"[{char}]" if char in "*?[" else char
