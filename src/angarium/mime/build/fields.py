"""Header fields, written: folded, encoded where they are not ASCII, and never more than the one field.

RFC 5322 §2.1.1, §2.2.3; RFC 2047; RFC 2231.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from angarium.core.fields import NamedMailbox
from angarium.mime.words import CONTROLS, encode_words, written

_LINE: Final = 76
_LONGEST_LINE: Final = 998
_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_TOKEN: Final = re.compile(r"[-A-Za-z0-9!#$&^_.+]+")
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")


def is_field_name(name: str) -> bool:
    """Whether a field may be called so (RFC 5322 §2.2)."""
    return _NAME.fullmatch(name) is not None


def text_field(name: str, text: str) -> str:
    """Return a field of free text, with its CRLF. Line ends and other controls in *text* become blanks: it is one
    field, whatever it holds.
    """
    value = CONTROLS.sub(" ", text).strip(" ")
    if (
        not value.isascii()
        or "=?" in value
        or any(len(word) > _LONGEST_LINE - len(name) for word in value.split(" "))
    ):
        value = encode_words(value)
    else:
        value = _folded(value.split(" "), len(name) + 2)
    return f"{name}: {value}\r\n"


def mailbox_field(name: str, mailboxes: Iterable[NamedMailbox]) -> str:
    """Return a field of addresses, with its CRLF. Raises ValueError for an address that cannot be one: with controls or
    angle brackets, it could be read as another.
    """
    items = [_mailbox(mailbox) for mailbox in mailboxes]
    value = _folded([f"{item}," for item in items[:-1]] + items[-1:], len(name) + 2)
    return f"{name}: {value}\r\n"


def _mailbox(mailbox: NamedMailbox) -> str:
    if (
        CONTROLS.search(mailbox.address)
        or any(mark in mailbox.address for mark in "<> ")
        or not mailbox.address
    ):
        raise ValueError(f"{mailbox.address[:80]!r} is no address")
    return written(mailbox.name, mailbox.address)


def _folded(words: list[str], used: int) -> str:
    """Join *words* by blanks, and by folds where a line would get longer than 76. An empty word keeps its blank."""
    lines, length = [words[0] if words else ""], used + len(words[0] if words else "")
    for word in words[1:]:
        # a line of blanks alone is none: readers take it for the end of the header
        if length + 1 + len(word) > _LINE and lines[-1].strip() and word.strip():
            lines.append(word)
            length = 1 + len(word)
        else:
            lines[-1] += f" {word}"
            length += 1 + len(word)
    return "\r\n ".join(lines)


def parameter(name: str, value: str) -> str:
    """Return `; name=value` of a MIME field: quoted, or in UTF-8 as RFC 2231 has it."""
    value = CONTROLS.sub(" ", value)
    if not value.isascii() or len(value) > 200:
        return f";\r\n {name}*=utf-8''{quote(value, safe='')}"
    if _TOKEN.fullmatch(value):
        return f"; {name}={value}"
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f';\r\n {name}="{escaped}"'
