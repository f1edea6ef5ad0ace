"""How the newest mail that a query asks for is found first, without looking at the rest.

The full-text index of recipients leads where all that is asked for stands in it: words of four fields, and marks. A
word that may stand in a reply instead is looked for there as well, and the two are merged. A message's own id leads by
itself. Without any of these, recipients are looked at one by one.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from angarium.events.conditions import Conditions, joined
from angarium.events.day_sql import Condition, Lead
from angarium.events.port import Whose
from angarium.events.rows import INDEX_BITS
from angarium.events.sqlite.day_sql import COLUMNS, IN_WORDS, SqliteDaySql, bounds_of, match_of
from angarium.events.sqlite.schema import REPLY_BITS
from angarium.query.nodes import And, Between, Equal, Everything, Like, Node, Not, Or, Phrase
from angarium.query.parser import all_of

_MESSAGE = f"CROSS JOIN message m ON m.no = r.no >> {INDEX_BITS}"
_BY_WORDS = f"words CROSS JOIN recipient r ON r.no = words.rowid {_MESSAGE}"
_BY_REPLIES = f"""(SELECT DISTINCT rowid >> {REPLY_BITS} AS no FROM reply_words WHERE reply_words MATCH ?) replied
  CROSS JOIN recipient r ON r.no = replied.no {_MESSAGE}"""
_BY_MESSAGE = f"""message m CROSS JOIN recipient r
  ON r.no BETWEEN m.no << {INDEX_BITS} AND (m.no << {INDEX_BITS}) + {(1 << INDEX_BITS) - 1}"""
_BY_ALL = f"recipient r {_MESSAGE}"

SIGNS = {"domain": "d", "stream": "s", "campaign": "c", "tag": "t", "server": "v", "account": "a"}
"""What is searched as a whole, by the letter of its marks."""
_MOST_WORDS = 200
"""So many words of a field are looked for by their marks; with more, all mail is looked through."""
_NEVER = 'mark : "none"'


class _Halves(NamedTuple):
    """What is true where one of two expressions of FTS5 is, in `words` or in `reply_words`; None: no such half."""

    words: str | None
    replies: str | None


class SqliteLeads:
    """Finds mail in one day's file, whose words have numbers of their own. Raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._sql = SqliteDaySql()
        self._conditions = Conditions(self._sql)

    def __call__(self, node: Node, scope: Whose) -> Sequence[Lead]:
        """Return how *node* is found: it is what one of the leads finds."""
        node = _within(node, scope)
        parts = node.parts if isinstance(node, And) else (node,)
        for part in parts:
            if isinstance(part, Equal) and part.field == "id" and part.value:
                return [self._by_id(part.value, [each for each in parts if each is not part])]
        halves = [(part, found) for part in parts if (found := self._halves(part)) is not None]
        for _, found in halves:
            if found.words is None:
                return [self._by_replies(found.replies or "", node)]
        return self._by_words(parts, dict(halves)) if halves else [Lead(_BY_ALL, [], self._condition([node]))]

    def _by_id(self, value: str, rest: list[Node]) -> Lead:
        named, (sql, values) = self._conditions.named(value), self._condition(rest)
        return Lead(_BY_MESSAGE, [], (f"{named[0]} AND ({sql})", [*named[1], *values]))

    def _by_replies(self, replies: str, node: Node) -> Lead:
        return Lead(_BY_REPLIES, [replies], self._condition([node]), "replied.no")

    def _by_words(self, parts: Sequence[Node], halves: dict[Node, _Halves]) -> list[Lead]:
        words = _all([found.words for found in halves.values() if found.words])
        rest: list[Node] = []
        for part in parts:
            if isinstance(part, Not) and (left_out := self._match(part.part)) is not None:
                words = f"({words}) NOT ({left_out})"
            elif part not in halves:
                rest.append(part)
        sql, values = self._condition(rest)
        first = Lead(_BY_WORDS, [], (f"words MATCH ? AND ({sql})", [words, *values]), "words.rowid")
        replies = [found.replies for found in halves.values() if found.replies]
        return [first, *(self._by_replies(reply, all_of(parts)) for reply in replies)]

    def _condition(self, parts: Sequence[Node]) -> Condition:
        """Return the condition that all *parts* are true, by the index where they stand in it."""
        return joined(" AND ", (self._condition_of(part) for part in parts)) if parts else ("1", [])

    def _condition_of(self, node: Node) -> Condition:
        match = self._match(node)
        if match is not None:
            return IN_WORDS, [match]
        match node:
            case And(parts) | Or(parts):
                return joined(" AND " if isinstance(node, And) else " OR ", map(self._condition_of, parts))
            case Not(part):
                sql, values = self._condition_of(part)
                return f"NOT ({sql})", values
        return self._conditions.of(node)

    def _halves(self, node: Node) -> _Halves | None:
        match = self._match(node)
        if match is not None:
            return _Halves(match, None)
        match node:
            case Phrase(""):
                return _Halves(match_of(COLUMNS, node), match_of(("reply",), node))
            case Phrase("reply"):
                return _Halves(None, match_of(("reply",), node))
            case Or(parts):
                found = [each for part in parts if (each := self._halves(part)) is not None]
                if len(found) == len(parts) and any(each.words for each in found):
                    return _Halves(
                        *(_any([half for half in each if half]) for each in zip(*found, strict=True))
                    )
        return None

    def _match(self, node: Node) -> str | None:
        """Return the expression of FTS5 that finds in `words` just what *node* asks for, None where there is none."""
        match node:
            case Phrase(field) if field in COLUMNS:
                return match_of((field,), node)
            case Equal(field, value) if field in SIGNS and value:
                return (
                    self._numbered(field, value)
                    if field in ("server", "account")
                    else self._marked(field, "folded = ?", [value])
                )
            case Like(field) if field in SIGNS and field not in ("server", "account"):
                operator, glob = self._sql.glob(node.glob)
                return self._marked(field, f"folded {operator} ? AND no > 1", [glob])
            case Between(field) if field in SIGNS and field not in ("server", "account"):
                sql, values = bounds_of("folded", node)
                return self._marked(field, f"{sql} AND no > 1", values)
            case Or(parts):
                found = [self._match(part) for part in parts]
                return None if None in found else _any([each for each in found if each])
            case And(parts):
                return self._match_all(parts)
        return None

    def _match_all(self, parts: Sequence[Node]) -> str | None:
        wanted = [self._match(part) for part in parts if not isinstance(part, Not)]
        left_out = [self._match(part.part) for part in parts if isinstance(part, Not)]
        if not wanted or None in chain(wanted, left_out):
            return None
        match = _all([each for each in wanted if each])
        for each in left_out:
            match = f"({match}) NOT ({each})"
        return match

    def _numbered(self, field: str, value: str) -> str | None:
        is_number = value.isascii() and value.isdigit() and 0 < int(value[:19]) < 1 << 62
        return f'mark : "{SIGNS[field]}{int(value)}"' if is_number else None

    def _marked(self, field: str, test: str, values: Sequence[object]) -> str | None:
        sql = f"SELECT no FROM word WHERE {test} LIMIT {_MOST_WORDS + 1}"
        numbers = [number for (number,) in self._db.execute(sql, values)]
        if len(numbers) > _MOST_WORDS:
            return None
        marks = " OR ".join(f"{SIGNS[field]}{number}" for number in numbers)
        return f"mark : ({marks})" if marks else _NEVER


def _within(node: Node, scope: Whose) -> Node:
    """Return *node* as it may be asked by whoever sees *scope*."""
    parts = [] if isinstance(node, Everything) else [*(node.parts if isinstance(node, And) else (node,))]
    if scope.account is not None:
        parts.append(Equal("account", str(scope.account)))
    if scope.servers is not None:
        servers = tuple(Equal("server", str(server)) for server in scope.servers)
        parts.append(Or(servers) if len(servers) > 1 else servers[0] if servers else Not(Everything()))
    return all_of(parts)


def _all(matches: list[str]) -> str:
    return matches[0] if len(matches) == 1 else " AND ".join(f"({each})" for each in matches)


def _any(matches: list[str]) -> str | None:
    return " OR ".join(f"({each})" for each in matches) or None
