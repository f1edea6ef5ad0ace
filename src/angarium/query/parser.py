"""From a query's text to what it means.

The syntax is that of Lucene's classic query parser, 3.0 (https://lucene.apache.org/core/3_0_3/queryparsersyntax.html),
in which bare words are joined by OR. Where Lucene only ranks what it finds, here something is found or not, so:

- `a AND b OR c` is `(a AND b) OR c`: AND binds closer than OR, and a space is an OR.
- With `+` in a row of words, those without a sign are not asked for: they would change the order only.
- `-a` and `NOT a` in a row take away from what the others find; alone, or beside an OR, they are all but `a`.
- A star or a question mark may come first. That is slow where much is stored, and works.
- Fuzzy search, proximity and boosts are refused with what to write instead.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from angarium.query.fields import QueryFields
from angarium.query.leaves import Leaves
from angarium.query.lexer import ESCAPES, QueryToken, TokenKind, plain, split_range, tokenize
from angarium.query.nodes import And, Everything, Node, Not, Or
from angarium.query.problem import QueryProblem
from angarium.query.values import Now

LONGEST: Final = 4_096
MOST_CLAUSES: Final = 256
DEEPEST: Final = 32

_STARTS: Final = frozenset(("term", "phrase", "(", "[", "{", "+", "-", "not"))
_SIGNS: Final = frozenset(("+", "-", "not"))


def parse(text: str, catalogue: QueryFields, now: Now) -> Node:
    """Return what *text* means; an empty one means everything. Raises QueryProblem, which knows the place."""
    if len(text) > LONGEST:
        raise QueryProblem(text, LONGEST, f"a query has at most {LONGEST} characters", "ask for less at once")
    return _Parser(text, catalogue, now).query()


class _Clause(NamedTuple):
    """*sign*: whether it has to be, must not be, or may be true. *is_either*: an OR stands before or after it."""

    sign: Literal["+", "-", ""]
    node: Node
    is_either: bool


class _Parser:
    def __init__(self, text: str, catalogue: QueryFields, now: Now) -> None:
        self._text = text
        self._catalogue = catalogue
        self._leaves = Leaves(text, catalogue, now)
        self._tokens = tokenize(text)
        self._at = 0
        self._clauses = 0
        self._depth = 0

    def query(self) -> Node:
        if self._takes("end"):
            return Everything()
        node = self._row("")
        if not self._takes("end"):
            raise self._problem("this bracket was never opened", "write \\) for the bracket itself")
        return node

    @property
    def _next(self) -> QueryToken:
        return self._tokens[self._at]

    def _take(self) -> QueryToken:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _takes(self, kind: TokenKind) -> bool:
        if self._next.kind != kind:
            return False
        self._at += 1
        return True

    def _problem(self, problem: str, hint: str = "", token: QueryToken | None = None) -> QueryProblem:
        return QueryProblem(self._text, (token or self._next).offset, problem, hint)

    def _row(self, field: str) -> Node:
        """Read clauses side by side, until something that cannot begin one."""
        clauses: list[_Clause] = []
        is_either = False
        while self._next.kind in _STARTS or (not clauses and self._next.kind not in ("end", ")")):
            sign, node = self._conjunction(field)
            was_either, is_either = is_either, self._takes("or")
            clauses.append(_Clause(sign, node, was_either or is_either))
            if is_either and self._next.kind not in _STARTS:
                raise self._problem(
                    "nothing follows this OR", 'write "OR" for the word', self._tokens[self._at - 1]
                )
        if not clauses:
            raise self._problem("there is nothing in these brackets", "write \\( and \\) for the brackets")
        if self._next.kind not in ("end", ")"):
            raise self._misplaced()
        return _joined(clauses)

    def _conjunction(self, field: str) -> tuple[Literal["+", "-", ""], Node]:
        sign, node = self._signed(field)
        if self._next.kind != "and":
            return sign, node
        parts = [Not(node) if sign == "-" else node]
        while self._next.kind == "and":
            operator = self._take()
            if self._next.kind not in _STARTS:
                raise self._problem("nothing follows this AND", 'write "AND" for the word', operator)
            sign, node = self._signed(field)
            parts.append(Not(node) if sign == "-" else node)
        return "", all_of(parts)

    def _signed(self, field: str) -> tuple[Literal["+", "-", ""], Node]:
        first = self._next
        signs = []
        while self._next.kind in _SIGNS:
            signs.append(self._take().kind)
        if signs and self._next.kind not in _STARTS:
            raise self._problem(
                f"nothing follows this {plain(self._text[first.offset : first.end])}", ESCAPES, first
            )
        node = self._primary(field)
        if sum(kind != "+" for kind in signs) % 2:
            return "-", node
        return ("+" if signs else ""), node

    def _primary(self, field: str) -> Node:
        self._count()
        token = self._take()
        if token.kind == "(":
            return self._group(field, token)
        if token.kind in ("[", "{"):
            return self._range(field, token)
        if token.kind == "term" and self._next.kind == ":":
            return self._within(field, token)
        if token.kind in ("term", "phrase"):
            node = self._leaves.said(field, token)
            return self._without_suffix(node)
        self._at -= 1
        raise self._misplaced()

    def _count(self) -> None:
        self._clauses += 1
        if self._clauses > MOST_CLAUSES:
            raise self._problem(f"a query has at most {MOST_CLAUSES} parts", "ask for less at once")

    def _group(self, field: str, opening: QueryToken) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._problem(f"brackets go at most {DEEPEST} deep", "ask for less at once", opening)
        node = self._row(field)
        if not self._takes(")"):
            raise self._problem("this bracket is never closed", "write \\( for the bracket itself", opening)
        self._depth -= 1
        return self._without_suffix(node)

    def _range(self, field: str, opening: QueryToken) -> Node:
        inside, closing = self._take(), self._take()
        ends = split_range(inside)
        if ends is None:
            raise self._problem("a range is two ends with TO between them", "write [low TO high]", inside)
        return self._without_suffix(self._leaves.range(field, opening, ends, closing))

    def _within(self, outer: str, name: QueryToken) -> Node:
        """Read what follows the name of a field and a colon."""
        self._take()
        if name.text == "*" and self._next.text == "*":
            self._take()
            return Everything()
        if outer:
            raise self._problem(f"this is looked for in {outer} already", 'write "…" round a colon', name)
        field = self._field(name)
        if self._next.kind == "compare":
            return self._compared(field)
        if self._next.kind not in ("term", "phrase", "(", "[", "{"):
            raise self._problem(
                f"nothing to look for in {field}", f"write {field}:word, or -{field}:word for mail without it"
            )
        return self._primary(field)

    def _field(self, name: QueryToken) -> str:
        written = plain(name.text)
        found = self._catalogue.find(written)
        if found is not None:
            return found[0]
        like = self._catalogue.like(written)
        meant = f"did you mean {like}? " if like else ""
        known = ", ".join(f"{field}…" if field.endswith(".") else field for field in self._catalogue.fields)
        hint = f'{meant}fields are {known}; write "…" round a text with a colon in it'
        raise self._problem(f"there is no field {written!r}", hint, name)

    def _compared(self, field: str) -> Node:
        operator, token = self._take(), self._take()
        if self._catalogue.kind_of(field) in ("text", "value"):  # a Message-ID in its brackets
            end = token.end if token.kind == "term" else operator.end
            self._at -= token.kind != "term"
            raw = self._text[operator.offset : end]
            return self._leaves.said(field, QueryToken("term", raw, operator.offset, end))
        if token.kind not in ("term", "phrase"):
            raise self._problem(
                f"nothing follows this {operator.text}", f"write {field}:{operator.text}…", operator
            )
        return self._leaves.compared(field, operator, token)

    def _without_suffix(self, node: Node) -> Node:
        """Refuse what Lucene does to the order of what it finds, or to how nearly a word has to fit."""
        if self._next.kind == "^":
            raise self._problem(
                "boosts change only the order in which things are shown, which is always the same here",
                "leave out ^ and its number",
            )
        if self._next.kind == "~":
            raise self._problem(
                "words that are merely like another, or near it, are not looked for",
                "leave out ~; write a beginning with a star, or several words with AND",
            )
        return node

    def _misplaced(self) -> QueryProblem:
        token = self._next
        if token.kind == ":":
            return self._problem("a colon follows the name of a field", "write \\: for the colon itself")
        if token.kind in ("and", "or"):
            word = self._text[token.offset : token.end]
            return self._problem(f"{word} stands between two things", f'write "{word.lower()}" for the word')
        if token.kind == "end":
            return self._problem("something is missing at the end")
        return self._problem(f"{self._text[token.offset : token.end]!r} cannot stand here", ESCAPES)


def _joined(clauses: Sequence[_Clause]) -> Node:
    """Return what clauses side by side mean together."""
    required, prohibited, optional = [], [], []
    for sign, node, is_either in clauses:
        if sign == "-" and not is_either:
            prohibited.append(Not(node))
        elif sign == "+":
            required.append(node)
        else:
            optional.append(Not(node) if sign == "-" else node)
    positive = required or ([any_of(optional)] if optional else [])
    return all_of([*positive, *prohibited])


def all_of(parts: Sequence[Node]) -> Node:
    """Return what is true where all *parts* are; of none, everything."""
    return _flat(And, parts) if parts else Everything()


def any_of(parts: Sequence[Node]) -> Node:
    """Return what is true where one of one or more *parts* is."""
    return _flat(Or, parts)


def _flat(made: Callable[[tuple[Node, ...]], Node], parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else made(tuple(parts))
