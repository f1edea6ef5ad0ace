"""What PostgreSQL says in its own way."""

import re
from collections.abc import Sequence
from typing import Any

from angarium.events.conditions import joined
from angarium.events.day_sql import Condition
from angarium.events.postgres.schema import schema_of
from angarium.events.postgres.vectors import REPLY, WEIGHTS, phrase_query
from angarium.events.rollups.histogram import MOST, PER_BUCKET, SMALLEST_S
from angarium.query.nodes import Phrase

_LITERAL = re.compile(r"[^\\*?]*")


class PostgresDaySql:
    """Implements `DaySql`, for one day."""

    everything = "TRUE"
    reply = "r.reply"
    id_text = "encode(m.id, 'hex')"
    meta = "coalesce(m.meta ->> ?, '')"

    def __init__(self, day: str) -> None:
        self.prefix = f"{schema_of(day)}."
        self.is_forgotten = f"(to_regclass('{self.prefix}forgotten') IS NOT NULL)"
        self.tags = (
            f"array_to_json(ARRAY(SELECT w.text FROM {self.prefix}tag t JOIN {self.prefix}word w ON w.no = t.word "
            "WHERE t.message = m.no ORDER BY w.no))::text"
        )

    def text(self, column: str) -> str:
        """See `DaySql.text`."""
        return column

    def message_id(self, text: str) -> Condition:
        """See `DaySql.message_id`."""
        return "m.message_id <> '' AND lower(m.message_id) = ?", [text]

    def glob(self, glob: str) -> tuple[str, str]:
        """See `DaySql.glob`."""
        return "LIKE", "".join(map(_liked, re.findall(r"\\.|[^\\]", glob, re.DOTALL)))

    def whole(self, number: str) -> str:
        """See `DaySql.whole`."""
        return f"CAST(floor({number}) AS bigint)"

    def unindexed(self, column: str) -> str:
        """See `DaySql.unindexed`."""
        return f"+{column}"

    def latency(self, seconds: str) -> str:
        """See `DaySql.latency`."""
        grown = f"floor(ln(({seconds}) / {SMALLEST_S}) / CAST({PER_BUCKET!r} AS double precision)) + 1"
        return f"CASE WHEN {seconds} <= {SMALLEST_S} THEN 0 ELSE CAST(least({MOST}, {grown}) AS integer) END"

    def phrase(self, fields: Sequence[str], phrase: Phrase) -> Condition:
        """See `DaySql.phrase`."""
        return "r.words @@ CAST(? AS tsquery)", [phrase_query(fields, phrase)]

    def seen(self, fields: Sequence[str], glob: str) -> Condition:
        """See `DaySql.seen`. Words that begin with something are looked up, all else is a scan."""
        weights = [WEIGHTS[field] for field in fields if field in WEIGHTS]
        parts = [self._seen("", glob, weights)] if weights else []
        if "reply" in fields:
            parts.append(self._seen(REPLY, glob, ["D"]))
        return joined(" OR ", parts)

    def _seen(self, mark: str, glob: str, weights: list[str]) -> Condition:
        beginning = mark + _LITERAL.match(glob)[0].replace("'", "''")  # type: ignore[index]
        _, like = self.glob(glob)
        sql = f"""EXISTS (SELECT 1 FROM unnest(r.words) w WHERE w.lexeme LIKE ? AND w.weights && CAST(? AS text[])
            AND starts_with(w.lexeme, '{REPLY}') = {"TRUE" if mark else "FALSE"})"""
        values: list[Any] = [mark + like, weights]
        if not beginning:
            return sql, values
        return f"r.words @@ CAST(? AS tsquery) AND {sql}", [f"'{beginning}':*", *values]


def _liked(piece: str) -> str:
    if piece in ("*", "?"):
        return "%" if piece == "*" else "_"
    char = piece[-1]
    return f"\\{char}" if char in "%_\\" else char
