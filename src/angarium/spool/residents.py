"""The messages of a partition whose ACCEPT record is still needed, and what is known of them.

Who is open, and who on the way to the store, is changed by the verbs here alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from angarium.core.ids import MessageId
from angarium.core.records import Event, Message, Recipient
from angarium.spool.codec import decode_event, lasting
from angarium.spool.contents import KeptContent
from angarium.spool.kept import KeptRecord
from angarium.spool.settings import SpoolSettings
from angarium.spool.store import KEPT_EVENTS


class Live(KeptRecord):
    """A message with recipients that are neither finished nor durable in the settled store.

    *open* and *settling* are bit sets of recipient indices: those in the scheduler's memory, and those on
    their way to the store. *stored*: some are or have been in the store. *events*: the encoded events so far
    of recipients that had any, by index, with their seq. *content* is what the message shares, None when its body is
    its own.
    """

    __slots__ = ("content", "events", "message", "open", "settling", "stored")

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
    def is_done(self) -> bool:
        """Whether each recipient is finished or durable in the store."""
        return not self.open and not self.settling

    def has_open(self, index: int) -> bool:
        """Whether a recipient is neither finished nor given to the store."""
        return bool(self.open >> index & 1)

    def leave(self, bits: int) -> None:
        """Recipients are on their way to the store from now on."""
        self.open &= ~bits
        self.settling |= bits
        self.stored = True
        if self.content is not None:
            self.content.stored = True

    def arrive(self, bits: int) -> None:
        """Recipients on their way are durable in the store."""
        self.settling &= ~bits

    def found_stored(self, index: int) -> bool:
        """The store was found to have a recipient. Returns whether it had been open here."""
        was_open = self.has_open(index)
        self.stored = True
        self.open &= ~(1 << index)
        return was_open

    def note(self, event: Event, data: bytes) -> None:
        """Take over an event of an open recipient."""
        if event.state in ("queued", "held"):
            if self.events is None:
                self.events = {}
            kept = self.events.setdefault(event.index, [])
            kept.append((event.seq, lasting(event, data)))
            del kept[:-KEPT_EVENTS]
        else:
            self.open &= ~(1 << event.index)
            if self.events is not None:
                self.events.pop(event.index, None)

    def events_of(self, index: int) -> tuple[tuple[int, bytes], ...]:
        """Return the encoded events of one recipient, with their seq."""
        return tuple(self.events.get(index, ())) if self.events is not None else ()

    def recipients(self, bits: int, settings: SpoolSettings) -> Iterator[Recipient]:
        """Build the recipients in *bits*, each in the state that its last event left it in."""
        while bits:
            index = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            recipient = Recipient(self.message, index, *settings.queue_of(self.message, index))
            if events := self.events_of(index):
                recipient.apply(decode_event(events[-1][1]))
            yield recipient


class Residents:
    """Those of one partition, in the order of acceptance. *done* is called with one that is let go of."""

    def __init__(self, done: Callable[[Live], None]) -> None:
        self._done = done
        self._lives: dict[MessageId, Live] = {}

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._lives

    def get(self, message_id: MessageId) -> Live | None:
        """Return what is known of a message."""
        return self._lives.get(message_id)

    def recovered(self, lives: Mapping[MessageId, Live]) -> None:
        """Take over what a recovery has found."""
        self._lives.update(lives)

    def add(self, live: Live) -> None:
        """Take in a message that has become durable."""
        self._lives[live.id] = live

    def has_open(self, event: Event) -> bool:
        """Whether an event is about an open recipient."""
        live = self._lives.get(event.message)
        return live is not None and live.has_open(event.index)

    def note(self, event: Event, data: bytes) -> bool:
        """Take over a durable event, encoded as *data*. Returns False when it is not about an open recipient."""
        live = self._lives.get(event.message)
        if live is None or not live.has_open(event.index):
            return False
        live.note(event, data)
        self._let_go(live)
        return True

    def leave(self, leaving: Mapping[MessageId, int]) -> list[Live]:
        """Recipients, given as bits, are on their way to the store. Returns what is known of their messages."""
        lives = [self._lives[message_id] for message_id in leaving]
        for live in lives:
            live.leave(leaving[live.id])
        return lives

    def arrive(self, leaving: Mapping[MessageId, int]) -> None:
        """Those on the way are durable in the store."""
        for message_id, bits in leaving.items():
            live = self._lives[message_id]
            live.arrive(bits)
            self._let_go(live)

    def _let_go(self, live: Live) -> None:
        if live.is_done:
            del self._lives[live.id]
            self._done(live)

    def open_up_to(self, generation: int) -> list[Live]:
        """Return those with open recipients that were accepted in segments up to *generation*."""
        return [live for live in self._up_to(generation) if live.open]

    def _up_to(self, generation: int) -> Iterable[Live]:
        for live in self._lives.values():
            if live.generation > generation:
                return
            yield live
