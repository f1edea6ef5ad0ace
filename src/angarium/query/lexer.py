"""A query's pieces, by the rules of Lucene's classic query parser (3.0), in time linear in its length."""

import re
from typing import Literal, NamedTuple

from angarium.query.problem import QueryProblem

TokenKind = Literal[
    "term",
    "phrase",
    "and",
    "or",
    "not",
    "+",
    "-",
    "(",
    ")",
    "[",
    "{",
    "]",
    "}",
    ":",
    "compare",
    "~",
    "^",
    "end",
]

# What has a meaning in Lucene cannot stand in a word, but for + and -, which can within one. Possessive throughout.
_TOKEN = re.compile(
    r"""
    (?P<space> [\s\u3000]++ )
  | (?P<and> && | AND(?=[\s\u3000()"] | $) )
  | (?P<or> \|\| | OR(?=[\s\u3000()"] | $) )
  | (?P<not> ! | NOT(?=[\s\u3000()"] | $) )
  | (?P<mark> [+\-()\[\]{}:] )
  | "(?P<phrase> (?: [^"\\] | \\. )*+ )"
  | (?P<suffix> [~^] ) (?P<amount> [0-9.]*+ )
  | (?P<term> (?: [^\s\u3000+\-!():^\[\]"{}~\\] | \\. ) (?: [^\s\u3000!():^\[\]"{}~\\] | \\. )*+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPARE = re.compile(r"(?P<compare>[<>]=?)")
_MARKED = re.compile(r"\\(.)", re.DOTALL)
_TO = re.compile(r"[\s\u3000]+TO[\s\u3000]+")
_RANGE = re.compile(r'(?:[^\]}"\\]|\\.|"(?:[^"\\]|\\.)*+")*+', re.DOTALL)

ESCAPES = 'write a backslash before a character that has a meaning: + - && || ! ( ) { } [ ] ^ " ~ * ? : \\'


class QueryToken(NamedTuple):
    """A piece of the text at *offset*. *text* is raw: backslashes are in it; of a phrase, without the quotes."""

    kind: TokenKind
    text: str
    offset: int
    end: int


def plain(raw: str) -> str:
    """Return *raw* without the backslashes that take away a meaning."""
    return _MARKED.sub(r"\1", raw)


def tokenize(text: str) -> list[QueryToken]:
    """Return the pieces of *text*, the last of kind `end`. A range's inside is one term. Raises QueryProblem."""
    tokens: list[QueryToken] = []
    offset = 0
    while offset < len(text):
        after_field = bool(tokens) and tokens[-1].kind == ":"
        match = (_COMPARE.match(text, offset) if after_field else None) or _TOKEN.match(text, offset)
        if match is None:
            raise _no_token(text, offset)
        if match.lastgroup != "space":
            tokens.append(_token(match))
        offset = match.end()
        if tokens and tokens[-1].kind in ("[", "{") and tokens[-1].end == offset:
            tokens.append(_inside(text, offset))
            offset = tokens[-1].end
    return [*tokens, QueryToken("end", "", len(text), len(text))]


def _token(match: "re.Match[str]") -> QueryToken:
    kind, start, end = match.lastgroup, match.start(), match.end()
    if kind == "mark":
        return QueryToken(match[0], match[0], start, end)  # type: ignore[arg-type]
    if kind == "amount":
        return QueryToken(match["suffix"], match["amount"], start, end)  # type: ignore[arg-type]
    return QueryToken(kind, match[kind or 0], start, end)  # type: ignore[arg-type]


def _inside(text: str, offset: int) -> QueryToken:
    """Return what stands between the brackets of a range, which closes at the first `]` or `}`."""
    match = _RANGE.match(text, offset)
    end = offset if match is None else match.end()
    if end >= len(text) or text[end] not in "]}":
        raise QueryProblem(text, offset - 1, "this range is never closed", "write [low TO high]")
    return QueryToken("term", text[offset:end], offset, end)


def split_range(inside: QueryToken) -> tuple[QueryToken, QueryToken] | None:
    """Return the two ends of a range, None when there is no TO between them."""
    match = _TO.search(inside.text)
    if match is None or _TO.search(inside.text, match.end()):
        return None
    low, high = inside.text[: match.start()], inside.text[match.end() :]
    return _end(low, inside.offset), _end(high, inside.offset + match.end())


def _end(raw: str, offset: int) -> QueryToken:
    text = raw.strip()
    start = offset + len(raw) - len(raw.lstrip())
    if len(text) > 1 and text[0] == text[-1] == '"':
        return QueryToken("phrase", text[1:-1], start, start + len(text))
    return QueryToken("term", text, start, start + len(text))


def _no_token(text: str, offset: int) -> QueryProblem:
    if text[offset] == '"':
        return QueryProblem(
            text, offset, "this quotation mark has no second one", 'write \\" for the mark itself'
        )
    if text[offset] == "\\":
        return QueryProblem(text, offset, "nothing follows this backslash", "write \\\\ for a backslash")
    return QueryProblem(text, offset, f"{text[offset]!r} cannot stand here", ESCAPES)
