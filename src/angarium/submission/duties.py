"""What a submission server owes to mail of those who logged in (RFC 6409): who wrote it, and what must not leave."""

from functools import lru_cache
from typing import Final

from angarium.core.options import Options
from angarium.core.reply import Reply
from angarium.identity.principal import Principal
from angarium.identity.records import Kind
from angarium.mime.addresses import FieldMailbox, MailboxList, read_mailboxes
from angarium.mime.header import HeaderBlock, Span, unfold
from angarium.submission.dialect_values import Vendor

HIDDEN: Final = (b"bcc", b"resent-bcc")
"""Fields that no recipient may see (RFC 5322 §3.6.3)."""

VENDORS: dict[Kind, Vendor] = {
    "server_token": "postmark",
    "smtp_token": "postmark",
    "api_key": "sparkpost",
    "smtp_login": "smtpeter",
    "person": "smtpeter",
}
"""Whose habits somebody expects, by what they logged in with."""

NO_FROM = Reply(550, "5.6.0", "the message has no From field: write From: with the author's address")
TWO_FROM = Reply(550, "5.6.0", "the message has several From fields: write one, with all authors in it")
BAD_FROM = Reply(
    550, "5.6.0", "the From field has no usable address: write it as From: Name <name@example.com>"
)
ODD_FROM = Reply(
    550, "5.7.1", "the From field has more in it than can be read: write it as From: Name <name@example.com>"
)

_CACHED_OCTETS = 500
"""Size up to which a From field is remembered: programs write the same one again and again."""

_NOBODY = MailboxList((), True)


def authors_of(header: HeaderBlock) -> tuple[FieldMailbox, ...]:
    """Return the mailboxes of the From field, empty without a usable one or with several From fields."""
    return _authors(header).mailboxes


def hides_author(header: HeaderBlock) -> bool:
    """Whether beside those of `authors_of` somebody else may be read out of the From field."""
    return not _authors(header).is_whole


def _authors(header: HeaderBlock) -> MailboxList:
    fields = header.spans(b"from")
    if len(fields) != 1:
        return _NOBODY
    ((begin, end),) = fields
    field = header.raw[begin:end]
    return _remembered(field) if len(field) <= _CACHED_OCTETS else _read(field)


def _read(field: bytes) -> MailboxList:
    return read_mailboxes(unfold(field.partition(b":")[2]))


_remembered = lru_cache(4096)(_read)


def author_problem(header: HeaderBlock, authors: tuple[FieldMailbox, ...]) -> Reply | None:
    """Return what is wrong with the From field, None when somebody stands in it."""
    if authors:
        return None
    number = header.count(b"from")
    return NO_FROM if not number else TWO_FROM if number > 1 else BAD_FROM


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
    return header.spans(*HIDDEN)


def replaces_id(principal: Principal, options: Options) -> bool:
    """Whether the Message-ID is replaced by ours: for Postmark's logins unless they say otherwise, for others never."""
    if options.keep_id is not None:
        return not options.keep_id
    return VENDORS[principal.kind] == "postmark"
