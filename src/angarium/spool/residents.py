"""What a partition knows of a message whose ACCEPT record is still needed."""

from collections.abc import Iterator

from angarium.core.ids import MessageId
from angarium.core.records import Event, Message, Recipient
from angarium.spool.codec import LARGE, decode_event
from angarium.spool.contents import KeptContent
from angarium.spool.log import RecordLog
from angarium.spool.settings import SpoolSettings
from angarium.spool.store import KEPT_EVENTS


class Live:
    """A message with recipients that are neither finished nor durable in the settled store.

    *open* and *settling* are bit sets of recipient indices: those in the scheduler's memory, and those on
    their way to the store. *stored*: some are or have been in the store. *events*: the encoded events so far
    of recipients that had any, by index, with their seq. *content* is what the message shares, None when its body is
    its own.
    """

    __slots__ = (
        "content",
        "events",
        "flags",
        "generation",
        "message",
        "offset",
        "open",
        "settling",
        "size",
        "stored",
    )

    def __init__(self, message: Message, generation: int, offset: int, size: int, flags: int) -> None:
        self.message = message
        self.generation = generation
        self.offset = offset
        self.size = size
        self.flags = flags
        self.open = (1 << len(message.recipients)) - 1
        self.settling = 0
        self.stored = False
        self.events: dict[int, list[tuple[int, bytes]]] | None = None
        self.content: KeptContent | None = None

    @property
    def id(self) -> MessageId:
        """The message's."""
        return self.message.id

    @property
    def is_large(self) -> bool:
        """Whether the body is a file of its own."""
        return bool(self.flags & LARGE)

    def note(self, event: Event, data: bytes) -> None:
        """Take over an event of an open recipient."""
        if event.state in ("queued", "held"):
            if self.events is None:
                self.events = {}
            kept = self.events.setdefault(event.index, [])
            kept.append((event.seq, data))
            del kept[:-KEPT_EVENTS]
        else:
            self.open &= ~(1 << event.index)
            if self.events is not None:
                self.events.pop(event.index, None)

    def events_of(self, index: int) -> tuple[tuple[int, bytes], ...]:
        """Return the encoded events of one recipient, with their seq."""
        return tuple(self.events.get(index, ())) if self.events is not None else ()

    def read_body(self, log: RecordLog) -> bytes:
        """Read what is its own, body or data, back from the log, checked. Raises SpoolError."""
        return bytes(log.read(self.generation, self.offset, self.size).body)

    def recipients(self, bits: int, settings: SpoolSettings) -> Iterator[Recipient]:
        """Build the recipients in *bits*, each in the state that its last event left it in."""
        while bits:
            index = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            recipient = Recipient(self.message, index, *settings.queue_of(self.message, index))
            if events := self.events_of(index):
                recipient.apply(decode_event(events[-1][1]))
            yield recipient
