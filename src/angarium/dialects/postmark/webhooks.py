"""What Postmark's webhooks tell of something that has happened: one object a request. Pure."""

from typing import Any, Final

from angarium.dialects.agents import read_agent
from angarium.dialects.event import BounceWords, MailEvent
from angarium.dialects.postmark import events
from angarium.dialects.postmark.dates import instant
from angarium.dialects.postmark.events import BounceType, OfMessage, uuid_of

_FAILURES: Final = ("bounced", "expired", "late_bounce", "delayed", "auto_reply", "complaint")
TYPES: Final = frozenset({"delivered", "open", "click", "unsubscribe", *_FAILURES})
STOPS: Final = frozenset({403})
"""The answer that says: never again."""


def payloads(event: MailEvent, *, changes: bool) -> list[dict[str, Any]]:
    """Return what is told of *event*, in order: mostly one object. *changes*: of changes of subscriptions as well."""
    if event.type == "unsubscribe":
        return [_change(event, "ManualSuppression")]
    found = _payload(event)
    if changes and found is not None and found.get("Inactive"):
        reason = "SpamComplaint" if event.type == "complaint" else "HardBounce"
        return [found, _change(event, reason)]
    return [] if found is None else [found]


def _payload(event: MailEvent) -> dict[str, Any] | None:
    of, at = _of(event), instant(event.at)
    if event.type == "delivered":
        return events.delivered(of, recipient=event.address, reply=event.reply, at=at)
    if event.type in ("open", "click"):
        said = str(event.details.get("agent", ""))
        who: Any = {"recipient": event.address, "agent": read_agent(said), "user_agent": said, "at": at}
        if event.type == "open":
            return events.opened(of, **who, is_first=event.is_first)
        link, part = str(event.details.get("url", "")), event.details.get("part")
        return events.clicked(of, **who, link=link, is_html=part != "text")
    return _failure(event, event.bounce) if event.bounce is not None else None


def _failure(event: MailEvent, words: BounceWords) -> dict[str, Any]:
    return events.bounce(
        _of(event),
        id=event.number,
        type=BounceType(words.postmark, words.postmark_code, words.postmark_title),
        reply=event.reply,
        email=event.address,
        at=event.at,
        is_inactive=words.deactivates,
        has_dump=False,
        said_at=instant(event.at),
    )


def _change(event: MailEvent, reason: str) -> dict[str, Any]:
    of = _of(event)
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": of.id or None,
        "ServerID": of.server,
        "MessageStream": of.stream,
        "ChangedAt": instant(event.at),
        "Recipient": event.address,
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": reason,
        "Tag": of.tag,
        "Metadata": events.metadata_of(of),
    }


def _of(event: MailEvent) -> OfMessage:
    return OfMessage(
        id=uuid_of(event.message) if event.message else "",
        server=event.server,
        stream=event.stream,
        tag=event.tags[0] if event.tags else "",
        sender=event.author,
        subject=event.subject,
        metadata=event.metadata,
    )
