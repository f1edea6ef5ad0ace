"""Whether one thing is what a query asks for, without a store: for what passes by."""

from collections.abc import Callable, Iterable

from angarium.query.fields import QueryFields
from angarium.query.nodes import And, Between, Equal, Everything, Like, Node, Not, Or, Phrase, Present
from angarium.query.words import folded, pattern_of, words

Values = Callable[[str], Iterable[str | float]]
"""Gives what a thing has in a field, by its full name: texts, or numbers; nothing where it has none."""
WordsOf = Callable[[str], list[str]]
"""Gives the words of a text, as `words` does: for who has them ready."""


def matches(node: Node, values: Values, catalogue: QueryFields, words_of: WordsOf = words) -> bool:
    """Whether the thing with *values* is what the query that was read with *catalogue* asks for."""
    match node:
        case Everything():
            return True
        case Not(part):
            return not matches(part, values, catalogue, words_of)
        case And(parts):
            return all(matches(part, values, catalogue, words_of) for part in parts)
        case Or(parts):
            return any(matches(part, values, catalogue, words_of) for part in parts)
        case Phrase() | Like():
            fields = (node.field,) if node.field else catalogue.bare
            return any(
                _finds(node, field, value, catalogue, words_of) for field in fields for value in values(field)
            )
        case Equal(field, value):
            there = [folded(str(each)) for each in values(field)]
            return value in there if value else not any(there)
        case Present(field):
            return any(each != "" for each in values(field))
        case Between():
            return any(_is_between(node, value) for value in values(node.field))


def _finds(
    node: Phrase | Like, field: str, value: str | float, catalogue: QueryFields, words_of: WordsOf
) -> bool:
    text = str(value)
    if isinstance(node, Phrase):
        return _has_phrase(words_of(text), node)
    pattern = pattern_of(node.glob)
    pieces = words_of(text) if catalogue.kind_of(field) == "text" else [folded(text)]
    return any(pattern.fullmatch(piece) is not None for piece in pieces)


def _has_phrase(there: list[str], phrase: Phrase) -> bool:
    *whole, last = phrase.words
    size = len(phrase.words)
    if size == 1 and not phrase.is_open:
        return last in there
    return any(
        there[start : start + size - 1] == whole
        and (there[start + size - 1].startswith(last) if phrase.is_open else there[start + size - 1] == last)
        for start in range(len(there) - size + 1)
    )


def _is_between(node: Between, value: str | float) -> bool:
    if isinstance(node.low, str) or isinstance(node.high, str):
        value = folded(str(value))
    low, high = node.low, node.high
    if low is not None and (value < low or (node.leaves_low and value == low)):  # type: ignore[operator]
        return False
    return high is None or value < high or (node.takes_high and value == high)  # type: ignore[operator]
