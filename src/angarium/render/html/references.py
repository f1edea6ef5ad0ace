"""Character references in an attribute's value, as the HTML standard reads them there (§13.2.5.73)."""

import html
import re
from html.entities import html5
from typing import Final

_REFERENCE: Final = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([A-Za-z][A-Za-z0-9]*)(;|(?==)|))")


def unescaped(value: str) -> str:
    """Return what an attribute's raw *value* means. A name without its semicolon, before `=`, a letter or a digit, is
    text in an attribute: `?a=1&copy=2` has no © in it.
    """
    return _REFERENCE.sub(_meaning, value) if "&" in value else value


def _meaning(match: re.Match[str]) -> str:
    name, after = match[1], match[2]
    if name is None:
        return html.unescape(match[0])
    if after == ";":
        return html5.get(f"{name};", match[0])
    follows = match.string[match.end() : match.end() + 1]
    return match[0] if follows == "=" else html5.get(name, match[0])
