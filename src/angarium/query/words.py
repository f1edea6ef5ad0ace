"""What a word is, where text is searched by words: the same when it is stored, when it is asked for, and when it is
compared.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

# An ideograph or a kana is a word by itself, as these scripts leave no space between words: two of them in a row are
# asked for as a phrase.
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")
# A word as it is written, with the marks that folding takes away.
_MARKABLE = re.compile(rf"[{_ALONE}]|(?:[^\W_{_ALONE}]|[\u0300-\u036f])+")
_ASCII_WORD = re.compile("[a-z0-9]+")
LONGEST = 64
"""Characters of a word that count. No word that somebody types is longer, and a mail may hold a line of any length."""


def words(text: str) -> list[str]:
    """Return the words of *text* in order: runs of letters and digits, case and diacritics taken away."""
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    else:
        found = _WORD.findall(folded(text))
    return [word[:LONGEST] for word in found]


def folded(text: str) -> str:
    """Return *text* as it is compared: without regard to case, width, ligatures and diacritics."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


@lru_cache(maxsize=1024)
def pattern_of(glob: str) -> Any:
    """Return the RE2 pattern of a glob: `*` stands for any characters, `?` for one, and a backslash takes the meaning
    from what follows. Its `fullmatch` takes time linear in the text, however many stars there are. *glob* is folded.
    """
    parts = re.findall(r"\\(.)|(\*+)|(\?)|([^\\*?]+)", glob, re.DOTALL)
    return re2.compile(
        "(?s)"
        + "".join(
            re2.escape(escaped or plain) if escaped or plain else ".*" if star else "."
            for escaped, star, _, plain in parts
        )
    )


def word_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Give each word of *text* with where it begins and ends there, as `words` has it: for marking it."""
    for match in _MARKABLE.finditer(text):
        for word in words(match[0]):
            yield match.start(), match.end(), word
