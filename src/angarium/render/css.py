"""Style sheets of an HTML document, written into its elements, since webmail takes away what stands in the head.

Once per content, never per recipient: it costs as much as a whole mail. The inliner walks the tree recursively, and
takes the process down with documents that are too deep (60 KB of nested elements); those stay as they are.

What the inliner writes is not what was written: it mends the tree, so that conditionals for Outlook, tags of templates
between rows of a table, entities and letters of the charset come out as something else. So each element is numbered,
and of the inliner's document nothing is taken but the `style` that each number has. All else stays byte for byte.
"""

from collections.abc import Iterator
from typing import Final

import css_inline

from angarium.render.html.depth import DEEPEST_HTML, html_depth
from angarium.render.html.links import Splice, spliced
from angarium.render.html.tags import HtmlAttribute, HtmlTag, attributes, html_tags

MOST_HTML: Final = 2_000_000
"""Bytes of a document that is given to the inliner."""

_NUMBER: Final = b"data-angarium-element"
_NOT_SHOWN: Final = frozenset(b"html head meta link title style script base".split())


def inlined_css(html: bytes, charset: str) -> bytes:
    """Return *html*, which is written in *charset*, with the style sheets of its head in the elements that they are
    about. The sheets stay: what only they can say (media queries, `:hover`) is still said by them. The document as it
    is where it has no style sheet, is too large or too deep, or is not understood. Style sheets elsewhere are never
    fetched.
    """
    tags = [] if len(html) > MOST_HTML else [tag for tag in html_tags(html) if not tag.is_end]
    if not any(tag.name == b"style" for tag in tags) or html_depth(html) > DEEPEST_HTML:
        return html
    shown = [tag for tag in tags if tag.name not in _NOT_SHOWN]
    try:
        # made anew each time: an inliner is used by one thread
        inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
        inlined = inliner.inline(_numbered(html, shown).decode(charset, "replace"))
    except css_inline.InlineError:
        return html
    return spliced(html, _splices(html, charset, shown, _styles(inlined.encode("utf-8", "replace"))))


def _numbered(html: bytes, tags: list[HtmlTag]) -> bytes:
    """Number the elements. Of two attributes with one name the first counts, so nothing can call itself another."""
    return spliced(
        html,
        (
            Splice(tag.name_end, tag.name_end, b' %b="%d"' % (_NUMBER, number))
            for number, tag in enumerate(tags)
        ),
    )


def _styles(inlined: bytes) -> dict[int, bytes]:
    """Return the raw `style` of each number, in UTF-8. Parsers make several elements of one that is ended in the wrong
    place; the first is where it stood.
    """
    styles: dict[int, bytes] = {}
    for tag in html_tags(inlined):
        if tag.is_end:
            continue
        found = {each.name: each.value for each in attributes(inlined, tag.name_end, tag.end)}
        number, style = found.get(_NUMBER), found.get(b"style")
        if number is not None and style:
            styles.setdefault(int(number), style)
    return styles


def _splices(html: bytes, charset: str, tags: list[HtmlTag], styles: dict[int, bytes]) -> Iterator[Splice]:
    for number, tag in enumerate(tags):
        style = styles.get(number)
        if style is None:
            continue
        own = _style_of(html, tag)
        if own is not None and own.value == style:
            continue
        written = style.decode("utf-8").encode(charset, "xmlcharrefreplace")
        if own is None:
            yield Splice(tag.name_end, tag.name_end, b' style="%b"' % written)
        else:
            yield Splice(own.start, own.end, b'style="%b"' % written)


def _style_of(html: bytes, tag: HtmlTag) -> HtmlAttribute | None:
    return next((each for each in attributes(html, tag.name_end, tag.end) if each.name == b"style"), None)
