"""Style sheets of an HTML document, written into its elements, since webmail takes away what stands in the head.

Once per content, never per recipient: it costs as much as a whole mail. The inliner walks the tree recursively, and
takes the process down with documents that are too deep (60 KB of nested elements); those stay as they are.
"""

from typing import Final

import css_inline

from angarium.render.html.depth import DEEPEST_HTML, html_depth
from angarium.render.html.tags import html_tags

MOST_HTML: Final = 2_000_000
"""Bytes of a document that is given to the inliner."""


def inlined_css(html: str) -> str:
    """Return *html* with its style sheets in the elements that they are about. What only a style sheet can say (media
    queries, `:hover`) stays in one. The document as it is where it has no style sheet, is too large or too deep, or is
    not understood. Style sheets elsewhere are never fetched.
    """
    data = html.encode("utf-8", "replace")
    if len(data) > MOST_HTML or not _has_style(data) or html_depth(data) > DEEPEST_HTML:
        return html
    try:
        # made anew each time: an inliner is used by one thread
        return css_inline.CSSInliner(
            keep_style_tags=True,
            keep_at_rules=True,
            remove_inlined_selectors=True,
            load_remote_stylesheets=False,
        ).inline(html)
    except css_inline.InlineError:
        return html


def _has_style(html: bytes) -> bool:
    return any(tag.name == b"style" for tag in html_tags(html))
