"""From the text of a configuration file to its tokens, in time linear in its length, whatever it holds."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from angarium.config.problems import Position, ProblemList, SourceText

Kind = Literal["word", "string", "=", "{", "}", "[", "]", "(", ")", ",", "end"]

TYPOGRAPHIC = "“”„‟«»‹›‘’‚‛`´′″"
"""Marks that word processors and web pages put where quotes are meant."""
_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"

# Possessive quantifiers: text that is not closed must not be tried again from every place in it.
_TOKEN = re.compile(
    rf"""
    (?P<space> \s++ | \#[^\n]*+ )
  | (?P<comment> /\* )
  | (?P<punctuation> [={{}}\[\](),] )
  | "(?P<string> (?: [^"\\\n\x00-\x08\x0b-\x1f\x7f]++ | \\" | \\(?!") )*+ )"
  | '(?P<single> [^'\n\x00-\x08\x0b-\x1f\x7f]*+ )'
  | (?P<mixed> ["'] [^"'\n{TYPOGRAPHIC}]*+ [{TYPOGRAPHIC}] )
  | (?P<typographic> [{TYPOGRAPHIC}] (?: [^"'\n{TYPOGRAPHIC}]{{0,200}}+ ["'{TYPOGRAPHIC}] | [^\s"'{TYPOGRAPHIC}]*+ ) )
  | (?P<open> ["'] (?: [^\n{{}}]{{0,200}}+ (?= \{{ [^\n]{{0,200}} (?:\n|\Z) ) | [^\n]*+ ) )
  | (?P<word> (?: [^\s\#"'={{}}\[\](),/\x00-\x1f\x7f{TYPOGRAPHIC}{_INVISIBLE}]++ | /(?!\*) )++ )
    """,
    re.VERBOSE,
)
_UNQUOTED_PATTERN = re.compile(r'/(?!\*)[^"\n]{1,1000}?/(?=\s*+\{)')
_TAKES_PATTERN = ("domain", "host")


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
        match = _pattern_after(tokens, text, offset) or _TOKEN.match(text, offset)
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
            wrong = _WRONG.get(match.lastgroup)
            inside = wrong is not None and (match[0] in TYPOGRAPHIC or _goes_on(text, offset))
            if wrong is not None:
                message, hint = wrong(match[0])
                problems.add(Position(source, offset), message, _WHOLE if inside else hint)
            if not inside:
                tokens.append(_token(match, fresh))
            fresh = False
            offset = match.end()
    tokens.append(Token("end", "", len(text), True))
    return tokens


def _pattern_after(tokens: list[Token], text: str, offset: int) -> re.Match[str] | None:
    """Return the `/…/` that names a stanza without quotes, as Momentum's users write it, parentheses and all."""
    if text[offset] != "/" or not tokens or tokens[-1].text.lower() not in _TAKES_PATTERN:
        return None
    return _UNQUOTED_PATTERN.match(text, offset)


def _goes_on(text: str, offset: int) -> bool:
    """Whether what begins at *offset* is the rest of a word, as in `it's`."""
    return offset > 0 and (text[offset - 1].isalnum() or text[offset - 1] in "./-_")


def _token(match: re.Match[str], fresh: bool) -> Token:
    if match.lastgroup == "punctuation":
        kind: Kind = match[0]  # type: ignore[assignment]
        return Token(kind, match[0], match.start(), fresh)
    if match.lastgroup == "word":
        return Token("word", match[0], match.start(), fresh)
    return Token("string", _content(match), match.start(), fresh)


def _content(match: re.Match[str]) -> str:
    if match.lastgroup == "string":
        return match["string"].replace('\\"', '"')
    if match.lastgroup == "single":
        return match["single"]
    return match[0].strip().strip(_QUOTES)


def _comment_end(source: SourceText, offset: int, problems: ProblemList) -> int:
    end = source.text.find("*/", offset + 2)
    if end >= 0:
        return end + 2
    problems.add(Position(source, offset), "this comment is never closed", "end it with */")
    return len(source.text)


def _mixed(text: str) -> tuple[str, str]:
    return f"this text ends with {text[-1]}, which is a typographic quote", f"write {text[:-1]}{text[0]}"


def _typographic(text: str) -> tuple[str, str]:
    return f"{text[0]} is a typographic quote", f'write "{text.strip(_QUOTES)}"'


def _open(text: str) -> tuple[str, str]:
    inside = '; write \\" for a quote inside' if text[0] == '"' else ""
    return "this text is not closed on its line", f"end it with {text[0]}{inside}"


_WHOLE = 'put the whole value into double quotes: "…"'
_QUOTES = f"\"'{TYPOGRAPHIC}"
_WRONG: dict[str | None, Callable[[str], tuple[str, str]]] = {
    "mixed": _mixed,
    "typographic": _typographic,
    "open": _open,
}


def _note_control(source: SourceText, offset: int, problems: ProblemList) -> None:
    at, code = Position(source, offset), ord(source.text[offset])
    if code < 0x80:
        problems.add(at, f"a control character (0x{code:02x}) cannot stand here")
    else:
        problems.add(at, f"an invisible character (U+{code:04X}) stands here", "take it out")
