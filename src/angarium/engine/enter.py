"""The units of state of a message, and those of them that are never attempted. Pure but for what it calls."""

from collections.abc import Callable

from angarium.config.model import Config
from angarium.core.records import Message, Recipient
from angarium.queue.commands import Record
from angarium.queue.routing import routing_domain

FAIL_NOTE = "taken only to be reported as failed"


def recipients_of(message: Message, config: Config) -> list[Recipient]:
    """Make the units of state of a fresh message, each in the queue that its domain leads to."""
    binding = message.binding
    return [
        Recipient(message, index, binding, routing_domain(config, binding, path.domain))
        for index, path in enumerate(message.recipients)
    ]


def waits_in_store(message: Message, has_room: Callable[[str], bool]) -> bool:
    """Whether an accepted message goes on to the settled store straight away. *has_room* says of a tenant whether
    memory has room for mail of it.

    Mail to us waits there for its reader. What is to fail ends at once, and needs no room.
    """
    return message.fate == "feedback" or (message.fate == "deliver" and not has_room(message.tenant))


def end_failures(
    recipients: list[Recipient], now: float, record: Callable[[Record], None]
) -> list[Recipient]:
    """Bounce those whose message is to fail, and return the others.

    Called wherever recipients come into memory (accepted, recovered, paged in), so that a crash between acceptance
    and the events makes the next start do it.
    """
    failures = [each for each in recipients if each.message.fate == "fail"]
    if not failures:
        return recipients
    record(
        Record.of(
            failures,
            lambda each: each.event("bounced", now, "bounced", reply=each.message.refusal, note=FAIL_NOTE),
        )
    )
    return [each for each in recipients if each.message.fate != "fail"]
