"""Encoded words (RFC 2047): text beyond ASCII in a header field, read and written, and names beside an address."""

import base64
import binascii
import re
from itertools import groupby

_WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?="
_RUN = re.compile(rf"{_WORD}(?:\s*{_WORD})*")
_PARTS = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\s]*)\?=")
_CHARSET = re.compile(
    r"utf-?(?:8|16(?:le|be)?|32)|(?:us-)?ascii|iso-?8859-?\d{1,2}|(?:windows-?|cp|ibm)\d{2,5}|koi8-[rut]"
    r"|gb2312|gbk|gb18030|big5(?:-?hkscs)?|shift[_-]jis|euc-?(?:jp|kr)|iso-?2022-(?:jp|kr)(?:-\d)?|mac-?roman",
    re.I,
)
"""Charsets that mail is written in. Python knows others, some of which take quadratic time; UTF-7 makes text of them
that cannot be encoded again."""
_ONE_WORD = re.compile(_WORD)
_ITEM = re.compile(rf"(?:{_WORD}|[^,])++")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""What no name has in it: control characters, and what Unicode takes for the end of a line."""
_ATOMS = re.compile(r"[-A-Za-z0-9!#$%&'*+/=?^_`{|}~ ]+")
_WORD_OCTETS = 42
"""Octets of text in one word: with charset and base64 it stays below 75 characters (RFC 2047 §2)."""


def decode_words(text: str) -> str:
    """Return *text* with its encoded words replaced by what they say; what cannot be read stays as it is."""
    return _RUN.sub(_decode_run, text) if "=?" in text else text


def is_encoded_whole(text: str) -> bool:
    """Whether *text* is encoded words of one charset and encoding, and nothing else: one text that a program encoded
    as a whole, in as many words as it took.
    """
    words = text.split()
    kinds = {word[: word.find("?", word.find("?", 2) + 1)] for word in words}
    return len(kinds) == 1 and all(_ONE_WORD.fullmatch(word) for word in words)


def decode_list(text: str) -> list[str]:
    """Return what stands between the commas of *text*, stripped, each with its encoded words decoded.

    A comma that an encoded word has in it, or says, separates nothing.
    """
    return [decode_words(item).strip() for item in _ITEM.findall(text)]


def encode_words(text: str) -> str:
    """Return *text* as encoded words in UTF-8, one a line of a folded field; characters stay whole."""
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(text))


def written(name: str, address: str) -> str:
    """Return a mailbox as a field holds it, all ASCII for an ASCII address. *name* may be anything."""
    name = CONTROLS.sub(" ", name).strip()
    if not name:
        return address
    if not name.isascii():
        return f"{encode_words(name)} <{address}>"
    if _ATOMS.fullmatch(name) is None:
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{address}>"


def _pieces(text: str) -> list[bytes]:
    pieces = [b""]
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(pieces[-1]) + len(octets) > _WORD_OCTETS:
            pieces.append(b"")
        pieces[-1] += octets
    return pieces


def _decode_run(run: re.Match[str]) -> str:
    """Decode neighbouring words, joined by charset first: some writers split a character between two words."""
    words = [(match[1].lower(), _octets(match[2], match[3])) for match in _PARTS.finditer(run[0])]
    if any(octets is None or _CHARSET.fullmatch(charset) is None for charset, octets in words):
        return run[0]
    try:
        return "".join(
            b"".join(octets or b"" for _, octets in group).decode(charset, "replace")
            for charset, group in groupby(words, key=lambda word: word[0])
        )
    except LookupError:
        return run[0]


def _octets(encoding: str, text: str) -> bytes | None:
    if not text.isascii():
        return None
    if encoding in "qQ":
        return binascii.a2b_qp(text.encode(), header=True)
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except ValueError:
        return None
