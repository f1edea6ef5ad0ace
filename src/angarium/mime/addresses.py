"""Mailbox lists as header fields write them (RFC 5322 §3.4): names, comments, quoted strings, groups, routes.

Everything that looks like an address is found, also where the list is not quite right: whether a login may write as an
author is decided from what is found, so a second address must not hide behind a first.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import idna

from angarium.mime.words import CONTROLS, decode_words

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\[[^\]]*+\]?|[<>,:;()@]|[^"\[<>,:;()@ \t\r\n]++', re.S)
_COMMENT_PART = re.compile(r"[^()\\]++|\\.?|[()]", re.S)
_PAIR = re.compile(r"\\(.)", re.S)
_LDH = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_LITERAL = re.compile(r"\[[0-9A-Za-z:.]+\]")
_DOT_STRING = re.compile(
    r"[^\s\"\\()<>\[\]:;@,.\x00-\x1f\x7f]++(?:\.[^\s\"\\()<>\[\]:;@,.\x00-\x1f\x7f]++)*+"
)
_LONGEST_DOMAIN = 255
_SAID_TWICE = re.compile(r"([-A-Za-z0-9.+_]++@[-A-Za-z0-9.]++)[ \t]*+(<\1>)")
"""An address for its own name, as scripts write it: whichever a reader takes, it is the same."""


def _plain_field() -> re.Pattern[str]:
    """Return the grammar of fields in which no reader finds other addresses than the next one.

    Blanks are space and tab. Addresses are bare or in angle brackets, in one piece, without a source route. Names and
    comments cannot be taken for addresses: an @ stands in a quoted string before angle brackets, without any other
    special character, or not at all. A list may be a group, or have groups in it.
    """
    control = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
    special = r"()<>\[\]:;@\\,\""
    text = rf"[^{special}{control}]"
    atom = rf"[^{special}{control}\s.]++"
    comment = rf"\([^()<>@\\\"{control}]*+\)"
    quoted = rf'"(?:[^"\\@{control}]|\\[^@{control}])*+"'
    words = rf"(?:{text}++|{quoted}|{comment})*+"
    name = rf'(?:{text}++|{quoted}|"(?:{text}|@)*+"|{comment})*+'
    blank = rf"(?:[ \t]|{comment})*+"
    address = rf'(?:{atom}(?:\.{atom})*+|"{text}++")@{atom}(?:\.{atom})*+'
    entry = rf"(?>{name}<{address}>{blank}|{blank}{address}{blank}|{words})"
    group = rf"(?>{words}:{entry}(?:,{entry})*+;{blank})"
    return re.compile(rf"(?:{group}|{entry})(?:,(?:{group}|{entry}))*+")


_PLAIN_FIELD = _plain_field()


class FieldMailbox(NamedTuple):
    """One mailbox of a field. *name* is the display name in plain text, or empty; *address* what was written,
    without comments and blanks; *domain* its domain in lower-case A-labels, or an address literal."""

    name: str
    address: str
    domain: str


_UNREADABLE = FieldMailbox("", "", "")


class MailboxList(NamedTuple):
    """What a field names. *is_whole* is False when something with an @ in it could not be read: a mail program may
    make a mailbox of that."""

    mailboxes: tuple[FieldMailbox, ...]
    is_whole: bool


def mailboxes(value: str) -> list[FieldMailbox]:
    """Return the mailboxes in an unfolded field value, in order, those in groups included.

    What is no mailbox is passed over; an empty list means that there is no usable one.
    """
    return list(read_mailboxes(value).mailboxes)


def read_mailboxes(value: str, *, takes_local: bool = False) -> MailboxList:
    """Read an unfolded field value. Takes time in proportion to the length.

    With *takes_local* a word without a domain is a mailbox too, of an empty *domain*, as users of one machine write to
    each other; what is neither makes the list not whole.
    """
    make = _local_mailbox if takes_local else _mailbox
    found: list[FieldMailbox | None] = []
    words: list[str] = []
    inside: list[str] | None = None  # what stands in angle brackets, while they are open
    for token in _tokens(value):
        if inside is not None:
            inside = _inside(inside, token, words, found, make)
        elif token == "<":
            inside = []
        elif token in (",", ";"):
            found.append(make("", words))
            words.clear()
        elif token == ":":  # a group begins, its name was no mailbox
            found.append(_UNREADABLE if "@" in words else None)
            words.clear()
        else:
            words.append(token)
    found.append(make("", words if inside is None else inside))
    return MailboxList(
        tuple(mailbox for mailbox in found if mailbox is not None and mailbox is not _UNREADABLE),
        _UNREADABLE not in found,
    )


def reads_alike(value: str) -> bool:
    """Whether every program finds the same addresses in an unfolded field value as `mailboxes`.

    Programs differ over an @ in a name, over source routes and odd blanks, over encoded words that hold an address,
    and over domains beyond ASCII. Takes time in proportion to the length.
    """
    twice = _SAID_TWICE.fullmatch(value)
    if twice is not None:
        value = twice[2]
    if _PLAIN_FIELD.fullmatch(value) is None:
        return False
    found = read_mailboxes(value)
    return found.is_whole and _hides_nothing(value) and all(map(_is_one_domain, found.mailboxes))


def _hides_nothing(value: str) -> bool:
    """Whether encoded words can be read, and none of them has an address or a line break in it."""
    if "=?" not in value:
        return True
    plain = decode_words(value)
    return "=?" not in plain and plain.count("@") == value.count("@") and CONTROLS.search(plain) is None


def _is_one_domain(mailbox: FieldMailbox) -> bool:
    """Whether the address is no encoded word, and its domain the same to programs that know IDNA 2003 only."""
    if "=?" in mailbox.address:
        return False
    domain = mailbox.address.rpartition("@")[2]
    if domain.isascii():
        return True
    try:
        return domain.encode("idna").decode("ascii").lower() == mailbox.domain
    except UnicodeError:
        return False


def _inside(
    inside: list[str],
    token: str,
    words: list[str],
    found: list[FieldMailbox | None],
    make: Callable[[str, list[str]], FieldMailbox | None],
) -> list[str] | None:
    """Take a token in angle brackets; None when it closes them. Source routes are dropped (RFC 5322 §4.4)."""
    if token == ">":
        found.append(make(_phrase(words), inside))
        words.clear()
        return None
    if token == ":":
        return []
    inside.append(token)
    return inside


def ascii_domain(text: str) -> str | None:
    """Return a domain in lower-case A-labels, an address literal as it is, None for anything else."""
    if len(text) > _LONGEST_DOMAIN:
        return None
    text = text.removesuffix(".")
    if _LDH.fullmatch(text) is not None or _LITERAL.fullmatch(text) is not None:
        return text.lower()
    return None if text.isascii() else _encode_idn(text)


@lru_cache(4096)
def _encode_idn(text: str) -> str | None:
    try:
        return idna.encode(unicodedata.normalize("NFC", text.lower()), std3_rules=True).decode("ascii")
    except UnicodeError:
        return None


def _tokens(value: str) -> Iterator[str]:
    """Yield quoted strings, domain literals, specials and the words between them, without comments."""
    at = 0
    while (match := _TOKEN.search(value, at)) is not None:
        at = match.end()
        if match[0] == "(":
            at = _end_of_comment(value, at)
        elif match[0] != ")":
            yield match[0]


def _end_of_comment(value: str, at: int) -> int:
    depth = 1
    for match in _COMMENT_PART.finditer(value, at):
        depth += (match[0] == "(") - (match[0] == ")")
        if not depth:
            return match.end()
    return len(value)


def _phrase(words: list[str]) -> str:
    text = " ".join(
        _PAIR.sub(r"\1", word[1:].removesuffix('"')) if word[0] == '"' else word for word in words
    )
    return decode_words(text)


def _mailbox(name: str, words: list[str]) -> FieldMailbox | None:
    """Put an address together: words may stand apart only beside a dot or an @. None: nothing tries to be one."""
    if "@" not in words:
        return None
    last = len(words) - 1 - words[::-1].index("@")
    local, domain = _joined(words[:last]), _joined(words[last + 1 :])
    if local is None or domain is None or not _is_local(local):
        return _UNREADABLE
    checked = ascii_domain(domain)
    return _UNREADABLE if checked is None else FieldMailbox(name, f"{local}@{domain}", checked)


def _local_mailbox(name: str, words: list[str]) -> FieldMailbox | None:
    """Put an address together that need not have a domain."""
    if "@" in words or not words:
        return _mailbox(name, words)
    local = _joined(words)
    return FieldMailbox(name, local, "") if local is not None and _is_local(local) else _UNREADABLE


def _joined(words: list[str]) -> str | None:
    for before, after in pairwise(words):
        if not (before.endswith(".") or after.startswith(".")):
            return None
    return "".join(words)


def _is_local(text: str) -> bool:
    if text.startswith('"'):
        return (
            CONTROLS.search(text) is None
            and len(text) >= 2
            and text.endswith('"')
            and text.count('"', 1) == text.count('\\"', 1) + 1
        )
    return _DOT_STRING.fullmatch(text) is not None
