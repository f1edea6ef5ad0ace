"""Which links of a part are tracked, and how their addresses are put in their place. Nothing else is changed."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from angarium.render.html.links import HtmlLink, Splice, html_links, spliced, text_links
from angarium.render.html.references import unescaped
from angarium.render.tracking.addresses import LONGEST_NAME, LONGEST_TARGET, MOST_LINKS, SUBLINK

_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f]")
_TAG: Final = re.compile(rb"<[^>]*+>?")
_LINK_END: Final = re.compile(rb"</a[\t\n\f\r />]", re.IGNORECASE)
_LOOKS_LIKE_URL: Final = re.compile(rb"\s*+(?:https?://|www\.)\S", re.IGNORECASE)
_TEXT_SWITCH: Final = re.compile(r'\[\[data-msys-clicktrack="?([01])"?\]\]')

NO_TRACK: Final = "data-pm-no-track"
SWITCH: Final = "data-msys-clicktrack"
UNSUBSCRIBE: Final = "data-msys-unsubscribe"

LINK_NAME: Final = "data-msys-linkname"
SUBLINK_NAME: Final = "data-msys-sublink"


class TrackedLink(NamedTuple):
    """A link that another address takes the place of. *number* counts the links of its part from 1. *is_way_out*: a
    click on it means that the recipient wants no more. *name* is what the sender calls it, *sublink* a segment of the
    path that apps know the link by; mostly empty.
    """

    number: int
    target: str
    is_way_out: bool = False
    name: str = ""
    sublink: str = ""


Address = Callable[[TrackedLink], str]
"""Returns the whole URL that stands for a link."""


class LinkRules(NamedTuple):
    """What is not tracked: links to *own_hosts* (the way out, the web version); with *leaves_shown_urls* those whose
    text is a URL itself, as a reader is warned where the two differ; in a text part *untracked* ones.
    """

    own_hosts: frozenset[str] = frozenset()
    leaves_shown_urls: bool = False
    untracked: frozenset[str] = frozenset()


def marked_targets(html: bytes, charset: str) -> frozenset[str]:
    """Return the targets that *html* marks as not to be tracked, so that the text part can leave them alone, too."""
    return frozenset(link.target for link in html_links(html, charset) if _is_marked(link))


def has_way_out(html: bytes, charset: str) -> bool:
    """Whether *html* has a link that its sender has marked as the way out."""
    return UNSUBSCRIBE.encode() in html.lower() and any(
        _is_way_out(link) and not _is_marked(link) for link in html_links(html, charset)
    )


def tracked_html(html: bytes, charset: str, rules: LinkRules, address: Address) -> bytes:
    """Return *html* with the addresses of its links in their place."""
    return spliced(html, _splices(html, charset, rules, address))


def _splices(html: bytes, charset: str, rules: LinkRules, address: Address) -> Iterator[Splice]:
    for number, link in enumerate(islice(html_links(html, charset), MOST_LINKS), 1):
        if _is_marked(link) or not _is_trackable(link.target, rules):
            continue
        if rules.leaves_shown_urls and _shows_url(html, link):
            continue
        yield Splice(link.start, link.end, address(_tracked(number, link)).encode("ascii"))


def _tracked(number: int, link: HtmlLink) -> TrackedLink:
    name, sublink = link.attributes.get(LINK_NAME), link.attributes.get(SUBLINK_NAME) or ""
    return TrackedLink(
        number,
        link.target,
        _is_way_out(link),
        _short(unescaped(name)) if name else "",
        sublink if SUBLINK.fullmatch(sublink) else "",
    )


def _short(name: str) -> str:
    """Cut a name to as many bytes as it may have, after a whole character."""
    return name.encode("utf-8", "replace")[:LONGEST_NAME].decode("utf-8", "ignore")


def tracked_text(text: str, rules: LinkRules, address: Address) -> str:
    """Return the text part with the addresses of its links in their place, and without the switches behind them."""
    parts, at = [], 0
    for number, link in enumerate(text_links(text), 1):
        target, end, is_on = _without_switch(text, link.target, link.start)
        parts.append(text[at : link.start])
        is_tracked = is_on and number <= MOST_LINKS and target not in rules.untracked
        is_tracked = is_tracked and _is_trackable(target, rules)
        parts.append(address(TrackedLink(number, target)) if is_tracked else target)
        at = end
    return "".join([*parts, text[at:]])


def _without_switch(text: str, target: str, start: int) -> tuple[str, int, bool]:
    """Return the target, where it ends in *text*, and whether it may be tracked: `http://x.test[[…="0"]]` may not. What
    matched as a URL may have taken the beginning of the switch for a part of it.
    """
    end = start + len(target)
    opens = target.find("[[")
    found = _TEXT_SWITCH.match(text, start + opens if opens >= 0 else end)
    if found is None:
        return target, end, True
    return text[start : found.start()], found.end(), found[1] == "1"


def _is_marked(link: HtmlLink) -> bool:
    return NO_TRACK in link.attributes or link.attributes.get(SWITCH) == "0"


def _is_way_out(link: HtmlLink) -> bool:
    return link.attributes.get(UNSUBSCRIBE) == "1"


def _is_trackable(target: str, rules: LinkRules) -> bool:
    """Whether a redirection can say *target*, and should. With blanks or controls in it, readers mend it in ways of
    their own.
    """
    if _CONTROLS.search(target) or len(target.encode("utf-8", "surrogateescape")) > LONGEST_TARGET:
        return False
    host = re.split(r"[/?#\\]", target.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    return host.lower() not in rules.own_hosts


def _shows_url(html: bytes, link: HtmlLink) -> bool:
    """Whether what stands between the tags of *link* is a URL to a reader."""
    start = html.find(b">", link.end) + 1
    end = _LINK_END.search(html, start, start + LONGEST_TARGET)
    return bool(start and end and _LOOKS_LIKE_URL.match(_TAG.sub(b"", html[start : end.start()])))
