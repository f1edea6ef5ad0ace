"""How a value is written where it stands: so that it is text there, and nothing else."""

import html
import json
import re
from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import quote

Context = Literal["html", "text", "header"]
"""What a template makes: an HTML part, a text part, or the value of a header field."""

Escape = Callable[[str], str]

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_SUBSTITUTION = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "/": "&#x2F;"}
)
_NUMBERED = re.compile(r"[\xa0-\xff\U00010000-\U0010ffff]")


def as_is(text: str) -> str:
    """Leave *text* alone."""
    return text


def html_text(text: str) -> str:
    """Write *text* into HTML, be it between tags or in a quoted attribute."""
    return html.escape(text).replace("&#x27;", "&#39;")


def html_text_mustachio(text: str) -> str:
    """The same, with Latin-1's upper half and what is beyond the first plane as numbers (postmark.md §6.2)."""
    return _NUMBERED.sub(lambda match: f"&#{ord(match[0])};", html_text(text))


def html_text_substitution(text: str) -> str:
    """The same, with the slash written as a reference, too (sparkpost.md §3)."""
    return text.translate(_SUBSTITUTION)


def header_text(text: str) -> str:
    """Write *text* into a header field: no line ends, no other controls, so that no field can be begun in it."""
    return _CONTROLS.sub(" ", text)


def url_part(text: str) -> str:
    """Write *text* into a URL: all is encoded but letters, digits and `-._~` (RFC 3986 §2.3)."""
    return quote(text, safe="")


def json_text(text: str) -> str:
    """Write *text* into a JSON string, without its quotes, so that it may stand in a script, too."""
    written = json.dumps(text)[1:-1]
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


NO_ESCAPE: Final[Escape] = as_is
