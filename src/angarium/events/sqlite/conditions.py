"""From what a query means to SQL over one day's file: conditions on a recipient `r` and its message `m`."""

import re
from collections.abc import Iterable
from typing import Any

from angarium.core.ids import parse_id
from angarium.events.catalogue import STATES
from angarium.events.fields import MAIL
from angarium.query.nodes import And, Between, Equal, Everything, Like, Node, Not, Or, Phrase, Present

Condition = tuple[str, list[Any]]
"""SQL, and what its question marks stand for."""

_TABLES = {"to": "recipient_words", "from": "message_words", "subject": "message_words", "tag": "message_words",
           "reply": "reply_words"}  # fmt: skip
_SEEN = {"recipient_words": "recipient_seen", "message_words": "message_seen", "reply_words": "reply_seen"}
_WHERE = {
    "recipient_words": "r.no IN ({})",
    "message_words": "m.no IN ({})",
    "reply_words": "r.no IN (SELECT recipient FROM event WHERE no IN ({}))",
}
_NUMBERS = {"size": "m.size", "attempts": "r.attempts", "date": "m.at"}
_WORDS = {"stream": "m.stream", "campaign": "m.campaign", "listener": "m.listener", "domain": "r.domain",
          "binding": "r.binding", "reason": "r.reason"}  # fmt: skip
_TEXTS = {"to": "r.address", "from": "m.author", "subject": "m.subject", "reply": "r.reply"}


def condition(node: Node) -> Condition:
    """Return the condition that *node*, read with `fields.MAIL`, stands for."""
    match node:
        case Everything():
            return "1", []
        case Not(part):
            sql, values = condition(part)
            return f"NOT ({sql})", values
        case And(parts):
            return _joined(" AND ", map(condition, parts))
        case Or(parts):
            return _joined(" OR ", map(condition, parts))
        case Phrase(field):
            fields = (field,) if field else MAIL.bare
            return _joined(" OR ", (_phrase(table, columns, node) for table, columns in _by_table(fields)))
        case Like(field):
            return _like(node)
        case Equal(field, value):
            return _equal(field, value)
        case Present(field):
            return _present(field)
        case Between():
            return _between(node)


def _joined(operator: str, parts: Iterable[Condition]) -> Condition:
    each = list(parts)
    if len(each) == 1:
        return each[0]
    return operator.join(f"({sql})" for sql, _ in each), [value for _, values in each for value in values]


def _by_table(fields: Iterable[str]) -> list[tuple[str, list[str]]]:
    tables: dict[str, list[str]] = {}
    for field in fields:
        tables.setdefault(_TABLES[field], []).append(field)
    return list(tables.items())


def _phrase(table: str, columns: list[str], phrase: Phrase) -> Condition:
    asked = f'{{{" ".join(columns)}}} : "{" ".join(phrase.words)}"{" *" if phrase.is_open else ""}'
    return _WHERE[table].format(f"SELECT rowid FROM {table} WHERE {table} MATCH ?"), [asked]


def _like(node: Like) -> Condition:
    glob = _sqlite_glob(node.glob)
    if not node.field or node.field in _TEXTS:
        fields = (node.field,) if node.field else MAIL.bare
        return _joined(" OR ", (_seen(table, columns, glob) for table, columns in _by_table(fields)))
    return _word_field(node.field, "folded GLOB ?", glob)


def _seen(table: str, columns: list[str], glob: str) -> Condition:
    marks = ",".join("?" * len(columns))
    found = f"SELECT doc FROM {_SEEN[table]} WHERE term GLOB ? AND col IN ({marks})"
    return _WHERE[table].format(found), [glob, *columns]


def _sqlite_glob(glob: str) -> str:
    """Return *glob* as SQLite writes one: what is marked by a backslash here stands in brackets there."""
    return re.sub(r"\\(.)|\[", lambda found: _in_brackets(found[1] or "["), glob, flags=re.DOTALL)


def _in_brackets(char: str) -> str:
    return f"[{char}]" if char in "*?[" else char


def _word_field(field: str, test: str, value: str) -> Condition:
    """Return the condition that the word in a field passes a test of its folded form."""
    if field == "tag":
        return f"m.no IN (SELECT message FROM tag WHERE word IN (SELECT no FROM word WHERE {test}))", [value]
    if field in _WORDS:
        return f"{_WORDS[field]} IN (SELECT no FROM word WHERE {test})", [value]
    if field.startswith("meta."):
        return f"{test.replace('folded', 'meta(m.metadata, ?)')}", [field.removeprefix("meta."), value]
    columns = {"id": "lower(hex(m.id))", "server": "m.server", "account": "m.account"}
    return test.replace("folded", columns[field]), [value]


def _equal(field: str, value: str) -> Condition:
    if field == "status":
        return "r.state = ?", [STATES.index(value)]
    if field == "id":
        return _named(value)
    if field in ("server", "account"):
        return f"m.{field} = ?", [int(value) if value.isascii() and value.isdigit() else -1]
    if not value:
        sql, values = _present(field)
        return f"NOT ({sql})", values
    return _word_field(field, "folded = ?", value)


def _named(value: str) -> Condition:
    """Return the condition that a message has an id of ours, or a Message-ID."""
    try:
        return "m.id = ?", [bytes(parse_id(value))]
    except ValueError:
        # folded by the query; the left part of a Message-ID may have capitals
        return "m.message_id <> '' AND lower(m.message_id) = ?", [value.strip("<>")]


def _present(field: str) -> Condition:
    if field == "tag":
        return "m.no IN (SELECT message FROM tag)", []
    if field in _WORDS:
        return f"{_WORDS[field]} <> 1", []
    if field in _TEXTS:
        return f"{_TEXTS[field]} <> ''", []
    if field.startswith("meta."):
        return "meta(m.metadata, ?) <> ''", [field.removeprefix("meta.")]
    return "1", []  # all else has a value always


def _between(node: Between) -> Condition:
    if node.field in _NUMBERS:
        return _bounds(_NUMBERS[node.field], node)
    sql, values = _bounds("folded", node)
    parts = [
        _word_field(node.field, part, value) for part, value in zip(sql.split(" AND "), values, strict=True)
    ]
    return _joined(" AND ", parts)


def _bounds(column: str, node: Between) -> Condition:
    parts: list[str] = []
    values: list[Any] = []
    if node.low is not None:
        parts.append(f"{column} {'>' if node.leaves_low else '>='} ?")
        values.append(node.low)
    if node.high is not None:
        parts.append(f"{column} {'<=' if node.takes_high else '<'} ?")
        values.append(node.high)
    return " AND ".join(parts) or "1", values
