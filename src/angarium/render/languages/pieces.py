"""The pieces within a tag: names, numbers, strings and marks. For the languages that have expressions."""

import re
from typing import Final, Literal, NamedTuple

from angarium.render.languages.output import DEEPEST
from angarium.render.languages.problem import Places, TemplatePlace, TemplateProblem, TemplateProblems
from angarium.render.languages.values import Value

PieceKind = Literal["name", "number", "string", "mark", "end"]

MOST_PIECES: Final = 200
"""Of one tag. What is longer was not written by a person; and each takes a turn of the stack."""

STRING: Final = r""" " (?: [^"\\] | \\. )*+ " | ' (?: [^'\\] | \\. )*+ ' """
"""A string in either quotes, for a verbose pattern. A backslash before a quote makes it part of the string."""

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class TagPiece(NamedTuple):
    """A piece of a tag. *text* is as written, *value* what a number or a string is."""

    kind: PieceKind
    text: str
    offset: int
    value: Value = None


class TagPieces:
    """The pieces of one tag, taken one after the other. *end* is the offset after the tag."""

    def __init__(self, pieces: list[TagPiece], places: Places, end: int) -> None:
        self._pieces = pieces
        self._places = places
        self._next = 0
        self._depth = 0
        self.end = end

    @property
    def first(self) -> TagPiece:
        """The first of all."""
        return self._pieces[0]

    def peek(self) -> TagPiece:
        """Return the next one without taking it; one of kind `end` after the last."""
        return self._pieces[self._next]

    def take(self) -> TagPiece:
        """Take the next one."""
        piece = self._pieces[self._next]
        if piece.kind != "end":
            self._next += 1
        return piece

    def accept(self, *texts: str) -> TagPiece | None:
        """Take the next one if it is a mark or name that is one of *texts*."""
        piece = self.peek()
        return self.take() if piece.kind in ("mark", "name") and piece.text in texts else None

    def expect(self, text: str) -> TagPiece:
        """Take the next one, which has to be *text*. Raises TemplateProblems."""
        piece = self.accept(text)
        if piece is None:
            raise self.problem(f"{text} is missing here")
        return piece

    def expect_end(self) -> None:
        """See that nothing is left. Raises TemplateProblems."""
        if self.peek().kind != "end":
            raise self.problem("this is not understood here")

    def deeper(self) -> None:
        """Count a bracket that opens. Raises TemplateProblems."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.problem(f"brackets stand in one another more than {DEEPEST} deep")

    def back(self) -> None:
        """Count a bracket that closes."""
        self._depth -= 1

    def place(self, piece: TagPiece) -> TemplatePlace:
        """Return where *piece* stands in the template."""
        return self._places.at(piece.offset)

    def problem(self, problem: str, hint: str = "", piece: TagPiece | None = None) -> TemplateProblems:
        """Return what is to be raised for *piece*, the next one where it is None."""
        at = piece or self.peek()
        near = at.text if at.kind != "end" else "the end of the tag"
        found = TemplateProblem(self.place(at), f"{problem}, near {near[:40]!r}", hint, near)
        return TemplateProblems([found])


def read_pieces(text: str, start: int, closer: str, pattern: re.Pattern[str], places: Places) -> TagPieces:
    """Read from *start* to *closer*, which may stand in a string. *pattern* has the groups space, name, number, string,
    mark. Raises TemplateProblems.
    """
    found: list[TagPiece] = []
    offset = start
    while not text.startswith(closer, offset):
        match = pattern.match(text, offset)
        if match is None or len(found) == MOST_PIECES:
            raise TemplateProblems([_unreadable(text, start, offset, closer, places, match)])
        if match.lastgroup != "space":
            found.append(_piece(match))
        offset = match.end()
    found.append(TagPiece("end", "", offset))
    return TagPieces(found, places, offset + len(closer))


def _piece(match: re.Match[str]) -> TagPiece:
    kind, text = match.lastgroup, match[0]
    value: Value = None
    if kind == "number":
        value = float(text) if "." in text or len(text) > 18 else int(text)
    elif kind == "string":
        value = _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1])
    return TagPiece(kind, text, match.start(), value)  # type: ignore[arg-type]


def _unreadable(
    text: str, start: int, offset: int, closer: str, places: Places, match: re.Match[str] | None
) -> TemplateProblem:
    if match is not None:
        return TemplateProblem(places.at(start), f"this tag has more than {MOST_PIECES} pieces")
    if offset >= len(text):
        return TemplateProblem(
            places.at(start), "this tag is never ended", f"write {closer}", text[start:][:40]
        )
    if text[offset] in "\"'":
        return TemplateProblem(places.at(offset), "this quotation mark has no second one", "", text[offset])
    return TemplateProblem(
        places.at(offset),
        f"{text[offset]!r} cannot stand in a tag",
        f"end the tag with {closer}",
        text[offset],
    )
