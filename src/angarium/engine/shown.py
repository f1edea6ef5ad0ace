"""Queues, messages, recipients and events as operators are shown them: as the records that they are asked for. Pure."""

from typing import Any

from msgspec.structs import asdict

from angarium.core.ids import MessageId, format_id
from angarium.core.operations import Plan, QueueRow, RecipientRow
from angarium.core.options import as_mapping
from angarium.core.reasons import HoldReason
from angarium.core.records import TERMINAL, Attempt, Event, Message, Recipient
from angarium.queue.explain import QueueStatus, addresses_of
from angarium.queue.plan import RoutePlan


def describe_queue(status: QueueStatus) -> QueueRow:
    """Return a queue for showing."""
    last = status.last_reply
    return QueueRow(
        binding=status.queue.binding,
        domain=status.queue.domain,
        active=status.active,
        delayed=status.stored,
        held=status.held,
        in_flight=status.in_flight,
        connections=status.connections + status.opening,
        oldest=status.oldest,
        next_try=status.next_try,
        last_reply=str(last.reply) if last else "",
        last_reply_at=last.at if last else None,
        held_by=status.held_by,
        plan=Plan(status.route, status.addresses) if status.route else None,
    )


def describe_message(message: Message) -> dict[str, Any]:
    """Return a message's envelope and origin for showing."""
    return {
        "id": format_id(message.id),
        "received_at": message.received_at,
        "sender": message.reverse_path,
        "recipients": [path.address for path in message.recipients],
        "size": message.size,
        "binding": message.binding,
        "lane": "bulk" if message.lane else "transactional",
        "tenant": message.tenant,
        "envid": message.envid,
        "account": message.account,
        "server": message.server,
        "login": message.login,
        "author_domain": message.author_domain,
        "options": dict(as_mapping(message.options)),
        "copies": {path.address: path.role for path in message.recipients if path.role},
        "submission": format_id(MessageId(message.submission)) if message.submission else "",
        "fate": message.fate,
        "refusal": str(message.refusal or ""),
        "origin": asdict(message.origin),
    }


def describe_recipient(
    recipient: Recipient,
    event: Event | None,
    reason: HoldReason | None,
    plan: RoutePlan | None,
    ends_at: float | None,
) -> RecipientRow:
    """Return a recipient for showing.

    *event* is its last, None if it had none; *reason* is what holds it, None if it has ended; *plan* is where it goes
    next, as far as that is known.
    """
    message = recipient.message
    waits = recipient.state not in TERMINAL
    return RecipientRow(
        message=format_id(message.id),
        recipient=recipient.path.address,
        sender=message.reverse_path,
        binding=recipient.binding,
        domain=recipient.domain,
        state=recipient.state,
        attempts=recipient.attempts,
        due_at=recipient.due_at,
        received_at=message.received_at,
        last_reply=str(recipient.last_reply or ""),
        size=message.size,
        lane="bulk" if message.lane else "transactional",
        tenant=message.tenant,
        since=event.at if event is not None else message.received_at,
        last_reply_at=event.at if event is not None and event.reply is not None else None,
        last_host=event.attempt.host if event is not None and event.attempt is not None else "",
        held_by=reason,
        next_try=reason.next_try if reason is not None else None,
        plan=Plan(plan.why, addresses_of(plan)) if plan is not None and waits else None,
        expires_at=ends_at if waits else None,
    )


def describe_event(event: Event, message: Message | None) -> dict[str, Any]:
    """Return an event for showing; *message* names its recipient."""
    known = message is not None and 0 <= event.index < len(message.recipients)
    return {
        "type": event.type,
        "at": event.at,
        "recipient": message.recipients[event.index].address if message is not None and known else "",
        "state": event.state,
        "binding": event.binding,
        "domain": event.domain,
        "attempts": event.attempts,
        "due_at": event.due_at if event.state == "queued" else None,
        "reply": str(event.reply or ""),
        "note": event.note,
        "attempt": _attempt(event.attempt) if event.attempt is not None else None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "started_at": attempt.started_at,
        "host": attempt.host,
        "peer": attempt.peer,
        "source": attempt.source,
        "stage": attempt.stage,
        "method": attempt.method,
        "session": attempt.session,
        "tls": attempt.tls,
        "tls_facts": asdict(attempt.tls_facts) if attempt.tls_facts is not None else None,
        "timings": [[stage, ms] for stage, ms in attempt.timings],
        "bytes_sent": attempt.bytes_sent,
        "dialogue": attempt.dialogue,
    }
