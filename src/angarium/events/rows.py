"""What the tables of a day have in their rows, in whatever database: numbers, and what is kept of an event."""

from hashlib import blake2b
from typing import Any, TypeGuard

import msgspec

from angarium.core.ids import MessageId
from angarium.core.providers import provider_of
from angarium.core.records import Event, Fact, Message
from angarium.core.reply import Reply
from angarium.events.catalogue import STATES, kind_of
from angarium.events.port import ReceivedMail, Told

INDEX_BITS = 20
"""A recipient's number is made of its message's and its index, so that an event finds it without asking:
`message << 20 | index`.
"""
WHOLE = (1 << INDEX_BITS) - 1
"""The index of what is about all recipients of a message."""

FIRST_FACT = 1 << 46
"""Facts have their sequence from here on, made of their ids: no recipient has so many events."""

OPENS_TRACKED = 1
CLICKS_TRACKED = 2
TO_US = 4
"""Bits of what a message is: its opens and clicks are seen, or it is mail to this node, which is no sending."""

_encode = msgspec.msgpack.Encoder().encode


class EventDetail(msgspec.Struct, array_like=True, kw_only=True):
    """What of an event or a fact is in no column. Durable: fields may only be appended, each with a default."""

    attempts: int = 0
    due_at: float | None = None
    note: str = ""
    attempt: Any = None
    fields: dict[str, Any] = {}


def message_of(told: Told) -> MessageId | None:
    """Return the message that something was told of, None for none."""
    return told.message.id if isinstance(told, ReceivedMail) else told.message


def said(reply: Reply | None) -> str:
    """Return a reply in one line, empty for none."""
    return "" if reply is None else str(reply)


def number_of(told: Event | Fact, message: int) -> int:
    """Return the number of the recipient, given that of the message, or of all of the message.

    What is about no message has the account that it concerns in the message's place, as a negative number.
    """
    if told.message is None:
        return of_account(told.account if isinstance(told, Fact) else 0)
    return (message << INDEX_BITS) | (told.index if 0 <= told.index < WHOLE else WHOLE)


def of_account(account: int) -> int:
    """Return the number in the place of a recipient's for what concerns an account, and no message; 0 for nobody's."""
    return (-account << INDEX_BITS) | WHOLE


def sequence_of(told: Event | Fact) -> int:
    """Return what tells *told* from all else that happened to its recipient."""
    if isinstance(told, Event):
        return told.seq
    return FIRST_FACT + (int.from_bytes(blake2b(told.id, digest_size=6).digest(), "big") >> 2)


def detail_of(told: Event | Fact) -> bytes:
    """Return what is in no column, encoded."""
    if isinstance(told, Fact):
        return _encode(EventDetail(fields={**told.fields, "kind": told.kind}))
    return _encode(
        EventDetail(attempts=told.attempts, due_at=due_of(told), note=told.note, attempt=told.attempt)
    )


def due_of(event: Event) -> float | None:
    """Return when the recipient is tried next, in epoch seconds; None: never."""
    return event.due_at if event.state == "queued" else None


def reply_of(told: Event | Fact) -> str:
    """Return what was answered, in one line."""
    return said(told.reply) if isinstance(told, Event) else str(told.fields.get("reply", ""))


def kind_number_of(told: Event | Fact) -> int:
    """Return the number of its kind."""
    return kind_of(told.type if isinstance(told, Event) else told.kind).number


def has_failed(told: Event | Fact) -> TypeGuard[Event]:
    """Whether it is an attempt that was answered, and not taken."""
    return isinstance(told, Event) and told.reply is not None and told.state != "delivered"


LATE_SEQ = 1 << 40
"""The sequence of a state that a late bounce has made: no event that comes afterwards undoes it."""
WORSENED = tuple(STATES.index(state) for state in ("queued", "held", "delivered"))
"""The states, by their numbers, that it makes worse; the first two, since it may be read before the delivery is."""


def is_late_bounce(told: Event | Fact) -> bool:
    """Whether it says of a recipient that its mail has failed after a peer had taken it: that makes a delivery worse,
    and nothing else.
    """
    return isinstance(told, Fact) and told.kind == "late_bounce" and 0 <= told.index < WHOLE


def provider_tried(event: Event) -> str:
    """Return the provider whose host was tried (`core.providers`); empty: none was."""
    return provider_of(event.attempt.host) if event.attempt is not None and event.attempt.host else ""


def is_of_machine(told: Event | Fact) -> bool:
    """Whether a program did it, and no person: it prefetches or scans."""
    return isinstance(told, Fact) and bool(told.fields.get("machine"))


def traits_of(message: Message) -> int:
    """Return what sort of message it is, as bits: `OPENS_TRACKED` …"""
    options = message.options
    return (
        OPENS_TRACKED * bool(options.track_opens)
        | CLICKS_TRACKED * (options.track_links not in (None, "none"))
        | TO_US * (message.fate == "feedback")
    )
