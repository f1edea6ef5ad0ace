"""From the text of a template to text and tags.

A brace begins a tag where a tag can be meant: before `$`, before a word of the language or its end. All else, the rules
of a style sheet above all, is text.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from angarium.core.suggest import closest
from angarium.render.languages.pieces import STRING, TagPieces, read_pieces
from angarium.render.languages.problem import Places, TemplateProblem, TemplateProblems

STATEMENTS: Final = (
    "if",
    "elseif",
    "else",
    "endif",
    "foreach",
    "foreachelse",
    "endforeach",
    "assign",
    "hash",
)
_ENDS: Final = {"/if": "endif", "/foreach": "endforeach"}

_OPENS: Final = re.compile(
    r"""
    \{\*
  | \{ (?P<word> /?[A-Za-z_]\w* ) (?= [\s}(] )
  | \{ (?= \$[A-Za-z_] )
  | \[ (?P<bracket> [lr]delim ) \]
    """,
    re.VERBOSE,
)
_LITERAL_END: Final = re.compile(r"\{/literal\}")
_PIECE: Final = re.compile(
    rf"""
    (?P<space> \s++ )
  | (?P<name> \$? [A-Za-z_] \w*+ (?: -+ \w++ )*+ )
  | (?P<number> [0-9]++ (?: \.[0-9]++ )? )
  | (?P<string> {STRING} )
  | (?P<mark> == | != | <> | <= | >= | => | \|\| | && | [<>=+\-*/%!|:()\[\].,] )
    """,
    re.VERBOSE | re.DOTALL,
)


class SmartyTag(NamedTuple):
    """A tag. *statement* is one of STATEMENTS, empty for `{$…}`; *pieces* follow it."""

    statement: str
    pieces: TagPieces
    offset: int


def read_tags(text: str, places: Places) -> Iterator[str | SmartyTag]:
    """Yield text and tags in turn. Raises TemplateProblems where a tag cannot be read; nothing after it is yielded."""
    end = 0
    while match := _OPENS.search(text, end):
        if match.start() > end:
            yield text[end : match.start()]
        found, end = _tag(text, match, places)
        if found:
            yield found
    if end < len(text):
        yield text[end:]


def _tag(text: str, match: re.Match[str], places: Places) -> tuple[str | SmartyTag, int]:
    """Return what begins at *match*, and where it ends."""
    word = match["word"]
    if match[0] == "{*":
        return _until(text, match, "*}", "comment", places)
    if match["bracket"] or word in ("ldelim", "rdelim"):
        end = match.end() if match["bracket"] else text.find("}", match.end()) + 1
        return ("{" if (match["bracket"] or word) == "ldelim" else "}"), end or len(text)
    if word == "literal":
        return _literal(text, match, places)
    statement = "" if word is None else _ENDS.get(word, word)
    if statement and statement not in STATEMENTS:
        raise TemplateProblems([_no_tag(match, places)])
    pieces = read_pieces(text, match.end(), "}", _PIECE, places)
    return SmartyTag(statement, pieces, match.start()), pieces.end


def _until(text: str, match: re.Match[str], closer: str, what: str, places: Places) -> tuple[str, int]:
    end = text.find(closer, match.end())
    if end < 0:
        problem = TemplateProblem(places.at(match.start()), f"this {what} is never ended", f"write {closer}")
        raise TemplateProblems([problem])
    return "", end + len(closer)


def _literal(text: str, match: re.Match[str], places: Places) -> tuple[str, int]:
    start = text.find("}", match.end()) + 1
    end = _LITERAL_END.search(text, start) if start else None
    if end is None:
        problem = TemplateProblem(places.at(match.start()), "this literal is never ended", "write {/literal}")
        raise TemplateProblems([problem])
    return text[start : end.start()], end.end()


def _no_tag(match: re.Match[str], places: Places) -> TemplateProblem:
    word = match["word"]
    likely = closest(word, [*STATEMENTS, *_ENDS, "literal", "ldelim", "rdelim"], 0.7)
    hint = (
        f"write {{{likely}" if likely else f"write {{${word}}} for a value, {{ldelim}} for the brace itself"
    )
    return TemplateProblem(places.at(match.start()), f"there is no tag {word[:40]!r}", hint, match[0][:40])
