"""From the text of a configuration file to its tokens, in time linear in its length, whatever it holds."""

import re
from typing import Literal, NamedTuple

from angarium.config.problems import Position, ProblemList, SourceText

Kind = Literal["word", "string", "=", "{", "}", "[", "]", "(", ")", ",", "end"]

# Possessive quantifiers: text that is not closed must not be tried again from every place in it.
_TOKEN = re.compile(
    r"""
    (?P<space> \s++ | \#[^\n]*+ )
  | (?P<comment> /\* )
  | (?P<punctuation> [={}\[\](),] )
  | "(?P<string> (?: [^"\\\n\x00-\x08\x0b-\x1f\x7f]++ | \\" | \\(?!") )*+ )"
  | (?P<wrong> "[^\n]*+ | '[^'\n]*+'? )
  | (?P<word> (?: [^\s\#"'={}\[\](),/\x00-\x1f\x7f]++ | /(?!\*) )++ )
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of the text. *starts_line*: it is the first on its line, comments aside."""

    kind: Kind
    text: str
    offset: int
    starts_line: bool

    @property
    def is_scalar(self) -> bool:
        """Whether it can be a value."""
        return self.kind in ("word", "string")


def tokenize(source: SourceText, problems: ProblemList) -> list[Token]:
    """Return all tokens, the last of kind `end`. What cannot be one is noted as a problem."""
    tokens: list[Token] = []
    text, offset, fresh = source.text, 0, True
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            _note_control(source, offset, problems)
            offset += 1
        elif match.lastgroup == "space":
            fresh = fresh or "\n" in match[0]
            offset = match.end()
        elif match.lastgroup == "comment":
            end = _comment_end(source, offset, problems)
            fresh = fresh or "\n" in text[offset:end]
            offset = end
        else:
            if match.lastgroup == "wrong":
                _note_quote(source, offset, problems)
            tokens.append(_token(match, fresh))
            fresh = False
            offset = match.end()
    tokens.append(Token("end", "", len(text), True))
    return tokens


def _token(match: re.Match[str], fresh: bool) -> Token:
    if match.lastgroup == "word":
        return Token("word", match[0], match.start(), fresh)
    if match.lastgroup == "string":
        return Token("string", match["string"].replace('\\"', '"'), match.start(), fresh)
    if match.lastgroup == "wrong":
        return Token("string", match[0].strip("'\""), match.start(), fresh)
    kind: Kind = match[0]  # type: ignore[assignment]
    return Token(kind, match[0], match.start(), fresh)


def _comment_end(source: SourceText, offset: int, problems: ProblemList) -> int:
    end = source.text.find("*/", offset + 2)
    if end >= 0:
        return end + 2
    problems.add(Position(source, offset), "this comment is never closed", "end it with */")
    return len(source.text)


def _note_quote(source: SourceText, offset: int, problems: ProblemList) -> None:
    at = Position(source, offset)
    if source.text[offset] == "'":
        problems.add(at, "a single quote cannot stand here", 'put values into double quotes: "…"')
    else:
        problems.add(at, "this text is not closed on its line", 'end it with "; write \\" for a quote inside')


def _note_control(source: SourceText, offset: int, problems: ProblemList) -> None:
    code = ord(source.text[offset])
    problems.add(Position(source, offset), f"a control character (0x{code:02x}) cannot stand here")
