"""Reads pages: Markdown as GitHub shows it, whose anchors the links in it are made for."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from angarium.documentation.page import DocPage, DocSection, DocSource

_DROPPED = re.compile(r"[^\w\- ]")
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# Of these blocks each is a line of its own in the text of a section.
_LINES = frozenset(("paragraph_close", "tr_close", "list_item_close", "heading_close"))

CodeLink = Callable[[str], str | None]
"""Answers the name of the page about what is written as code, None where there is none."""


class Reader:
    """Reads pages that refer to each other. *known* are the names of all pages.

    A link to what is no page, such as a file beside the pages, is shown as text: it leads nowhere in a site.
    """

    def __init__(self, known: Iterable[str], about: CodeLink = lambda code: None) -> None:
        self._known = frozenset(known)
        self._about = about

    def read(self, source: DocSource) -> DocPage:
        """Return the page that *source* is."""
        tokens = _PARSER.parse(source.text)
        _set_anchors(tokens)
        sections = tuple(_sections(tokens))
        self._set_links(tokens, source.name)
        html = _scrollable(_PARSER.renderer.render(tokens, _PARSER.options, {}))
        title = next((section.heading for section in sections if section.heading), source.name)
        return DocPage(source.name, title, source.kind, html, sections)

    def _set_links(self, tokens: Sequence[Token], name: str) -> None:
        in_heading = False
        for token in tokens:
            in_heading = (in_heading or token.type == "heading_open") and token.type != "heading_close"
            if token.type == "inline":
                token.children = list(self._linked(token.children or [], name, links_code=not in_heading))

    def _linked(self, children: Sequence[Token], name: str, *, links_code: bool) -> Iterator[Token]:
        is_open = is_kept = False
        for token in children:
            if token.type == "link_open":
                is_open, href = True, self._href(str(token.attrs["href"]), name)
                is_kept = href is not None
                token.attrs["href"] = href or ""
            if token.type in ("link_open", "link_close"):
                if is_kept:
                    yield token
                is_open = is_open and token.type != "link_close"
            elif token.type == "code_inline" and links_code and not is_open:
                yield from self._linked_code(token, name)
            else:
                yield token

    def _linked_code(self, token: Token, name: str) -> Iterator[Token]:
        page = self._about(token.content)
        if page is None or page == name:
            yield token
            return
        yield Token("link_open", "a", 1, attrs={"href": _relative(page, name)})
        yield token
        yield Token("link_close", "a", -1)

    def _href(self, href: str, name: str) -> str | None:
        """Return where *href* on the page *name* leads to in a site, None for nowhere."""
        if _EXTERNAL.match(href) or href.startswith("#"):
            return href
        path, mark, anchor = href.partition("#")
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)).removesuffix(".md")
        return f"{_relative(page, name)}{mark}{anchor}" if page in self._known else None


def _scrollable(html: str) -> str:
    """Return *html* in which what may be wider than the page is moved by itself, and by the keyboard too."""
    html = html.replace("<pre>", '<pre tabindex="0">')
    return html.replace("<table>", '<div class="table" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )


def _relative(page: str, name: str) -> str:
    """Return the address of *page* as the page *name* writes it."""
    return posixpath.relpath(f"{page}.html", posixpath.dirname(name) or ".")


def anchor_of(heading: str) -> str:
    """Return the id of a heading, as GitHub makes it: lower case, no punctuation, hyphens for spaces."""
    return _DROPPED.sub("", heading.lower()).replace(" ", "-")


def _set_anchors(tokens: Sequence[Token]) -> None:
    """Give each heading its id; one that repeats gets a number."""
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            anchor = anchor_of(_plain(inline))
            seen[anchor] = seen.get(anchor, -1) + 1
            opening.attrs["id"] = f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor


def _sections(tokens: Sequence[Token]) -> Iterator[DocSection]:
    heading, anchor, level, pieces = "", "", 0, list[str]()
    opening: Token | None = None
    for token in tokens:
        if token.type == "heading_open":
            if heading or "".join(pieces).strip():
                yield DocSection(heading, anchor, level, _tidy(pieces))
            opening, pieces = token, []
        elif token.type == "inline" and opening is not None:
            heading, anchor = _plain(token), str(opening.attrs["id"])
            level, opening = int(opening.tag[1:]), None
        elif token.type == "inline":
            pieces.append(_plain(token))
        elif token.type in ("fence", "code_block"):
            pieces.append(token.content)
        elif token.type in ("td_close", "th_close"):
            pieces.append("  ")
        elif token.type in _LINES:
            pieces.append("\n")
    if heading or "".join(pieces).strip():
        yield DocSection(heading, anchor, level, _tidy(pieces))


def _plain(inline: Token) -> str:
    """Return the words of a line of text, without marks."""
    breaks = ("softbreak", "hardbreak")
    return "".join(
        " " if token.type in breaks else "" if token.type == "html_inline" else token.content
        for token in inline.children or []
    )


def _tidy(pieces: Sequence[str]) -> str:
    lines = (line.rstrip() for line in "".join(pieces).splitlines())
    return "\n".join(line for line in lines if line)
