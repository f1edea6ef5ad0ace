"""The units of state of a message, and those of them that are never attempted. Pure but for what it calls."""

from collections.abc import Callable

from angarium.config.model import Config
from angarium.core.records import Message, Recipient
from angarium.queue.commands import Record
from angarium.queue.routing import routing_domain

REFUSED_NOTE = "taken only to be reported as failed"


def recipients_of(message: Message, config: Config) -> list[Recipient]:
    """Make the units of state of a fresh message, each in the queue that its domain leads to."""
    binding = message.binding
    return [
        Recipient(message, index, binding, routing_domain(config, binding, path.domain))
        for index, path in enumerate(message.recipients)
    ]


def fail_refused(
    recipients: list[Recipient], now: float, record: Callable[[Record], None]
) -> list[Recipient]:
    """Bounce those whose message was taken only to be reported as failed, and return the others.

    Called wherever recipients come into memory (accepted, recovered, paged in), so that a crash between acceptance
    and the events makes the next start do it.
    """
    refused = [recipient for recipient in recipients if recipient.message.refusal is not None]
    if not refused:
        return recipients
    record(
        Record.of(
            refused,
            lambda each: each.event("bounced", now, "bounced", reply=each.message.refusal, note=REFUSED_NOTE),
        )
    )
    return [recipient for recipient in recipients if recipient.message.refusal is None]
