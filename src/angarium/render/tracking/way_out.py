"""The way out of a mailing: fields that mail programs make a button of (RFC 2369 §3.2, RFC 8058), and a link.

The link stands where the text has `{{{ pm:unsubscribe }}}`: within a tag, as in `href`, its URL; elsewhere in HTML a
link, which says what a `label="…"` behind the name says; in plain text the URL. `{{{ pm:unsubscribe_url }}}` is the URL
wherever it stands. A text without either gets a footer, the stream's or one line.
"""

import html
import re
from bisect import bisect_right
from typing import Final

from angarium.mime.texts import ShownText
from angarium.render.html.links import Splice, place_of_pixel, spliced
from angarium.render.html.tags import html_tags

_PLACE: Final = re.compile(
    rb"""\{\{\{\s*+pm:unsubscribe(?P<url>_url)?(?:\s++label\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'))?\s*+\}\}\}"""
)
_LINK: Final = b'<a href="%b">%b</a>'
_SAID: Final = b"Unsubscribe"
_HTML_FOOTER: Final = b'<p style="font-size:12px;text-align:center">%b</p>'
_TEXT_PLACE: Final = "{{{ pm:unsubscribe }}}"
_USUAL_HTML: Final = _TEXT_PLACE
_USUAL_TEXT: Final = f"Unsubscribe: {_TEXT_PLACE}"


def way_out_fields(url: str, address: str) -> bytes:
    """Return the fields, whole lines. *address* takes mail that means the same; empty: there is none."""
    by_mail = f",\r\n <mailto:{address}?subject=unsubscribe>" if address else ""
    return f"List-Unsubscribe: <{url}>{by_mail}\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode()


def has_place(text: ShownText) -> bool:
    """Whether a text says where its link goes."""
    return _PLACE.search(text.data) is not None


def with_link(text: ShownText, url: str, footer: str | None) -> ShownText:
    """Return the text with the link where it says, or a *footer* with it at its end: empty, the usual line; None, no
    footer. A footer that a plain text has no letters for makes it UTF-8.
    """
    if has_place(text):
        return text._replace(data=_placed(text, url.encode()))
    if footer is None:
        return text
    return (
        _with_html_footer(text, url, footer) if text.kind == "html" else _with_text_footer(text, url, footer)
    )


def _placed(text: ShownText, url: bytes) -> bytes:
    if text.kind == "plain":
        return _PLACE.sub(lambda place: url, text.data)
    tags = [(tag.start, tag.end) for tag in html_tags(text.data)]
    starts = [start for start, _ in tags]

    def splice(place: re.Match[bytes]) -> Splice:
        before = bisect_right(starts, place.start()) - 1
        is_within = before >= 0 and place.start() < tags[before][1]
        label = place[2] or place[3] or _SAID
        return Splice(place.start(), place.end(), url if is_within or place["url"] else _LINK % (url, label))

    return spliced(text.data, map(splice, _PLACE.finditer(text.data)))


def _with_place(footer: str) -> str:
    """Return a footer that has a place for the link: without one it would be none."""
    return footer if _PLACE.search(footer.encode()) else f"{footer}\n{_USUAL_TEXT}"


def _with_html_footer(text: ShownText, url: str, footer: str) -> ShownText:
    said = _with_place(footer) if footer else _USUAL_HTML
    shown = html.escape(said, quote=False).replace("\n", "<br>").encode(text.charset, "xmlcharrefreplace")
    piece = _placed(text._replace(data=shown), url.encode())
    at = place_of_pixel(text.data)
    return text._replace(data=spliced(text.data, [Splice(at, at, _HTML_FOOTER % piece)]))


def _with_text_footer(text: ShownText, url: str, footer: str) -> ShownText:
    said = (_with_place(footer) if footer else _USUAL_TEXT).replace("\n", "\r\n")
    text = _able_to_say(text, said)
    piece = _PLACE.sub(lambda place: url.encode(), said.encode(text.charset, "replace"))
    return text._replace(data=b"%b\r\n\r\n%b\r\n" % (text.data.removesuffix(b"\r\n"), piece))


def _able_to_say(text: ShownText, said: str) -> ShownText:
    """Return the text in a charset that has the letters of *said* too; as it is where what it has is not known."""
    try:
        said.encode(text.charset)
    except UnicodeError:
        try:
            return text._replace(charset="utf-8", data=text.data.decode(text.charset).encode())
        except UnicodeError:
            return text
    return text
