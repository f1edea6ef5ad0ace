"""What a submission server owes to mail of those who logged in (RFC 6409): who wrote it, and what must not leave."""

from functools import lru_cache
from typing import Final

from angarium.core.options import Options
from angarium.core.reply import Reply
from angarium.dialects.values import Vendor
from angarium.identity.principal import Principal, domain_problem
from angarium.identity.records import Kind
from angarium.mime.addresses import FieldMailbox, mailboxes, reads_alike
from angarium.mime.header import HeaderBlock, Span, unfold

HIDDEN: Final = (b"bcc", b"resent-bcc", b"return-path")
"""Fields that no recipient may see (RFC 5322 §3.6.3), and the one that only the last host writes (RFC 5321 §4.4)."""
_IDENTITIES: Final = ("From", "Sender", "Resent-From", "Resent-Sender")
STAMPS: Final = (b"date", b"message-id")
"""Fields that this node writes where they are missing or empty."""

VENDORS: dict[Kind, Vendor] = {
    "server_token": "postmark",
    "smtp_token": "postmark",
    "api_key": "sparkpost",
    "smtp_login": "smtpeter",
    "person": "smtpeter",
}
"""Whose habits somebody expects, by what they logged in with."""

NO_FROM = Reply(550, "5.6.0", "the message has no From field: write From: with the author's address")
NO_HEADER = Reply(
    550,
    "5.6.0",
    "the message does not begin with a header: its first line is empty, or is no field such as From: ...",
)
TWO_FROM = Reply(550, "5.6.0", "the message has several From fields: write one, with all authors in it")
BAD_FROM = Reply(
    550, "5.6.0", "the From field has no usable address: write it as From: Name <name@example.com>"
)
LONG_FROM = Reply(550, "5.6.0", "the From field is too long: name fewer authors, or shorter")

MOST_AUTHOR_OCTETS = 8192
"""Size up to which a field is searched for authors; a longer one names nobody."""

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


def identity_problem(header: HeaderBlock, principal: Principal) -> Reply | None:
    """Return why somebody who may write as his verified domains only may not write as this header says, or None.

    All fields count that a mail program shows as whose the message is. What two programs could read differently
    is nobody's.
    """
    for name in _IDENTITIES:
        for begin, end in header.spans(name.lower().encode()):
            reply = _field_problem(name, header.raw[begin:end], principal)
            if reply is not None:
                return reply
    return None


def _field_problem(name: str, field: bytes, principal: Principal) -> Reply | None:
    for domain in dict.fromkeys(author.domain for author in _authors(field)):
        reply = domain_problem(principal, domain)
        if reply is not None:
            return reply
    if len(field) <= MOST_AUTHOR_OCTETS and _reads_alike(field):
        return None
    sentence = (
        f"the {name} field has more in it than can be read: write it as {name}: Name <name@example.com>"
    )
    return Reply(550, "5.7.1", sentence)


def author_problem(header: HeaderBlock, authors: tuple[FieldMailbox, ...]) -> Reply | None:
    """Return what is wrong with the From field, None when somebody stands in it."""
    if authors:
        return None
    fields = header.spans(b"from")
    if len(fields) != 1:
        return TWO_FROM if fields else NO_FROM if header.raw else NO_HEADER
    ((begin, end),) = fields
    return LONG_FROM if end - begin > MOST_AUTHOR_OCTETS else BAD_FROM


def sender_line(header: HeaderBlock, authors: tuple[FieldMailbox, ...]) -> bytes:
    """Return the Sender field that must stand beside several authors (RFC 5322 §3.6.2): the first of them.

    Empty where it is not needed or stands there already. One author needs none: who logged in is in the events, not in
    the message.
    """
    if len(authors) < 2 or header.has(b"sender"):
        return b""
    return f"Sender: {authors[0].address}\r\n".encode()


def hidden_spans(header: HeaderBlock) -> list[Span]:
    """Return where the fields stand that no recipient may see."""
    if not header.may_have(b"bcc") and not header.may_have(b"\nreturn-path"):  # as is usual
        return []
    return header.spans(*HIDDEN)


def unstamped(header: HeaderBlock) -> tuple[bytes, ...]:
    """Return those of `STAMPS` that say nothing: they are missing, or empty."""
    if header.says(b"date") and header.says(b"message-id"):  # as is usual
        return ()
    return tuple(name for name in STAMPS if not header.says(name))


def replaces_id(principal: Principal, options: Options) -> bool:
    """Whether the Message-ID is replaced by ours: for Postmark's logins unless they say otherwise, for others never."""
    if options.keep_id is not None:
        return not options.keep_id
    return VENDORS[principal.kind] == "postmark"
