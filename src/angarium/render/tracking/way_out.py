"""The way out of a mailing: fields that mail programs make a button of (RFC 2369 §3.2, RFC 8058), and a link.

The link stands where the text has `{{{ pm:unsubscribe }}}`: within a tag, as in `href`, its URL; elsewhere in HTML a
link; in plain text the URL. A text without it gets a line at its end.
"""

import re
from typing import Final

from angarium.mime.texts import ShownText
from angarium.render.html.links import Splice, place_of_pixel, spliced
from angarium.render.html.tags import html_tags

_PLACE: Final = re.compile(rb"\{\{\{\s*+pm:unsubscribe\s*+\}\}\}")
_LINK: Final = '<a href="%s">Unsubscribe</a>'
_HTML_LINE: Final = f'<p style="font-size:12px;text-align:center">{_LINK}</p>'
_TEXT_LINE: Final = "\r\n\r\nUnsubscribe: %s\r\n"


def way_out_fields(url: str, address: str) -> bytes:
    """Return the fields, whole lines. *address* takes mail that means the same; empty: there is none."""
    by_mail = f",\r\n <mailto:{address}?subject=unsubscribe>" if address else ""
    return f"List-Unsubscribe: <{url}>{by_mail}\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode()


def has_place(text: ShownText) -> bool:
    """Whether a text says where its link goes."""
    return _PLACE.search(text.data) is not None


def with_link(text: ShownText, url: str, *, at_end: bool) -> bytes:
    """Return the text with the link where it says, or *at_end* where it says nothing."""
    if text.kind == "plain":
        return _plain(text.data, url, at_end=at_end)
    places = list(_PLACE.finditer(text.data))
    if not places:
        at = place_of_pixel(text.data)
        line = [Splice(at, at, (_HTML_LINE % url).encode())] if at_end else []
        return spliced(text.data, line)
    tags = [(tag.start, tag.end) for tag in html_tags(text.data)]
    splices, number = [], 0
    for place in places:
        while number < len(tags) and tags[number][1] <= place.start():
            number += 1
        is_within = number < len(tags) and tags[number][0] < place.start()
        splices.append(Splice(place.start(), place.end(), (url if is_within else _LINK % url).encode()))
    return spliced(text.data, splices)


def _plain(data: bytes, url: str, *, at_end: bool) -> bytes:
    put, count = _PLACE.subn(lambda place: url.encode(), data)
    return put if count or not at_end else data.removesuffix(b"\r\n") + (_TEXT_LINE % url).encode()
