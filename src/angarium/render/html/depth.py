"""How deep a document's elements can stand in one another, before anything recursive is let near it."""

from typing import Final

from angarium.render.html.tags import html_tags

DEEPEST_HTML: Final = 500
"""So deep a document is still given to what walks its tree. Parsers and inliners run out of stack at a few thousand."""

_VOID: Final = frozenset(
    b"area base br col embed hr img input link meta param source track wbr basefont bgsound frame keygen".split()
)
_FORMATTING: Final = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
"""Elements that a parser opens again in whatever comes next, when a block that had them ends before they did."""

_CLOSES_ITSELF: Final = frozenset(b"p li dt dd tr td th option optgroup thead tbody tfoot".split())


def html_depth(html: bytes, most: int = DEEPEST_HTML) -> int:
    """Return a bound of how deep elements stand in one another, counting up to *most* + 1. What is never closed counts,
    so that it is never less than what a parser makes.
    """
    stack: list[bytes] = []
    formatting = deepest = 0
    for tag in html_tags(html):
        if tag.name in _FORMATTING:
            formatting = max(formatting + (-1 if tag.is_end else 1), 0)
        elif tag.is_end:
            _close(stack, tag.name)
        elif tag.name not in _VOID:
            if stack and stack[-1] == tag.name and tag.name in _CLOSES_ITSELF:
                stack.pop()
            stack.append(tag.name)
        deepest = max(deepest, len(stack) + formatting)
        if deepest > most:
            return most + 1
    return deepest


def _close(stack: list[bytes], name: bytes) -> None:
    """Take the innermost *name* off, with all that stands in it. An end without a beginning ends nothing."""
    for at in range(len(stack) - 1, -1, -1):
        if stack[at] == name:
            del stack[at:]
            return
