"""The modifiers of the personalisation language: `{$name|trim|toupper}`.

Each gets a value and its arguments, and raises ValueError with a sentence for what it cannot do. A list is left alone
by those that change text. Where the vendor's pages and engine differ, the engine is followed, but for what is plainly a
slip of it: docs/templates.md has the table.
"""

import base64
import binascii
import hashlib
import html
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_plus

import re2

from angarium.render.languages.smarty.operators import as_number, is_true, printed
from angarium.render.languages.values import MISSING, Value, is_list

LONGEST_VALUE: Final = 1_000_000
"""Characters that a modifier may make."""

_PATTERN_BYTES: Final = 1 << 20

Modifier = Callable[..., Value]


def _within(length: int) -> None:
    if length > LONGEST_VALUE:
        raise ValueError(f"a modifier makes {LONGEST_VALUE} characters at most")


def _of_text(change: Callable[..., Value]) -> Modifier:
    """Make a modifier of what changes a string; it leaves lists and objects alone."""

    def modifier(value: Value, *arguments: Value) -> Value:
        if is_list(value) or isinstance(value, dict):
            return value
        return change(printed(value), *arguments)

    return modifier


def _whole(value: Value) -> int:
    number = as_number(value)
    return int(number) if math.isfinite(number) else 0


def _default(value: Value, instead: Value = "") -> Value:
    return instead if value is None or value is MISSING or value == "" else value


def _count(value: Value) -> int:
    return len(value) if is_list(value) or isinstance(value, dict) else 0


def _cat(text: str, more: Value = "") -> str:
    return text + printed(more)


def _characters(text: str, with_blanks: Value = False) -> int:
    return len(text) if is_true(with_blanks) else len("".join(text.split()))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=False).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def _escaped(text: str, how: Value = "html") -> str:
    match printed(how).lower():
        case "html":
            return html.escape(text).replace("&#x27;", "&apos;")
        case "url":
            return quote(text, safe="")
        case "base64":
            return _encoded(text)
        case other:
            raise ValueError(f"there is no escape for {other[:40]!r}: write html, url or base64")


def _indented(text: str, count: Value = 4, char: Value = " ") -> str:
    lines = text.split("\n")
    before = min(max(_whole(count), 0), LONGEST_VALUE)
    _within(len(text) + len(lines) * before * len(printed(char)))
    return "\n".join(printed(char) * before + line for line in lines)


def _range(text: str, start: Value = 1, length: Value = None) -> str:
    """From the character *start*, counted from 1, so many."""
    begin = max(_whole(start), 1) - 1
    return text[begin:] if length is None else text[begin : begin + max(_whole(length), 0)]


def _substr(text: str, start: Value = 0, length: Value = None) -> str:
    begin = _whole(start)
    begin = max(len(text) + begin, 0) if begin < 0 else begin
    return text[begin:] if length is None else text[begin : begin + max(_whole(length), 0)]


def _replaced(text: str, old: Value = "", new: Value = "") -> str:
    found, instead = printed(old), printed(new)
    if not found:
        return text
    _within(len(text) + text.count(found) * (len(instead) - len(found)))
    return text.replace(found, instead)


def _regex_replaced(text: str, pattern: Value = "", new: Value = "") -> str:
    instead, written = re.sub(r"\$([0-9])", r"\\\1", printed(new)), 0
    options = re2.Options()
    options.max_mem, options.log_errors = _PATTERN_BYTES, False
    try:
        compiled = re2.compile(printed(pattern), options)
    except re2.error as error:
        raise ValueError(f"the pattern of regex_replace is none: {error}") from error

    def put(match: Any) -> str:
        nonlocal written
        try:
            made: str = match.expand(instead)
        except (re2.error, IndexError) as error:
            raise ValueError(f"what regex_replace puts in names no group of its pattern: {error}") from error
        written += len(made)
        _within(written)
        return made

    return str(compiled.sub(put, text))


def _spaced(text: str, between: Value = " ") -> str:
    _within(len(text) * (1 + len(printed(between))))
    return printed(between).join(text)


def _strstr(text: str, part: Value = "", before: Value = False) -> str:
    at = text.find(printed(part))
    if at < 0:
        return ""
    return text[:at] if is_true(before) else text[at:]


def _truncated(text: str, length: Value = 80, mark: Value = "...", breaks_words: Value = False) -> str:
    most, end = max(_whole(length), 0), printed(mark)
    if len(text) <= most:
        return text
    kept = text[: max(most - len(end), 0)]
    if not is_true(breaks_words) and " " in kept and not text[len(kept) : len(kept) + 1].isspace():
        kept = kept.rsplit(" ", 1)[0]
    return kept + end


def _number(value: Value, decimals: Value = 0, point: Value = ".", thousands: Value = ",") -> str:
    places = min(max(_whole(decimals), 0), 20)
    number = as_number(value)
    whole = f"{number:,.{places}f}" if abs(number) < 1e30 else printed(number)
    return whole.translate({ord(","): printed(thousands), ord("."): printed(point)})


def _date(value: Value, shape: Value = "%Y-%m-%d") -> str:
    """Seconds since 1970, in UTC."""
    try:
        return datetime.fromtimestamp(as_number(value), UTC).strftime(printed(shape)[:100])
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError("date_format wants seconds since 1970 and a pattern such as %d.%m.%Y") from error


def _digest(text: str, name: str) -> str:
    return hashlib.new(name, text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def hashed(value: Value, name: Value = "sha256") -> str:
    """`{hash($x, 'sha256')}`. Raises ValueError for another method than sha256, sha512, sha1 and md5."""
    method = printed(name).lower()
    if method not in ("sha256", "sha512", "sha1", "md5"):
        raise ValueError(f"there is no hash {method[:40]!r}: write sha256, sha512, sha1 or md5")
    return _digest(printed(value), method)


_TEXT: Final[dict[str, Callable[..., Value]]] = {
    "base64_decode": _decoded,
    "base64_encode": _encoded,
    "capitalize": lambda text: re.sub(r"\w\S*", lambda word: word[0][:1].upper() + word[0][1:], text),
    "cat": _cat,
    "count_characters": _characters,
    "count_paragraphs": lambda text: len([line for line in text.split("\n") if line.strip()]),
    "count_words": lambda text: len(text.split()),
    "escape": _escaped,
    "indent": _indented,
    "lower": str.lower,
    "md5": lambda text: _digest(text, "md5"),
    "nl2br": lambda text: text.replace("\n", "<br />\n"),
    "range": _range,
    "regex_replace": _regex_replaced,
    "replace": _replaced,
    "sha1": lambda text: _digest(text, "sha1"),
    "spacify": _spaced,
    "strlen": len,
    "strpos": lambda text, part="": text.find(printed(part)),
    "strstr": _strstr,
    "substr": _substr,
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": str.strip,
    "truncate": _truncated,
    "ucfirst": lambda text: text[:1].upper() + text[1:],
    "upper": str.upper,
    "urldecode": lambda text: unquote_plus(text, errors="replace"),
    "urlencode": quote_plus,
}

MODIFIERS: Final[dict[str, Modifier]] = {
    "count": _count,
    "date_format": _date,
    "default": _default,
    "number_format": _number,
    **{name: _of_text(change) for name, change in _TEXT.items()},
}

MOST_ARGUMENTS: Final = {
    "cat": 1, "count_characters": 1, "date_format": 1, "default": 1, "escape": 1, "indent": 2, "number_format": 3,
    "range": 2, "regex_replace": 2, "replace": 2, "spacify": 1, "strpos": 1, "strstr": 2, "substr": 2, "truncate": 3,
}  # fmt: skip
"""How many arguments a modifier takes; those that are not here take none."""


def modified(name: str, value: Value, arguments: list[Value]) -> Value:
    """Return *value* changed by the modifier *name*. Raises ValueError."""
    result = MODIFIERS[name](value, *arguments)
    if isinstance(result, str):
        _within(len(result))
    return result
