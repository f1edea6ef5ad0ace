"""What SparkPost tells of something that has happened: flat events with texts for numbers, in `msys` wrappers. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from angarium.dialects.event import MailEvent

_NAMES: Final = {
    "received": ("message_event", "injection"),
    "delivered": ("message_event", "delivery"),
    "delayed": ("message_event", "delay"),
    "bounced": ("message_event", "bounce"),
    "expired": ("message_event", "bounce"),
    "late_bounce": ("message_event", "out_of_band"),
    "complaint": ("message_event", "spam_complaint"),
    "policy": ("message_event", "policy_rejection"),
    "suppressed": ("gen_event", "generation_rejection"),
    "generation_rejection": ("gen_event", "generation_rejection"),
    "generation_failure": ("gen_event", "generation_failure"),
    "open": ("track_event", "open"),
    "initial_open": ("track_event", "initial_open"),
    "click": ("track_event", "click"),
    "unsubscribe": ("unsubscribe_event", "list_unsubscribe"),
    "link_unsubscribe": ("unsubscribe_event", "link_unsubscribe"),
}
TYPES: Final = frozenset(_NAMES)
_UNDETERMINED: Final = 1
MOST: Final = 350
"""Events in a batch."""
_WITH_REASON: Final = frozenset(
    {"delay", "bounce", "out_of_band", "policy_rejection", "generation_rejection", "generation_failure"}
)
_BY_READER: Final = frozenset({"open", "initial_open", "click", "list_unsubscribe", "link_unsubscribe"})


def batch(events: Sequence[MailEvent]) -> list[dict[str, Any]]:
    """Return the events of a batch, each in its wrapper; what has no words is left out."""
    return [{"msys": {_NAMES[event.type][0]: told(event)}} for event in events if event.type in _NAMES]


def told(event: MailEvent) -> dict[str, Any]:
    """Return one event. Numbers are texts, as there."""
    kind = _NAMES[event.type][1]
    said: dict[str, Any] = {
        "type": kind,
        "event_id": event.id,
        "timestamp": str(int(event.at)),
        "customer_id": str(event.account),
        **_message(event),
        **_recipient(event),
        "binding": event.binding,
    }
    if kind in _WITH_REASON:
        said |= _reason(event)
    if kind in _BY_READER:
        said |= _reader(event)
    return said | _attempt(event) | _rest(event, kind)


def _message(event: MailEvent) -> dict[str, Any]:
    return {
        "message_id": event.message[:20],
        "transmission_id": event.message,
        "campaign_id": event.campaign,
        "friendly_from": _mailbox(event.author) or event.sender,
        "sending_domain": (_mailbox(event.author) or event.sender).rpartition("@")[2],
        "msg_from": event.sender,
        "subject": event.subject,
        "injection_time": _iso(event.accepted_at) if event.accepted_at else "",
        "transactional": "0" if event.stream == "broadcast" else "1",
        "msg_size": str(event.size),
        "recv_method": "esmtp",
    }


def _recipient(event: MailEvent) -> dict[str, Any]:
    address = event.address
    return {
        "rcpt_to": address.lower(),
        "raw_rcpt_to": address,
        "rcpt_hash": hashlib.sha1(address.lower().encode(), usedforsecurity=False).hexdigest(),
        "rcpt_meta": event.metadata,
        "rcpt_tags": list(event.tags),
        "recipient_domain": address.rpartition("@")[2].lower(),
        "routing_domain": event.domain or address.rpartition("@")[2].lower(),
        "mailbox_provider": event.provider,
    }


def _reason(event: MailEvent) -> dict[str, str]:
    code = event.reply.split(" ", 1)[0]
    return {
        "reason": _masked(event.reply, event.address),
        "raw_reason": event.reply,
        "error_code": code if code.isdigit() else "",
        "bounce_class": str((event.bounce.number if event.bounce is not None else None) or _UNDETERMINED),
    }


def _reader(event: MailEvent) -> dict[str, str]:
    url = event.details.get("url")
    said = {
        "ip_address": str(event.details.get("address", "")),
        "user_agent": str(event.details.get("agent", "")),
    }
    if url:
        said |= {"target_link_url": str(url), "target_link_name": str(event.details.get("name", ""))}
    return said


def _attempt(event: MailEvent) -> dict[str, str]:
    attempt = event.details.get("attempt")
    if not isinstance(attempt, dict):
        return {}
    peer, source = str(attempt.get("peer", "")), str(attempt.get("source", ""))
    tries = event.details.get("attempts")
    return {
        "delv_method": "esmtp",
        "ip_address": peer.rpartition(":")[0],
        "sending_ip": source.rpartition(":")[0],
        "num_retries": str(max(tries - 1, 0)) if isinstance(tries, int) else "0",
        "queue_time": str(max(int((event.at - event.accepted_at) * 1000), 0)) if event.accepted_at else "0",
        "outbound_tls": "1" if attempt.get("tls") else "0",
    }


def _rest(event: MailEvent, kind: str) -> dict[str, str]:
    if kind == "spam_complaint":
        details = event.details
        return {
            "fbtype": str(details.get("type", "abuse")),
            "report_by": str(details.get("from", "")),
            "report_to": str(details.get("to", "")),
        }
    return {"mailfrom": event.sender} if kind.endswith("_unsubscribe") else {}


def _masked(reply: str, address: str) -> str:
    """Return a reply without the address that it names."""
    return reply.replace(address, "<recipient>") if address else reply


def _mailbox(author: str) -> str:
    """Return the address in a From field."""
    return author.rpartition("<")[2].rstrip("> ") if "<" in author else author.strip()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
