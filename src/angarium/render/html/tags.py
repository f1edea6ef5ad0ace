"""Where the tags of an HTML document are, and their attributes, as the HTML standard's tokenizer has them (§13.2.5).

Over bytes, whatever the charset: in all that mail is written in, tags are ASCII. In time linear in the length: every
repetition is possessive, and what is never closed ends the document.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_ATTRIBUTE: Final = rb"""
    [^\t\n\f\r />] [^\t\n\f\r />=]*+
    (?: [\t\n\f\r ]*+ = [\t\n\f\r ]*+ (?: "[^"]*+" | '[^']*+' | (?!["']) [^\t\n\f\r >]*+ )
      | (?! [\t\n\f\r ]*+ = )
    )
"""
"""A name, and maybe a value. A quotation mark that is never closed makes it fail, and with it the tag: that is the end
of the document."""

_ATTRIBUTES: Final = rb"(?: [\t\n\f\r /]++ | " + _ATTRIBUTE + rb" )*+"
"""All that stands in a tag after its name."""

RAW_TEXT: Final = (
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
    b"iframe",
    b"noembed",
    b"noframes",
)
"""Elements whose inside has no tags."""

_COMMENT: Final = rb"""
    <!-- (?: -?> | (?: [^\-]++ | -(?! -!?> ) )*+ (?: --!?> | \Z ) )
"""
_NO_TAG: Final = rb"""
    < (?: [!?] | / (?! [a-z] ) ) [^>]*+ (?: > | \Z )
"""
"""What only looks like a tag."""

_SKIPPED: Final = (
    _COMMENT
    + rb"""
  | < (?P<raw> """
    + b"|".join(RAW_TEXT)
    + rb""" ) (?= [\t\n\f\r />] ) (?P<inside> """
    + _ATTRIBUTES
    + rb""" ) > [^<]*+ (?: < (?! / (?P=raw) [\t\n\f\r />] ) [^<]*+ )*+
  | """
    + _NO_TAG
)
"""What has no tags in it: comments, Outlook's conditionals among them; raw text; what only looks like a tag."""

_VERBOSE: Final = re.VERBOSE | re.IGNORECASE

_TAGS: Final = re.compile(
    _SKIPPED
    + rb"| < (?P<slash> /? ) (?P<name> [a-z] [^\t\n\f\r />]*+ ) "
    + _ATTRIBUTES
    + rb"> | (?P<broken> </?[a-z] )",
    _VERBOSE,
)
_EACH_ATTRIBUTE: Final = re.compile(
    rb"""
    [\t\n\f\r /]*+
    (?P<name> [^\t\n\f\r />] [^\t\n\f\r />=]*+ )
    (?: [\t\n\f\r ]*+ = [\t\n\f\r ]*+
        (?: "(?P<double> [^"]*+ )" | '(?P<single> [^']*+ )' | (?P<bare> [^\t\n\f\r >]*+ ) ) )?+
    """,
    _VERBOSE,
)


_COMMENTS: Final = re.compile(_COMMENT + b"|" + _NO_TAG, _VERBOSE)
_BROKEN: Final = re.compile(rb"</?[a-z]", re.IGNORECASE)


class HtmlTag(NamedTuple):
    """A tag: its name in lower case, and where it is, with `<` and `>`. *name_end* is where its attributes begin."""

    name: bytes
    is_end: bool
    start: int
    name_end: int
    end: int


class HtmlAttribute(NamedTuple):
    """An attribute: its name in lower case, the raw value (None: it has none), and where this is, without quotes.
    *start* and *end* are those of the whole, without the blanks before.
    """

    name: bytes
    value: bytes | None
    value_start: int
    value_end: int
    start: int
    end: int


def html_tags(html: bytes) -> Iterator[HtmlTag]:
    """Yield every tag. A tag that is not ended is none, and what follows it is not looked at."""
    for match in _TAGS.finditer(html):
        if match["broken"]:
            return
        if match["name"]:
            name, is_end = match["name"].lower(), bool(match["slash"])
            yield HtmlTag(name, is_end, match.start(), match.end("name"), match.end())
        elif match["raw"]:
            raw = match["raw"].lower()
            yield HtmlTag(raw, False, match.start(), match.end("raw"), match.end("inside") + 1)


def without_comments(text: bytes, *, to_broken_tag: bool = False) -> bytes:
    """Return what stands between two tags without its comments; *to_broken_tag*: what stands behind the last tag, as
    far as one that is not ended.
    """
    if b"<" not in text:
        return text
    text = _COMMENTS.sub(b"", text)
    broken = _BROKEN.search(text) if to_broken_tag else None
    return text if broken is None else text[: broken.start()]


def attributes(html: bytes, start: int, end: int) -> list[HtmlAttribute]:
    """Return the attributes that stand between the name of a tag, which ends at *start*, and its `>`, before *end*. Of
    two with the same name the first counts, and is returned alone.
    """
    found: dict[bytes, HtmlAttribute] = {}
    offset = start
    while match := _EACH_ATTRIBUTE.match(html, offset, end - 1):
        group = match.lastgroup or "name"
        value = match[group] if group != "name" else None
        attribute = HtmlAttribute(
            match["name"].lower(),
            value,
            match.start(group),
            match.end(group),
            match.start("name"),
            match.end(),
        )
        found.setdefault(attribute.name, attribute)
        offset = match.end()
    return list(found.values())
