"""Which links of a part are tracked, and how their addresses are put in their place. Nothing else is changed."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from angarium.render.html.links import HtmlLink, Splice, html_links, spliced, text_links
from angarium.render.tracking.addresses import LONGEST_TARGET, MOST_LINKS

_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f]")
_TAG: Final = re.compile(rb"<[^>]*+>?")
_LINK_END: Final = re.compile(rb"</a[\t\n\f\r />]", re.IGNORECASE)
_LOOKS_LIKE_URL: Final = re.compile(rb"\s*+(?:https?://|www\.)\S", re.IGNORECASE)
_TEXT_SWITCH: Final = re.compile(r'\[\[data-msys-clicktrack="?([01])"?\]\]')

NO_TRACK: Final = "data-pm-no-track"
SWITCH: Final = "data-msys-clicktrack"
UNSUBSCRIBE: Final = "data-msys-unsubscribe"

Address = Callable[[int, str, bool], str]
"""Returns the whole URL that stands for a link: from its number in the part, its target, and whether a click on it
means that the recipient wants no more."""


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


def tracked_html(html: bytes, charset: str, rules: LinkRules, address: Address) -> bytes:
    """Return *html* with the addresses of its links in their place."""
    return spliced(html, _splices(html, charset, rules, address))


def _splices(html: bytes, charset: str, rules: LinkRules, address: Address) -> Iterator[Splice]:
    for number, link in enumerate(islice(html_links(html, charset), MOST_LINKS), 1):
        if _is_marked(link) or not _is_trackable(link.target, charset, rules):
            continue
        if rules.leaves_shown_urls and _shows_url(html, link):
            continue
        url = address(number, link.target, link.attributes.get(UNSUBSCRIBE) == "1")
        yield Splice(link.start, link.end, url.encode("ascii"))


def tracked_text(text: str, rules: LinkRules, address: Address) -> str:
    """Return the text part with the addresses of its links in their place, and without the switches behind them."""
    parts, at = [], 0
    for number, link in enumerate(text_links(text), 1):
        target, end, is_on = _without_switch(text, link.target, link.start)
        parts.append(text[at : link.start])
        is_tracked = is_on and number <= MOST_LINKS and target not in rules.untracked
        is_tracked = is_tracked and _is_trackable(target, "utf-8", rules)
        parts.append(address(number, target, False) if is_tracked else target)
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


def _is_trackable(target: str, charset: str, rules: LinkRules) -> bool:
    """Whether a redirection can say *target*, and should. With blanks or controls in it, readers mend it in ways of
    their own.
    """
    if _CONTROLS.search(target) or len(target.encode(charset, "surrogateescape")) > LONGEST_TARGET:
        return False
    host = re.split(r"[/?#\\]", target.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    return host.lower() not in rules.own_hosts


def _shows_url(html: bytes, link: HtmlLink) -> bool:
    """Whether what stands between the tags of *link* is a URL to a reader."""
    start = html.find(b">", link.end) + 1
    end = _LINK_END.search(html, start, start + LONGEST_TARGET)
    return bool(start and end and _LOOKS_LIKE_URL.match(_TAG.sub(b"", html[start : end.start()])))
