"""What a submission server owes to mail of those who logged in (RFC 6409): who wrote it, and what must not leave."""

import re
from functools import lru_cache
from typing import Final

from angarium.core.options import Options
from angarium.core.submission import Problem, Reason
from angarium.dialects.table import DIALECT_OF_LOGIN
from angarium.identity.principal import Principal, domain_problem
from angarium.mime.addresses import FieldMailbox, mailboxes, reads_alike
from angarium.mime.header import HeaderBlock, Span, unfold

HIDDEN: Final = (b"bcc", b"resent-bcc", b"return-path")
"""Fields that no recipient may see (RFC 5322 §3.6.3), and the one that only the last host writes (RFC 5321 §4.4)."""
_IDENTITIES: Final = ("From", "Sender", "Resent-From", "Resent-Sender")
STAMPS: Final = (b"date", b"message-id")
"""Fields that this node writes where they are missing or empty."""
KEY_FIELD: Final = b"idempotency-key"
"""The field by which a sender says that a mail may come twice, and is meant once."""
_A_HIDDEN = re.compile(rb"\n(?:resent-bcc|bcc|return-path|idempotency-key)")
_SAYS_DATE = re.compile(rb"\ndate: [^ \t\r\n]")
_SAYS_ID = re.compile(rb"\nmessage-id: [^ \t\r\n]")

MOST_AUTHOR_OCTETS = 8192
"""Size up to which a field is searched for authors; a longer one names no author."""

_CACHED_OCTETS = 500
"""Size up to which a From field is remembered: programs write the same one again and again."""


def authors_of(header: HeaderBlock) -> tuple[FieldMailbox, ...]:
    """Return the mailboxes of the From field, empty without a usable one or with several From fields."""
    fields = header.spans(b"from")
    if len(fields) != 1:
        return ()
    ((begin, end),) = fields
    return _authors(header.raw[begin:end])


def _authors(field: bytes) -> tuple[FieldMailbox, ...]:
    if len(field) > MOST_AUTHOR_OCTETS:
        return ()
    return _remembered(field) if len(field) <= _CACHED_OCTETS else _read(field)


def _read(field: bytes) -> tuple[FieldMailbox, ...]:
    return tuple(mailboxes(_value(field)))


_remembered = lru_cache(4096)(_read)


@lru_cache(1024)
def _reads_alike(field: bytes) -> bool:
    name = field.partition(b":")[0]
    # with blanks before the colon some readers see no field, others the end of the header
    return not name.endswith((b" ", b"\t")) and reads_alike(_value(field))


def _value(field: bytes) -> str:
    return unfold(field.partition(b":")[2])


def identity_problem(header: HeaderBlock, principal: Principal) -> Problem | None:
    """Return why a sender who may write as its verified domains only may not write as this header says, or None.

    All fields count that a mail program shows as whose the message is. What two programs could read differently
    proves nothing.
    """
    for name in _IDENTITIES:
        for begin, end in header.spans(name.lower().encode()):
            problem = _field_problem(name, header.raw[begin:end], principal)
            if problem is not None:
                return problem
    return None


def _field_problem(name: str, field: bytes, principal: Principal) -> Problem | None:
    for domain in dict.fromkeys(author.domain for author in _authors(field)):
        problem = domain_problem(principal, domain)
        if problem is not None:
            return problem
    if len(field) <= MOST_AUTHOR_OCTETS and _reads_alike(field):
        return None
    return Problem(Reason.UNREADABLE_AUTHOR, field=name)


def author_problem(header: HeaderBlock, authors: tuple[FieldMailbox, ...]) -> Problem | None:
    """Return what is wrong with the From field, None when an author stands in it."""
    if authors:
        return None
    fields = header.spans(b"from")
    if len(fields) != 1:
        missing = Reason.NO_AUTHOR if header.raw else Reason.NO_HEADER
        return Problem(Reason.SEVERAL_FROM if fields else missing, found=len(fields))
    ((begin, end),) = fields
    if end - begin > MOST_AUTHOR_OCTETS:
        return Problem(Reason.LONG_FROM, limit=MOST_AUTHOR_OCTETS, found=end - begin)
    return Problem(Reason.BAD_FROM)


def sender_line(header: HeaderBlock, authors: tuple[FieldMailbox, ...]) -> bytes:
    """Return the Sender field that must stand beside several authors (RFC 5322 §3.6.2): the first of them.

    Empty where it is not needed or stands there already. One author needs none: who logged in is in the events, not in
    the message.
    """
    if len(authors) < 2 or header.has(b"sender"):
        return b""
    return f"Sender: {authors[0].address}\r\n".encode()


def hidden_spans(header: HeaderBlock) -> list[Span]:
    """Return where the fields stand that no recipient may see, or needs to."""
    return header.spans(*HIDDEN, KEY_FIELD) if header.matches(_A_HIDDEN) else []


def unstamped(header: HeaderBlock) -> tuple[bytes, ...]:
    """Return those of `STAMPS` that say nothing: they are missing, or empty."""
    if header.matches(_SAYS_DATE) and header.matches(_SAYS_ID):  # as is usual
        return ()
    return tuple(name for name in STAMPS if not header.says(name))


def replaces_id(principal: Principal, options: Options) -> bool:
    """Whether the Message-ID is replaced by ours: as an option says, else by the habits of the login's dialect."""
    if options.keep_id is not None:
        return not options.keep_id
    return DIALECT_OF_LOGIN[principal.kind].replaces_id
