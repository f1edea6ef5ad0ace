"""The product's own form: one event a request, in the envelope of Standard Webhooks. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from angarium.dialects.event import MailEvent
from angarium.identity.webhooks import Webhook

_encode: Final = msgspec.json.Encoder().encode
_NOT_TOLD: Final = ("dialogue", "session", "source")
"""Of an attempt: what is the operator's."""


def bodies(events: Sequence[MailEvent], webhook: Webhook) -> list[bytes]:
    """Return the body for each event."""
    return [_encode(told(event)) for event in events]


def told(event: MailEvent) -> dict[str, Any]:
    """Return what is told of an event. *sequence* grows with all that happens on a node: it tells the order in which
    things happened, whatever the order in which they are told.
    """
    return {
        "type": event.type,
        "timestamp": _moment(event.at),
        "id": event.id,
        "sequence": event.number,
        "data": {
            "message": str(UUID(event.message)) if event.message else None,
            "recipient": event.address or None,
            "index": event.index,
            "account": event.account,
            "server": event.server,
            "stream": event.stream,
            "sender": event.sender,
            "from": event.author,
            "subject": event.subject,
            "message_id": event.message_id,
            "accepted_at": _moment(event.accepted_at) if event.accepted_at else None,
            "size": event.size,
            "campaign": event.campaign,
            "tags": event.tags,
            "metadata": event.metadata,
            "domain": event.domain,
            "provider": event.provider,
            "reply": event.reply,
            "reason": event.reason,
            "bounce_class": None if event.bounce is None else event.bounce.number,
            "first": event.is_first,
            "details": _details(event.details),
        },
    }


def _details(details: dict[str, Any]) -> dict[str, Any]:
    attempt = details.get("attempt")
    if not isinstance(attempt, dict):
        return details
    return {**details, "attempt": {name: value for name, value in attempt.items() if name not in _NOT_TOLD}}


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
