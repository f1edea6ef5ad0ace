"""Finding in the documentation: the language of `query`, what fits best first, the words shown where they stand."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Literal, get_args

from angarium.documentation.extract import ExtractPiece, extract
from angarium.documentation.page import DocPage, DocSection, PageKind
from angarium.query.fields import QueryField, QueryFields
from angarium.query.hits import WantedWord, wanted
from angarium.query.matching import matches
from angarium.query.parser import parse
from angarium.query.values import Now
from angarium.query.words import words

DOCUMENTATION: Final = QueryFields(
    [
        QueryField("title", "text", "The title of the page. Bare words look here.", is_bare=True),
        QueryField("heading", "text", "The heading. Bare words look here.", is_bare=True),
        QueryField("text", "text", "What stands below it. Bare words look here.", is_bare=True),
        QueryField("page", "value", "The name of the page, as in its address."),
        QueryField("kind", "value", "What the page is about.", values=get_args(PageKind)),
    ]
)
"""The fields of the documentation. What is found is a section: a heading, and what stands below it."""

TextField = Literal["title", "heading", "text"]
WEIGHTS: Final[dict[TextField, float]] = {"title": 4.0, "heading": 6.0, "text": 1.0}
"""How much a word counts where it stands, beside one in the text."""
_SATURATION: Final = 1.5
"""How often a word has to be there to count half of what it can: more often says ever less."""
_AVERAGE: Final = 0.25
"""Share of the length in what is there: a word says more of a short text."""


@dataclass(frozen=True, slots=True)
class FoundSection:
    """A section that was found. *score* only tells it from others of the same search. *extract* is part of its text,
    the words that were asked for marked.
    """

    page: DocPage
    section: DocSection
    score: float
    extract: Sequence[ExtractPiece]

    @property
    def address(self) -> str:
        """Where it is from the root of the documentation."""
        mark = f"#{self.section.anchor}" if self.section.anchor else ""
        return f"{self.page.address}{mark}"


@dataclass(frozen=True)
class _Entry:
    page: DocPage
    section: DocSection

    def values(self, field: str) -> Sequence[str]:
        section, page = self.section, self.page
        value = {
            "title": page.title,
            "heading": section.heading,
            "text": section.text,
            "page": page.name,
            "kind": page.kind,
        }[field]
        return (value,) if value else ()

    @cached_property
    def counts(self) -> dict[TextField, Counter[str]]:
        return {
            field: Counter(word for value in self.values(field) for word in words(value)) for field in WEIGHTS
        }

    @cached_property
    def length(self) -> int:
        return sum(self.counts["text"].values())


class DocumentationSearch:
    """Finds sections of *pages*. In memory; a search takes time linear in the text of all pages."""

    def __init__(self, pages: Iterable[DocPage]) -> None:
        self._entries = [_Entry(page, section) for page in pages for section in page.sections]
        self._words = cache(words)

    @cached_property
    def _mean(self) -> float:
        return max(1.0, sum(entry.length for entry in self._entries) / max(1, len(self._entries)))

    def find(self, text: str, limit: int = 20) -> tuple[Sequence[FoundSection], int]:
        """Return the best *limit* sections for a query, and how many there are in all. An empty query finds nothing.

        Raises QueryProblem, which points at what is wrong.
        """
        if not text.strip():
            return (), 0
        node = parse(text, DOCUMENTATION, Now(0.0))
        fitting = [
            entry for entry in self._entries if matches(node, entry.values, DOCUMENTATION, self._words)
        ]
        asked = wanted(node)
        scores = self._scores(fitting, asked)
        order = sorted(range(len(fitting)), key=lambda at: (-round(scores[at], 9), at))[:limit]
        shown = [each for each in asked if each.field in ("", "text")]
        return [_found(fitting[at], scores[at], shown) for at in order], len(fitting)

    def _scores(self, entries: Sequence[_Entry], asked: Sequence[WantedWord]) -> list[float]:
        """Return how well each of *entries* fits, by BM25: a word that few have counts more."""
        scores = [0.0] * len(entries)
        for each in asked:
            amounts = [self._amount(entry, each) for entry in entries]
            there = sum(amount > 0 for amount in amounts)
            rare = math.log(1 + len(self._entries) / (there + 0.5))
            for at, amount in enumerate(amounts):
                norm = 1 - _AVERAGE + _AVERAGE * entries[at].length / self._mean
                scores[at] += rare * amount / (amount + _SATURATION * norm)
        return scores

    def _amount(self, entry: _Entry, each: WantedWord) -> float:
        """Return how often a word is there, by where it stands."""
        fields = [field for field in WEIGHTS if each.field in ("", field)]
        return sum(
            WEIGHTS[field] * count
            for field in fields
            for word, count in self._counted(entry.counts[field], each)
        )

    def _counted(self, counts: Counter[str], each: WantedWord) -> Iterable[tuple[str, int]]:
        if each.glob or each.is_open:
            return ((word, count) for word, count in counts.items() if each.takes(word))
        return ((each.word, counts[each.word]),)


def _found(entry: _Entry, score: float, shown: Sequence[WantedWord]) -> FoundSection:
    return FoundSection(entry.page, entry.section, score, extract(entry.section.text, shown))
