"""The links of an HTML part and of a text part, and how another target is put in their place."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from angarium.render.html.references import unescaped
from angarium.render.html.tags import attributes, html_tags

_LINK_TAGS: Final = (b"a", b"area")
_WEB: Final = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)
_TEXT_LINK: Final = re.compile(r"https?://[^\s<>\"\x00-\x20\x7f]++", re.IGNORECASE)
_AFTER_SENTENCE: Final = ".,;:!?'*_"
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}


class HtmlLink(NamedTuple):
    """A link to somewhere on the web. *target* is what it points to, its references read; *start* to *end* is where the
    value is written. *attributes* are the other ones of its tag, by name in lower case, raw; None: without a value.
    """

    target: str
    start: int
    end: int
    attributes: dict[str, str | None]


class TextLink(NamedTuple):
    """A URL in a text, from *start* to *end*."""

    target: str
    start: int
    end: int


class Splice(NamedTuple):
    """What is written in the place of *start* to *end*."""

    start: int
    end: int
    new: bytes


def is_web_target(target: str) -> bool:
    """Whether *target* is a whole http or https URL: nothing relative, no mailto, no script, no anchor."""
    return _WEB.match(target) is not None


def html_links(html: bytes, charset: str) -> Iterator[HtmlLink]:
    """Yield the web links of a document, which is written in *charset*, a superset of ASCII. What has no meaning in it
    is kept apart by surrogates, so that it can be written again.
    """
    for tag in html_tags(html):
        if tag.name not in _LINK_TAGS or tag.is_end:
            continue
        found = {each.name: each for each in attributes(html, tag.name_end, tag.end)}
        href = found.pop(b"href", None)
        if href is None or href.value is None:
            continue
        target = unescaped(href.value.decode(charset, "surrogateescape")).strip("\t\n\f\r ")
        if is_web_target(target):
            others = {
                name.decode("latin-1"): None if each.value is None else each.value.decode(charset, "replace")
                for name, each in found.items()
            }
            yield HtmlLink(target, href.value_start, href.value_end, others)


def text_links(text: str) -> Iterator[TextLink]:
    """Yield the URLs of a text, without the full stop or bracket of the sentence that they stand in."""
    for match in _TEXT_LINK.finditer(text):
        target = _without_sentence(match[0])
        if is_web_target(target):
            yield TextLink(target, match.start(), match.start() + len(target))


def _without_sentence(target: str) -> str:
    """Take off what ends the sentence; a closing bracket only where none opens in the URL. Linear: each bracket is
    counted once.
    """
    end, counts = len(target), {mark: target.count(mark) for pair in _CLOSING.items() for mark in pair}
    while end:
        last = target[end - 1]
        opening = _CLOSING.get(last)
        if last not in _AFTER_SENTENCE and (opening is None or counts[last] <= counts[opening]):
            break
        if last in counts:
            counts[last] -= 1
        end -= 1
    return target[:end]


def spliced(html: bytes, splices: Iterable[Splice]) -> bytes:
    """Return *html* with *splices* made, which are in order and do not overlap. All else stays byte for byte."""
    parts, at = [], 0
    for start, end, new in splices:
        parts += [html[at:start], new]
        at = end
    return b"".join([*parts, html[at:]])


def place_of_pixel(html: bytes) -> int:
    """Return where an image that counts openings goes: before the last `</body>`, else before the last `</html>`, else
    at the end.
    """
    body_end = document_end = None
    for tag in html_tags(html):
        if tag.is_end and tag.name == b"body":
            body_end = tag.start
        elif tag.is_end and tag.name == b"html":
            document_end = tag.start
    return next((place for place in (body_end, document_end) if place is not None), len(html))


def after_body_tag(html: bytes) -> int | None:
    """Return where the first `<body …>` has ended, None where there is none."""
    return next((tag.end for tag in html_tags(html) if tag.name == b"body" and not tag.is_end), None)
