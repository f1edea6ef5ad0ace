"""What one word, phrase or range of a query means in its field."""

import re

from angarium.core.suggest import closest
from angarium.query.fields import FieldKind, QueryFields
from angarium.query.lexer import QueryToken, plain
from angarium.query.nodes import Between, Equal, Everything, Like, Node, Phrase, Present
from angarium.query.problem import QueryProblem
from angarium.query.values import TIME_FORMS, Now, read_number, read_size, read_time
from angarium.query.words import folded, words

_WILD = re.compile(r"(?<!\\)(?:\\\\)*[*?]")
_FORMS = {"number": "3", "size": "200, 10k, 1.5M", "time": TIME_FORMS}


class Leaves:
    """Reads the ends of the tree; *text* is the whole query, for what is wrong in it."""

    def __init__(self, text: str, catalogue: QueryFields, now: Now) -> None:
        self._text = text
        self._catalogue = catalogue
        self._now = now

    def said(self, field: str, token: QueryToken) -> Node:
        """Return what a word or a phrase asks for. Raises QueryProblem."""
        kind = self._kind(field)
        is_wild = token.kind == "term" and _WILD.search(token.text) is not None
        if is_wild and not token.text.strip("*"):
            return Present(field) if field else Everything()
        if kind == "text":
            return self._wild_words(field, token) if is_wild else self._words(field, token)
        if kind == "value":
            return Like(field, folded(token.text)) if is_wild else self._value(field, token)
        low, high = self._span(field, token)
        if kind == "time":  # what has no length is a while ago
            return Between(field, low, high if high > low else None)
        return Between(field, low, high, takes_high=True)

    def compared(self, field: str, operator: QueryToken, token: QueryToken) -> Node:
        """Return what `<`, `<=`, `>` or `>=` asks for. Raises QueryProblem."""
        low, high = self._span(field, token)
        is_point = low == high
        if operator.text == ">":
            return Between(field, high, None, leaves_low=is_point)
        if operator.text == ">=":
            return Between(field, low, None)
        if operator.text == "<":
            return Between(field, None, low)
        return Between(field, None, high, takes_high=is_point)

    def range(
        self, field: str, opening: QueryToken, ends: tuple[QueryToken, QueryToken], closing: QueryToken
    ) -> Node:
        """Return what a range asks for; square brackets take their end in, curly ones do not. Raises QueryProblem."""
        kind = self._kind(field)
        if kind == "text":
            raise self._problem(
                opening, "ranges are of dates, sizes, numbers and single values", "name a field for it"
            )
        takes_low, takes_high = opening.kind == "[", closing.kind == "]"
        if kind == "value":
            first, last = (None if end.text == "*" else folded(plain(end.text)) for end in ends)
            return Between(field, first, last, takes_high=takes_high, leaves_low=not takes_low)
        low = None if ends[0].text == "*" else self._span(field, ends[0])
        high = None if ends[1].text == "*" else self._span(field, ends[1])
        node = Between(
            field,
            None if low is None else low[0] if takes_low else low[1],
            None if high is None else high[1] if takes_high else high[0],
            takes_high=takes_high and high is not None and high[0] == high[1],
            leaves_low=not takes_low and low is not None and low[0] == low[1],
        )
        if _is_empty(node):
            raise self._problem(opening, "nothing is in this range: its first end comes after its last")
        return node

    def _kind(self, field: str) -> FieldKind:
        return self._catalogue.kind_of(field) if field else "text"

    def _problem(self, token: QueryToken, problem: str, hint: str = "") -> QueryProblem:
        return QueryProblem(self._text, token.offset, problem, hint)

    def _words(self, field: str, token: QueryToken) -> Node:
        found = words(plain(token.text))
        if not found:
            raise self._problem(token, "there is no letter and no digit in this", "write words to look for")
        return Phrase(field, tuple(found))

    def _wild_words(self, field: str, token: QueryToken) -> Node:
        """Return what a word with stars asks for: words that begin so, or one word that looks so."""
        begun = token.text.removesuffix("*")
        if begun != token.text and not _WILD.search(begun):
            found = words(plain(begun))
            if found and plain(begun)[-1].isalnum():
                return Phrase(field, tuple(found), is_open=True)
        glob = folded(token.text)
        if len(words(plain(glob.replace("*", "").replace("?", "")))) != 1:
            hint = "write the words apart, with AND"
            raise self._problem(token, "a star or a question mark is part of one word", hint)
        return Like(field, glob)

    def _value(self, field: str, token: QueryToken) -> Node:
        value = folded(plain(token.text))
        found = self._catalogue.find(field)
        known = found[1].values if found else ()
        if known and value not in known:
            like = closest(value, known)
            meant = f"did you mean {like}? " if like else ""
            raise self._problem(
                token, f"{field} is never {plain(token.text)!r}", f"{meant}it is {', '.join(known)}"
            )
        return Equal(field, value)

    def _span(self, field: str, token: QueryToken) -> tuple[float, float]:
        """Return the two ends of what *token* names, the same for what has no length."""
        kind, text = self._kind(field), plain(token.text)
        span: tuple[float, float] | None = None
        if kind == "time":
            span = read_time(text, self._now)
        elif (number := read_size(text) if kind == "size" else read_number(text)) is not None:
            span = number, number
        if span is None:
            raise self._problem(token, f"{text!r} is no {kind}", f"write {_FORMS[kind]}")
        return span


def _is_empty(node: Between) -> bool:
    if not isinstance(node.low, float) or not isinstance(node.high, float):
        return False
    takes_both = node.takes_high and not node.leaves_low
    return node.low > node.high or (node.low == node.high and not takes_both)
