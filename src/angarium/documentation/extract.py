"""The part of a text that shows best why it was found."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from angarium.query.hits import WantedWord
from angarium.query.words import word_spans

LENGTH: Final = 200
"""Characters of an extract, more or less: it ends with a word."""


class ExtractPiece(NamedTuple):
    """A part of an extract. *is_hit*: a word that was asked for."""

    text: str
    is_hit: bool


def extract(text: str, asked: Sequence[WantedWord]) -> Sequence[ExtractPiece]:
    """Return the part of *text* with most of the words that were *asked* for; its beginning where none is in it."""
    hits = [
        (start, end, at)
        for start, end, word in word_spans(text)
        for at in [next((at for at, each in enumerate(asked) if each.takes(word)), None)]
        if at is not None
    ]
    start = _best_start(text, hits)
    end = _word_end(text, min(len(text), start + LENGTH))
    return tuple(_tidied(_cut(text, start, end, hits)))


def _best_start(text: str, hits: Sequence[tuple[int, int, int]]) -> int:
    """Return where the window begins that has most different words of those asked for, then most of them."""
    best, chosen = (0, 0), 0
    for first, (start, _, _) in enumerate(hits):
        inside = []
        for hit in hits[first:]:
            if hit[1] > start + LENGTH * 3 // 4:
                break
            inside.append(hit[2])
        if (len(set(inside)), len(inside)) > best:
            best, chosen = (len(set(inside)), len(inside)), start
    return _line_start(text, chosen)


def _line_start(text: str, at: int) -> int:
    """Return where the line that holds *at* begins, or a word a little before *at* where that is far."""
    line = text.rfind("\n", 0, at) + 1
    if at - line <= LENGTH // 3:
        return line
    space = text.rfind(" ", line, at - LENGTH // 4)
    return space + 1 if space >= 0 else at


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    space = max(text.rfind(" ", 0, at), text.rfind("\n", 0, at))
    return space if space > at - LENGTH // 4 else at


def _cut(text: str, start: int, end: int, hits: Iterable[tuple[int, int, int]]) -> Iterator[ExtractPiece]:
    at = start
    if start and text[start - 1] != "\n":
        yield ExtractPiece("… ", False)
    for begin, stop, _ in hits:
        if begin < at or stop > end:
            continue
        if begin > at:
            yield ExtractPiece(text[at:begin], False)
        yield ExtractPiece(text[begin:stop], True)
        at = stop
    if at < end:
        yield ExtractPiece(text[at:end], False)
    if end < len(text):
        yield ExtractPiece(" …", False)


def _tidied(pieces: Iterable[ExtractPiece]) -> Iterator[ExtractPiece]:
    """Put what stands in several lines into one."""
    for piece in pieces:
        yield ExtractPiece(
            " · ".join(piece.text.split("\n")) if not piece.is_hit else piece.text, piece.is_hit
        )
