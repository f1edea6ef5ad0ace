"""What has happened, as it is told: with an id of its own, and what is known of the message. Pure."""

import uuid
from typing import Final

from angarium.dialects.event import BounceWords, MailEvent
from angarium.events.port import FoundMail, Happening
from angarium.feedback.vendors import bounce_class, postmark_type
from angarium.webhooks.endpoint import EventLetter

_EVENTS: Final = uuid.UUID("c7a5b0f2-7d0b-4a53-9a39-0f5c1c2d6e44")
_WITH_WORDS: Final = frozenset(
    {"bounced", "expired", "delayed", "late_bounce", "complaint", "auto_reply", "suppressed", "cancelled"}
)
_ENGAGEMENTS: Final = frozenset({"open", "initial_open", "click"})


def event_id(happening: Happening) -> str:
    """Return the id of something that has happened: the same whenever it is told, also when the log was made anew, and
    nothing else's.
    """
    of = happening.message or f"account {happening.account}"
    index = -1 if happening.index is None else happening.index
    return str(uuid.uuid5(_EVENTS, f"{of} {index} {happening.sequence} {happening.type}"))


def key_of(happening: Happening) -> str:
    """Return what it is of: within that, things are told in their order."""
    return happening.message or f"event {happening.number}"


def letter_of(happening: Happening, mail: FoundMail | None, *, is_first: bool = True) -> EventLetter:
    """Return something that has happened as it is told. *mail* is the recipient's, or a recipient of the message; None:
    nothing is known of it.
    """
    id = event_id(happening)
    return EventLetter(happening.number, id, key_of(happening), _event(id, happening, mail, is_first))


def _event(id: str, happening: Happening, mail: FoundMail | None, is_first: bool) -> MailEvent:
    reason = happening.reason or str(happening.details.get("reason", ""))
    event = MailEvent(
        id=id,
        number=happening.number,
        type=happening.type,
        at=happening.at,
        message=happening.message or "",
        index=happening.index,
        address=happening.address,
        account=happening.account,
        server=happening.server,
        stream=happening.stream,
        domain=happening.domain,
        binding=happening.binding,
        provider=happening.provider,
        reply=happening.reply,
        reason=reason,
        details=happening.details,
        bounce=words_of(happening.type, reason),
        is_first=is_first,
    )
    return event if mail is None else _with_mail(event, mail)


def _with_mail(event: MailEvent, mail: FoundMail) -> MailEvent:
    known = {name: getattr(mail, name) for name in _OF_MAIL}
    return MailEvent(
        **{name: getattr(event, name) for name in event.__struct_fields__}
        | known
        | {"accepted_at": mail.at, "tags": tuple(mail.tags)}
    )


_OF_MAIL: Final = ("sender", "author", "subject", "message_id", "size", "campaign", "metadata")


def words_of(type: str, reason: str) -> BounceWords | None:
    """Return what vendors call what has happened for a *reason*; None for what is no failure and no complaint."""
    found, postmark = bounce_class(type, reason), postmark_type(type, reason)
    if type not in _WITH_WORDS or (found is None and postmark is None):
        return None
    name, code, title, deactivates = (
        postmark or postmark_type("bounced", "unknown") or ("Unknown", 0, "", False)
    )
    return BounceWords(None if found is None else found.number, name, code, title, deactivates)


def is_engagement(type: str) -> bool:
    """Whether it may happen to a recipient more than once, and the first of it is told apart."""
    return type in _ENGAGEMENTS
