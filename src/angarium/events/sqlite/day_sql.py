"""What SQLite says in its own way: words by FTS5, and each word that it has seen."""

import re
from collections.abc import Sequence

from angarium.events.conditions import by_table, joined
from angarium.events.day_sql import Condition
from angarium.query.nodes import Phrase

_TABLES = {"to": "recipient_words", "from": "message_words", "subject": "message_words", "tag": "message_words",
           "reply": "reply_words"}  # fmt: skip
_SEEN = {"recipient_words": "recipient_seen", "message_words": "message_seen", "reply_words": "reply_seen"}
_WHERE = {
    "recipient_words": "r.no IN ({})",
    "message_words": "m.no IN ({})",
    "reply_words": "r.no IN (SELECT recipient FROM event WHERE no IN ({}))",
}


class SqliteDaySql:
    """Implements `DaySql`."""

    prefix = ""
    everything = "1"
    id_text = "lower(hex(m.id))"
    meta = "meta(m.metadata, ?)"
    """A function that is made for each connection."""
    tags = "(SELECT json_group_array(text) FROM tag JOIN word ON word.no = tag.word WHERE tag.message = m.no)"

    def glob(self, glob: str) -> tuple[str, str]:
        """See `DaySql.glob`. What is marked by a backslash here stands in brackets there."""
        return "GLOB", re.sub(r"\\(.)|\[", lambda found: _in_brackets(found[1] or "["), glob, flags=re.DOTALL)

    def phrase(self, fields: Sequence[str], phrase: Phrase) -> Condition:
        """See `DaySql.phrase`."""
        return joined(
            " OR ", (_phrase(table, columns, phrase) for table, columns in by_table(fields, _TABLES))
        )

    def seen(self, fields: Sequence[str], glob: str) -> Condition:
        """See `DaySql.seen`."""
        _, text = self.glob(glob)
        return joined(" OR ", (_seen(table, columns, text) for table, columns in by_table(fields, _TABLES)))


def _phrase(table: str, columns: Sequence[str], phrase: Phrase) -> Condition:
    asked = f'{{{" ".join(columns)}}} : "{" ".join(phrase.words)}"{" *" if phrase.is_open else ""}'
    return _WHERE[table].format(f"SELECT rowid FROM {table} WHERE {table} MATCH ?"), [asked]


def _seen(table: str, columns: Sequence[str], glob: str) -> Condition:
    marks = ",".join("?" * len(columns))
    found = f"SELECT doc FROM {_SEEN[table]} WHERE term GLOB ? AND col IN ({marks})"
    return _WHERE[table].format(found), [glob, *columns]


def _in_brackets(char: str) -> str:
    return f"[{char}]" if char in "*?[" else char
