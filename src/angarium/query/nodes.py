"""What a query means: a tree that a store turns into SQL, and `matching` into yes or no.

Texts in it are folded (`words.folded`). Times are epoch seconds, sizes bytes. *field* is the name of a field of the
catalogue that the query was read with; empty: any of those that bare words look in.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Everything:
    """All there is."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """The words in a row, in a field that is searched by words. *is_open*: the last one is only a beginning."""

    field: str
    words: tuple[str, ...]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """A glob (`*`, `?`, backslash): of one word in a field that is searched by words, else of the whole value."""

    field: str
    glob: str


@dataclass(frozen=True, slots=True)
class Equal:
    """Exactly this text, in a field with values of one piece. An empty *value*: the field has none."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Present:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Between:
    """At least *low* and below *high*; None: no bound on that side. Numbers for numbers, texts for texts.

    *takes_high*: *high* itself as well.
    """

    field: str
    low: float | str | None
    high: float | str | None
    takes_high: bool = False
    leaves_low: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """All that *part* is not true of."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """True if all of two or more *parts* are."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if one of two or more *parts* is."""

    parts: tuple["Node", ...]


Node = Everything | Phrase | Like | Equal | Present | Between | Not | And | Or
