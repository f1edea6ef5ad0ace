"""What is still known of a message, for a person who asks."""

from angarium.core.ids import MessageId
from angarium.core.records import Event, Message
from angarium.spool.codec import ACCEPT, EVENT, Record, decode_event, decode_message
from angarium.spool.log import RecordLog


def find_message(
    log: RecordLog, message_id: MessageId, first: int = 0, start: int = 0
) -> tuple[Message | None, list[Event]]:
    """Return a message and its events as far as the log still has them.

    It is searched from the end back to where it was accepted, or where it is known that nothing of it is before:
    offset *start* of generation *first*. What cannot be read is passed by.
    """
    message: Message | None = None
    events: list[Event] = []
    for records in log.search(message_id, first, start):
        for record in records:
            accepted, event = _of(record, message_id)
            message = accepted or message
            if event is not None:
                events.append(event)
        if message is not None:
            break
    return message, events


def _of(record: Record, message_id: MessageId) -> tuple[Message | None, Event | None]:
    if record.kind == ACCEPT and (message := decode_message(record.meta)).id == message_id:
        return message, None
    if record.kind == EVENT and (event := decode_event(record.meta)).message == message_id:
        return None, event
    return None, None


def in_order(found: list[Event], stored: list[Event]) -> list[Event]:
    """Return the events of journal and settled store, each once, in the order of time."""
    seen = {(event.index, event.seq) for event in found}
    events = [event for event in stored if (event.index, event.seq) not in seen] + found
    return sorted(events, key=lambda event: (event.at, event.seq))
