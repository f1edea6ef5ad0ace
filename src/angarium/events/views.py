"""What became of mail, as it leaves the house: by the API, in exports, in one shape. Pure."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from angarium.events.port import FoundMail, Happening


class MailView(msgspec.Struct, frozen=True):
    """One recipient of one message. *index* is its number in the message; *reason* says in a word why it failed. *note*
    says why the address is empty, where it has been forgotten (`Address_Retention`).
    """

    message: str
    index: int
    accepted_at: datetime
    address: str
    sender: str
    author: str
    subject: str
    message_id: str
    size: int
    account: int
    server: int
    stream: str
    campaign: str
    tags: list[str]
    metadata: dict[str, Any]
    domain: str
    binding: str
    listener: str
    status: str
    changed_at: datetime
    next_try_at: datetime | None
    attempts: int
    reply: str
    reason: str
    note: str


class EventView(msgspec.Struct, frozen=True):
    """One thing that happened. *index* and *address* are the recipient's, null and empty where it is about all of the
    message, or none. *account*, *server* and *stream* say whose mail it is, 0 and empty for nobody's, *domain* and
    *binding* the queue, *provider* whose host was tried. *details* are what its type says: docs/events.md.
    """

    number: int
    type: str
    at: datetime
    message: str | None
    index: int | None
    address: str
    reply: str
    reason: str
    details: dict[str, Any]
    account: int
    server: int
    stream: str
    domain: str
    binding: str
    provider: str


def mail_view(mail: FoundMail) -> MailView:
    """Return a recipient of a message as it is shown."""
    shown = {name: getattr(mail, name) for name in MailView.__struct_fields__ if hasattr(mail, name)}
    return MailView(
        **shown
        | {
            "accepted_at": _moment(mail.at),
            "status": mail.state,
            "changed_at": _moment(mail.changed_at),
            "next_try_at": None if mail.due_at is None else _moment(mail.due_at),
        }
    )


def event_view(happening: Happening) -> EventView:
    """Return something that happened as it is shown."""
    shown = {name: getattr(happening, name) for name in EventView.__struct_fields__}
    return EventView(**shown | {"at": _moment(happening.at)})


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
