"""The tags of a Mustachio template."""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

TagKind = Literal["text", "value", "raw", "comment", "open", "open_not", "open_each", "close", "vendor"]

# Two or three braces with none within: of `{{{{name}}` the first two are text.
_TAG: Final = re.compile(r"\{\{([^{}]+)\}\}|\{\{\{([^{}]+)\}\}\}")

_VENDOR_TAG: Final = re.compile(r"@content|pm:unsubscribe(?:_url|\s+label\s*=\s*(?:\"[^\"]*\"|'[^']*'))?")
"""What is put in after the template is rendered: a layout's content, the way out of a mailing."""


class Tag(NamedTuple):
    """A tag, or the text between two. *path* is what stands in it besides its sign; of `text`, the text."""

    kind: TagKind
    path: str
    offset: int


def tags(text: str) -> Iterator[Tag]:
    """Yield text and tags in turn, in time linear in the length of *text*."""
    end = 0
    for match in _TAG.finditer(text):
        if match.start() > end:
            yield Tag("text", text[end : match.start()], end)
        end = match.end()
        yield _tag(match)
    if end < len(text):
        yield Tag("text", text[end:], end)


def _tag(match: re.Match[str]) -> Tag:
    raw = match[2]
    inside = match[1] or raw
    path = inside.strip()
    if _VENDOR_TAG.fullmatch(path):
        return Tag("vendor", path, match.start())
    if raw is not None:
        return Tag("raw", path, match.start())
    if inside.startswith("#each"):
        return Tag("open_each", inside[5:], match.start())
    kinds: dict[str, TagKind] = {"#": "open", "^": "open_not", "/": "close", "&": "raw", "!": "comment"}
    kind = kinds.get(inside[0])
    if kind is None:
        return Tag("value", path, match.start())
    return Tag(kind, inside[1:].strip(), match.start())
