"""Copies that an option of the message asks for: further recipients of it, and separate messages for bcc. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message
from angarium.core.submission import CopyTo, Wishes
from angarium.mime.addresses import mailboxes
from angarium.mime.header import HeaderBlock, Span, unfold
from angarium.mime.words import written

_MOST_CC_OCTETS = 16_384


class Copies(NamedTuple):
    """Who gets the message besides those of the envelope, each address once.

    *further* are recipients of the message itself, *hidden* get a separate message, in which they see themselves.
    *dialect* is that of the first who asks for any.
    """

    further: tuple[ForwardPath, ...] = ()
    hidden: tuple[CopyTo, ...] = ()
    dialect: str = ""

    @property
    def number(self) -> int:
        """How many recipients they are."""
        return len(self.further) + len(self.hidden)


NO_COPIES = Copies()


def plan_copies(named: Iterable[ForwardPath], wishes: Sequence[Wishes]) -> Copies:
    """Return the copies to make. *named* are the recipients of the envelope; who is among them gets no second copy."""
    asking = [wish for wish in wishes if wish.cc or wish.bcc or wish.archive]
    if not asking:
        return NO_COPIES
    seen = {_key(path.address, path.domain) for path in named}
    cc = _fresh([copy for wish in asking for copy in wish.cc], seen)
    bcc = _fresh([copy for wish in asking for copy in wish.bcc], seen)
    archive = _fresh([copy for wish in asking for copy in wish.archive], seen)
    copies = Copies((*_paths(cc, "cc"), *_paths(archive, "archive")), bcc, asking[0].dialect)
    return copies if copies.number else NO_COPIES


def _fresh(copies: Sequence[CopyTo], seen: set[tuple[str, str]]) -> tuple[CopyTo, ...]:
    found = []
    for copy in copies:
        key = _key(copy.address, copy.domain)
        if key not in seen:
            seen.add(key)
            found.append(copy)
    return tuple(found)


def _key(address: str, domain: str) -> tuple[str, str]:
    """Compare the domain without case, and the local part as its owner may: with it (RFC 5321 §2.4)."""
    return address.rpartition("@")[0], domain


def _paths(copies: Iterable[CopyTo], role: Literal["cc", "bcc", "archive"]) -> tuple[ForwardPath, ...]:
    return tuple(ForwardPath(address=copy.address, domain=copy.domain, role=role) for copy in copies)


def hidden_paths(copies: Copies) -> tuple[ForwardPath, ...]:
    """Return those who get a copy that nobody sees, as recipients of a form, of which each gets a text alone."""
    return _paths(copies.hidden, "bcc")


def cc_field(header: HeaderBlock, cc: Sequence[CopyTo]) -> tuple[bytes, list[Span]]:
    """Return the Cc field that shows *cc*, and the fields that it takes the place of.

    Who stands in Cc already is not added, unless so many stand there that it is not searched; what stood there stays
    byte for byte. Both are empty when none is missing.
    """
    if not cc:
        return b"", []
    fields = [(at, field) for at, field in header.placed() if field.name == b"cc"]
    is_searched = sum(len(field.raw) for _, field in fields) <= _MOST_CC_OCTETS
    present = {
        _key(mailbox.address, mailbox.domain)
        for _, field in (fields if is_searched else ())
        for mailbox in mailboxes(unfold(field.value))
    }
    missing = _fresh(cc, present)
    if not missing:
        return b"", []
    parts = [text for _, field in fields if (text := field.value.strip())]
    parts += [written(copy.name, copy.address).encode() for copy in missing]
    return b"Cc: " + b",\r\n\t".join(parts) + b"\r\n", [(at, at + len(field.raw)) for at, field in fields]


def hidden_copy(message: Message, copy: CopyTo, message_id: MessageId, trace: bytes) -> Message:
    """Return the separate message that *copy* gets: the same, but for its envelope and a Bcc field that names it.

    *message* is the one that the others get, *trace* what this node puts before both.
    """
    return msgspec.structs.replace(
        message,
        id=message_id,
        recipients=_paths((copy,), "bcc"),
        trace=trace + b"Bcc: " + written(copy.name, copy.address).encode() + b"\r\n",
        ret="",
        envid="",
        submission=message.id,
    )
