"""Words as PostgreSQL searches them: a `tsvector` that is made of words which are cut already, and never by it.

A weight stands for the field: the sender has A, the subject B, tags C, the recipient D. Replies have D too, and a mark
before each word. Between two texts a place is left free, so that no phrase goes from one into the next.
"""

from collections.abc import Iterable, Sequence

from angarium.query.nodes import Phrase
from angarium.query.words import words

WEIGHTS = {"from": "A", "subject": "B", "tag": "C", "to": "D"}
REPLY = "~"
"""Stands before each word of a reply. No word begins with it."""
MOST_WORDS = 2_000
"""Words of a recipient above which those of further replies are not searched."""
_MOST_REPLY_WORDS = 500
"""Words of one reply that are searched: a vector takes a megabyte at most."""


def mail_vector(texts: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return the vector of *texts*, each under its field."""
    found: list[str] = []
    place = 1
    for field, some in texts:
        weight = WEIGHTS[field]
        for text in some:
            for word in words(text):
                found.append(f"{word}:{place}{weight}")
                place += 1
            place += 1
    return " ".join(found)


def reply_vector(reply: str) -> str:
    """Return the vector of a reply. Where it is appended to another one (`||`), it leaves a place free."""
    return _replied(reply, 2)


def with_reply(vector: str, reply: str) -> str:
    """Return *vector* with the words of a reply too, far from those of replies that it has already."""
    count = vector.count(" ") + 1
    return f"{vector} {_replied(reply, 2 * count + 2)}" if count < MOST_WORDS else vector


def without_replies(vector: str) -> str:
    """Return *vector* without the words of replies."""
    return " ".join(word for word in vector.split() if not word.startswith(REPLY))


def _replied(reply: str, place: int) -> str:
    some = words(reply)[:_MOST_REPLY_WORDS]
    return " ".join(f"{REPLY}{word}:{at}" for at, word in enumerate(some, place))


def phrase_query(fields: Sequence[str], phrase: Phrase) -> str:
    """Return the `tsquery` that asks for a phrase in one of the *fields*."""
    weights = "".join(WEIGHTS[field] for field in fields if field in WEIGHTS)
    parts = [_row(phrase, "", weights)] if weights else []
    if "reply" in fields:
        parts.append(_row(phrase, REPLY, ""))
    return " | ".join(f"({part})" for part in parts)


def _row(phrase: Phrase, mark: str, weights: str) -> str:
    *whole, last = phrase.words
    each = [_term(mark + word, weights) for word in whole]
    return " <-> ".join([*each, _term(mark + last, weights + ("*" if phrase.is_open else ""))])


def _term(word: str, said: str) -> str:
    return f"'{word}':{said}" if said else f"'{word}'"
