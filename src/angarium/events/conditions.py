"""From what a query means to SQL over one day's tables: conditions on a recipient `r` and its message `m`."""

from collections.abc import Iterable
from typing import Any

from angarium.core.ids import parse_id
from angarium.events.catalogue import STATES
from angarium.events.day_sql import Condition, DaySql
from angarium.events.fields import MAIL
from angarium.events.port import Whose
from angarium.query.nodes import And, Between, Equal, Everything, Like, Node, Not, Or, Phrase, Present

_NUMBERS = {"size": "m.size", "attempts": "r.attempts", "date": "m.at"}
_WORDS = {"stream": "m.stream", "campaign": "m.campaign", "listener": "m.listener", "domain": "r.home",
          "binding": "r.binding", "reason": "r.reason"}  # fmt: skip
_TEXTS = {"to": "r.address", "from": "m.author", "subject": "m.subject", "reply": ""}


class Conditions:
    """Writes conditions as *sql* wants them."""

    def __init__(self, sql: DaySql) -> None:
        self._sql = sql
        self._word = f"SELECT no FROM {sql.prefix}word WHERE"
        self._tried = f"SELECT recipient FROM {sql.prefix}event WHERE provider <> 1"
        self._tag = f"EXISTS (SELECT 1 FROM {sql.prefix}tag WHERE message = m.no"

    def of(self, node: Node) -> Condition:
        """Return the condition that *node*, read with `fields.MAIL`, stands for."""
        match node:
            case Everything():
                return self._sql.everything, []
            case Not(part):
                sql, values = self.of(part)
                return f"NOT ({sql})", values
            case And(parts):
                return joined(" AND ", map(self.of, parts))
            case Or(parts):
                return joined(" OR ", map(self.of, parts))
            case Phrase(field):
                return self._sql.phrase((field,) if field else MAIL.bare, node)
            case Like():
                return self._like(node)
            case Equal(field, value):
                return self._equal(field, value)
            case Present(field):
                return self._present(field)
            case Between():
                return self._between(node)

    def scoped(self, node: Node, scope: Whose) -> Condition:
        """Return the condition that *node* stands for, of mail in *scope*."""
        return scoped(self.of(node), scope)

    def named(self, value: str) -> Condition:
        """Return the condition that a message has an id of ours, or a Message-ID."""
        try:
            return "m.id = ?", [bytes(parse_id(value))]
        except ValueError:
            # folded by the query; the left part of a Message-ID may have capitals
            return self._sql.message_id(value.strip("<>"))

    def _like(self, node: Like) -> Condition:
        if not node.field or node.field in _TEXTS:
            return self._sql.seen((node.field,) if node.field else MAIL.bare, node.glob)
        operator, glob = self._sql.glob(node.glob)
        return self._word_field(node.field, f"folded {operator} ?", glob)

    def _word_field(self, field: str, test: str, value: str) -> Condition:
        """Return the condition that the word in a field passes a test of its folded form."""
        if field == "tag":
            return f"{self._tag} AND word IN ({self._word} {test}))", [value]
        if field in _WORDS:
            return f"{_WORDS[field]} IN ({self._word} {test})", [value]
        if field == "provider":
            return f"r.no IN ({self._tried} AND provider IN ({self._word} {test}))", [value]
        if field.startswith("meta."):
            return test.replace("folded", self._sql.meta), [field.removeprefix("meta."), value]
        columns = {"id": self._sql.id_text, "server": "CAST(m.server AS TEXT)",
                   "account": "CAST(m.account AS TEXT)"}  # fmt: skip
        return test.replace("folded", columns[field]), [value]

    def _equal(self, field: str, value: str) -> Condition:
        if field == "status":
            number = STATES.index(value)  # both are said, so that the index of states that are not 1 is used
            return f"r.state = {number}{' AND r.state <> 1' if number != 1 else ''}", []
        if field == "id":
            return self.named(value)
        if field in ("server", "account"):
            return f"m.{field} = ?", [int(value) if value.isascii() and value.isdigit() else -1]
        if not value:
            sql, values = self._present(field)
            return f"NOT ({sql})", values
        return self._word_field(field, "folded = ?", value)

    def _present(self, field: str) -> Condition:
        if field == "tag":
            return f"{self._tag})", []
        if field == "provider":
            return f"r.no IN ({self._tried})", []
        if field in _WORDS:
            return f"{_WORDS[field]} <> 1", []
        if field in _TEXTS:
            return f"{_TEXTS[field] or self._sql.reply} <> ''", []
        if field.startswith("meta."):
            return f"{self._sql.meta} <> ''", [field.removeprefix("meta.")]
        return self._sql.everything, []  # all else has a value always

    def _between(self, node: Between) -> Condition:
        if node.field in _NUMBERS:
            return self._bounds(_NUMBERS[node.field], node)
        sql, values = self._bounds("folded", node)
        parts = [
            self._word_field(node.field, part, value)
            for part, value in zip(sql.split(" AND "), values, strict=True)
        ]
        if node.field.startswith("meta."):  # where there is no value, none is below the bound
            parts.append(self._present(node.field))
        return joined(" AND ", parts)

    def _bounds(self, column: str, node: Between) -> Condition:
        parts: list[str] = []
        values: list[Any] = []
        if node.low is not None:
            parts.append(f"{column} {'>' if node.leaves_low else '>='} ?")
            values.append(node.low)
        if node.high is not None:
            parts.append(f"{column} {'<=' if node.takes_high else '<'} ?")
            values.append(node.high)
        return " AND ".join(parts) or self._sql.everything, values


def joined(operator: str, parts: Iterable[Condition]) -> Condition:
    """Return several conditions as one."""
    each = list(parts)
    if len(each) == 1:
        return each[0]
    return operator.join(f"({sql})" for sql, _ in each), [value for _, values in each for value in values]


def scoped(wanted: Condition, scope: Whose) -> Condition:
    """Return the condition *wanted* of mail in *scope*."""
    sql, values = wanted
    parts, values = [f"({sql})"], list(values)
    if scope.account is not None:
        parts.append("m.account = ?")
        values.append(scope.account)
    if scope.servers is not None:
        parts.append(f"m.server IN ({','.join('?' * len(scope.servers)) or 'NULL'})")
        values += scope.servers
    return " AND ".join(parts), values
