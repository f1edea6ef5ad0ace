"""Which words of what was found are there because they were asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from angarium.query.nodes import And, Like, Node, Or, Phrase
from angarium.query.words import pattern_of


@dataclass(frozen=True, slots=True)
class WantedWord:
    """One word that a query asks for, in *field* or, where that is empty, in those that bare words look in."""

    field: str
    word: str
    is_open: bool = False
    """It is only a beginning."""
    glob: str = ""
    """Words that look so, in place of *word*."""

    def takes(self, word: str) -> bool:
        """Whether *word*, folded, is one of those."""
        if self.glob:
            pattern: Any = pattern_of(self.glob)
            return pattern.fullmatch(word) is not None
        return word.startswith(self.word) if self.is_open else word == self.word


def wanted(node: Node) -> Sequence[WantedWord]:
    """Return the words that *node* asks for, each once, in order; what it asks to be without is not among them."""
    return tuple(dict.fromkeys(_wanted(node)))


def _wanted(node: Node) -> Iterator[WantedWord]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _wanted(part)
        case Phrase(field, words, is_open):
            last = len(words) - 1
            for at, word in enumerate(words):
                yield WantedWord(field, word, is_open and at == last)
        case Like(field, glob):
            yield WantedWord(field, "", glob=glob)
        case _:
            return
