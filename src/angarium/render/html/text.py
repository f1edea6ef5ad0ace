"""What an HTML document says, as plain text with its links: for those who read no HTML. In time linear in its length.

Of the tree nothing is built. Blocks begin a line, paragraphs and headings have a blank line around them, a link's
target follows in angle brackets (RFC 3986, appendix C) unless it is what the link shows, a picture is its `alt`. What a
reader of the HTML does not see (`display: none`, the head, comments, Outlook's conditionals) is not in the text.
"""

import html as entities
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from angarium.render.html.links import is_web_target
from angarium.render.html.references import unescaped
from angarium.render.html.tags import RAW_TEXT, HtmlTag, attributes, html_tags, without_comments

_PARAGRAPHS: Final = frozenset(b"p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre figure".split())
_LINES: Final = frozenset(
    b"div table tr li dt dd section article header footer nav main aside address form fieldset center figcaption "
    b"caption".split()
)
_CELLS: Final = (b"td", b"th")
_VOID: Final = frozenset(b"area base br col embed hr img input link meta source track wbr".split())
_HIDDEN: Final = re.compile(rb"(?:^|[;\s])(?:display\s*+:\s*+none|mso-hide\s*+:\s*+all)", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f\xa0]++")
_SCHEME: Final = re.compile(r"(?:https?://|mailto:|tel:)?(?:www\.)?", re.IGNORECASE)
_RULE: Final = "-" * 40


class _Tag(NamedTuple):
    """A tag, and the text before it, raw."""

    before: bytes
    tag: HtmlTag | None


def text_of(html: bytes, charset: str) -> str:
    """Return the text of a document that is written in *charset*, lines ended by `\\n`; empty where it says nothing."""
    writer = _Writer()
    reader = _Reader(html, charset, writer)
    for before, tag in _pieces(html):
        reader.text(before)
        if tag is not None:
            reader.tag(tag)
    return writer.result()


def _pieces(html: bytes) -> Iterator[_Tag]:
    at = 0
    for tag in html_tags(html):
        yield _Tag(html[at : tag.start], tag)
        at = tag.end
    yield _Tag(without_comments(html[at:], to_broken_tag=True), None)


class _Writer:
    """Puts words into lines. Blanks between words are one, blank lines between paragraphs are one."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._is_apart = False
        self._is_paragraph = False
        self.words = 0

    def write(self, text: str, *, is_kept: bool = False) -> None:
        """Write what follows; *is_kept*: line for line, as it stands."""
        if is_kept:
            for number, line in enumerate(text.split("\n")):
                if number:
                    self.end_line()
                self._put(line)
            return
        said = _BLANKS.sub(" ", text)
        words = said.strip(" ")
        if not words:
            self._is_apart = self._is_apart or bool(said)
            return
        if (self._is_apart or said.startswith(" ")) and self._line:
            self._line.append(" ")
        self._put(words)
        self._is_apart = said.endswith(" ")

    def _put(self, words: str) -> None:
        if not words:
            return
        if self._is_paragraph and not self._line and self._lines:
            self._lines.append("")
        self._is_paragraph = False
        self._line.append(words)
        self.words += 1

    def separate(self) -> None:
        """Have a blank before what follows."""
        self._is_apart = True

    def end_line(self) -> None:
        """End the line, if it has anything."""
        if self._line:
            self._lines.append("".join(self._line).rstrip())
        self._line, self._is_apart = [], False

    def end_paragraph(self) -> None:
        """End the line, and have a blank one before what follows."""
        self.end_line()
        self._is_paragraph = True

    def result(self) -> str:
        """Return all lines."""
        self.end_line()
        return "".join(f"{line}\n" for line in self._lines)


class _Link(NamedTuple):
    """A link that is open: its *target*, what its text was so far, and how many words were written before it."""

    target: str
    said: list[str]
    words: int


class _Reader:
    """Goes through a document from tag to tag."""

    def __init__(self, html: bytes, charset: str, writer: _Writer) -> None:
        self._html = html
        self._charset = charset
        self._writer = writer
        self._hidden = b""
        self._depth = 0
        self._is_raw = False
        self._preformatted = 0
        self._lists: list[int | None] = []
        self._link: _Link | None = None

    def text(self, raw: bytes) -> None:
        """Read what stands between two tags."""
        is_raw, self._is_raw = self._is_raw, False
        if raw and not is_raw and not self._hidden:
            said = entities.unescape(without_comments(raw).decode(self._charset, "replace"))
            self._say(said.replace("\r\n", "\n"), is_kept=self._preformatted > 0)

    def _say(self, said: str, *, is_kept: bool = False) -> None:
        self._writer.write(said, is_kept=is_kept)
        if self._link is not None:
            self._link.said.append(said)

    def tag(self, tag: HtmlTag) -> None:
        """Read a tag."""
        name = tag.name
        self._is_raw = name in RAW_TEXT and not tag.is_end
        if self._hidden:
            self._within_hidden(tag)
        elif not tag.is_end and name not in _VOID and self._is_hidden(tag):
            self._hidden, self._depth = name, 1
        elif name in _PARAGRAPHS:
            self._paragraph(tag)
        elif name in _LINES:
            self._writer.end_line()
            if name == b"li" and not tag.is_end:
                self._item()
        elif name in _CELLS:
            self._writer.separate()
        elif name == b"a":
            self._anchor(tag)
        elif not tag.is_end:
            self._void(tag)

    def _is_hidden(self, tag: HtmlTag) -> bool:
        if tag.name == b"head":
            return True
        if tag.end - tag.name_end < len(" hidden>"):
            return False
        found = self._attributes(tag)
        return b"hidden" in found or _HIDDEN.search(found.get(b"style") or b"") is not None

    def _within_hidden(self, tag: HtmlTag) -> None:
        if tag.name == self._hidden:
            self._depth += -1 if tag.is_end else 1
        if not self._depth or (self._hidden == b"head" and tag.name == b"body"):
            self._hidden = b""

    def _paragraph(self, tag: HtmlTag) -> None:
        self._writer.end_paragraph()
        if tag.name in (b"ul", b"ol"):
            if not tag.is_end:
                self._lists.append(0 if tag.name == b"ol" else None)
            elif self._lists:
                self._lists.pop()
        elif tag.name == b"pre":
            self._preformatted = max(self._preformatted + (-1 if tag.is_end else 1), 0)

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._writer.write("- ")
        else:
            self._lists[-1] = number + 1
            self._writer.write(f"{number + 1}. ")

    def _anchor(self, tag: HtmlTag) -> None:
        self._end_link()
        target = "" if tag.is_end else self._target(tag)
        if target:
            self._link = _Link(target, [], self._writer.words)

    def _target(self, tag: HtmlTag) -> str:
        raw = self._attributes(tag).get(b"href") or b""
        target = unescaped(raw.decode(self._charset, "replace")).strip()
        is_told = is_web_target(target) or target.lower().startswith(("mailto:", "tel:")) or "{{" in target
        return target if is_told and not any(char in target for char in "<>\r\n") else ""

    def _end_link(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        shown, target = _BLANKS.sub(" ", "".join(link.said)).strip(), link.target
        if _bare(shown) == _bare(target):
            return
        self._writer.separate()
        self._writer.write(target if not shown and is_web_target(target) else f"<{target}>")

    def _void(self, tag: HtmlTag) -> None:
        if tag.name == b"br":
            self._writer.end_line()
        elif tag.name == b"hr":
            self._writer.end_line()
            self._writer.write(_RULE)
            self._writer.end_line()
        elif tag.name == b"img":
            self._say(unescaped((self._attributes(tag).get(b"alt") or b"").decode(self._charset, "replace")))

    def _attributes(self, tag: HtmlTag) -> dict[bytes, bytes | None]:
        return {each.name: each.value for each in attributes(self._html, tag.name_end, tag.end)}


def _bare(target: str) -> str:
    """Return a target, or what a link shows, without what people leave out."""
    return _SCHEME.sub("", target, count=1).rstrip("/").casefold()
