"""What a peer offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1)."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

import msgspec

from angarium.core.reply import Reply


class Extensions(msgspec.Struct, frozen=True):
    """The service extensions of one session; all absent after HELO.

    *size* is the largest message in bytes the peer takes, 0 when it set no limit, None without SIZE (RFC
    1870). *rcpt_max* and *mail_max* are its LIMITS (RFC 9422): recipients per transaction, transactions per
    session; None where it named none. *auth* holds SASL mechanisms in upper case, *xclient* what the peer
    believes us to know of clients, in upper case. *is_reduced*: it may offer more than is said here, as we
    had to say HELO, or have learnt to distrust something.
    """

    pipelining: bool = False
    chunking: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: int | None = None
    rcpt_max: int | None = None
    mail_max: int | None = None
    starttls: bool = False
    auth: tuple[str, ...] = ()
    xclient: tuple[str, ...] = ()
    is_reduced: bool = False


NO_EXTENSIONS: Final = Extensions()
AFTER_HELO: Final = Extensions(is_reduced=True)
"""What is known of a peer that has refused EHLO."""
_USUAL_CHARS = 1000
_LINE = re.compile(r"\s*([^\s=]+)[\s=]*(.*)", re.S)


def parse_extensions(reply: Reply, discarded: frozenset[str] = frozenset()) -> Extensions:
    """Read a positive reply to EHLO. Unknown keywords and senseless values are passed over.

    A keyword may stand in several lines, whose values add up, and be followed by `=` (both are for old clients, as
    `AUTH=LOGIN` beside `AUTH PLAIN`). *discarded* keywords, in upper case, count as not offered.
    """
    is_usual = len(reply.text) <= _USUAL_CHARS
    return _usually_offered(reply.text, discarded) if is_usual else _offered(reply.text, discarded)


def _offered(text: str, discarded: frozenset[str]) -> Extensions:
    offered: dict[str, list[str]] = {}
    for line in text.split("\n")[1:]:
        match = _LINE.fullmatch(line)
        if match is not None and match[1].upper() not in discarded:
            offered.setdefault(match[1].upper(), []).extend(match[2].split())
    limits = _limits(offered.get("LIMITS", []))
    return Extensions(
        pipelining="PIPELINING" in offered,
        chunking="CHUNKING" in offered,
        eight_bit_mime="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        dsn="DSN" in offered,
        size=_size(offered["SIZE"]) if "SIZE" in offered else None,
        rcpt_max=limits.get("RCPTMAX"),
        mail_max=limits.get("MAILMAX"),
        starttls="STARTTLS" in offered,
        auth=_words(offered.get("AUTH", [])),
        xclient=_words(offered.get("XCLIENT", [])),
    )


_usually_offered: Final = lru_cache(maxsize=256)(_offered)
"""Peers say the same thing in each session."""


_WITHOUT: Final[dict[str, dict[str, object]]] = {
    "8BITMIME": {"eight_bit_mime": False},
    "CHUNKING": {"chunking": False},
    "DSN": {"dsn": False},
    "PIPELINING": {"pipelining": False},
    "SIZE": {"size": None},
}


def without(extensions: Extensions, distrusted: Collection[str]) -> Extensions:
    """Return *extensions* without what has not done what it promises, and with the limits that the peer was found to
    have: `RCPTMAX=3` among *distrusted* stands for one (RFC 9422 §4.3).
    """
    if not distrusted:
        return extensions
    changes: dict[str, object] = {}
    rcpt_max = extensions.rcpt_max
    for keyword in distrusted:
        name, _, number = keyword.partition("=")
        if name == "RCPTMAX":
            rcpt_max = min(rcpt_max or int(number), int(number))
        else:
            changes |= _WITHOUT[keyword]
    reduced = msgspec.structs.replace(extensions, **changes)
    if reduced != extensions:
        reduced = msgspec.structs.replace(reduced, is_reduced=True)
    return msgspec.structs.replace(reduced, rcpt_max=rcpt_max) if rcpt_max != extensions.rcpt_max else reduced


def _words(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(values).replace(",", " ").upper().split()))


def _size(values: list[str]) -> int:
    return (_number(values[0]) or 0) if values else 0


def _limits(values: list[str]) -> dict[str, int]:
    """Read `RCPTMAX=20 MAILMAX=5`; a limit of 0 would mean that nothing works, and is not believed."""
    found = {}
    for item in values:
        name, _, number = item.partition("=")
        limit = _number(number)
        if limit:
            found[name.upper()] = limit
    return found


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
