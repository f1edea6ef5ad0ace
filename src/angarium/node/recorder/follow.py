"""Following one partition's journal: what it says becomes what the event store takes."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from angarium.core.ids import MessageId
from angarium.core.records import Message
from angarium.events.bodies.port import TextToKeep, body_of, kept_until
from angarium.events.port import ReceivedMail, Told
from angarium.events.summary import MailSummary, summary_of
from angarium.node.recorder.desk import FeedbackDesk
from angarium.spool.port import JournalEntry, JournalReader

NAME = "recorder"
"""Its cursor's: nothing that it has not read is given up."""
_CONTENTS = 1_000
_MOST_BYTES = 16 << 20
"""Texts to be kept that are in memory at once, but for the last of them."""


class JournalFollower:
    """Reads a partition from *place* on, the position up to which all has been taken; -1: from the beginning.

    The reader's files stay open while there is more to read. Mail to this node is laid on the *desk*, and is nothing
    that the store takes: what it says comes as facts.
    """

    def __init__(self, reader: JournalReader, place: int, desk: FeedbackDesk | None = None) -> None:
        self._reader = reader
        self._desk = desk
        self._kept = place
        self._entries: Iterator[JournalEntry] | None = None
        self._contents: dict[bytes, MailSummary] = {}
        self._text_of: tuple[bytes, bytes | Path | None] = (b"", None)
        self._undecided: int | None = None
        self._held: list[MessageId] = []
        self.place = place
        """The position of the last record that was given."""
        self.texts: list[TextToKeep] = []
        """The texts that are to be kept of what was given last."""

    def read(self, most: int) -> list[Told]:
        """Return what comes next, from up to *most* records; nothing when all that is durable has been read.

        Raises OSError; then it begins anew behind the last record that was given.
        """
        was_open = self._entries is not None
        told = self._next(most)
        if not told and was_open:  # what was open ends where all was durable when it was opened
            told = self._next(most)
        return told

    def _next(self, most: int) -> list[Told]:
        told: list[Told] = []
        before = self.place
        self.texts, gathered = [], 0
        if self._entries is None:
            self._entries = iter(self._reader.entries(self.place))
        try:
            for entry in islice(self._entries, most):
                told += self._told(entry)
                gathered += self._gather(entry)
                self.place = entry.position
                if gathered >= _MOST_BYTES or (self._desk is not None and self._desk.is_full):
                    break
        except BaseException:
            self._entries = None
            raise
        if self.place == before:
            self._entries = None
        return told

    def again(self) -> None:
        """Give all once more that has come since `keep`."""
        self.place, self._entries, self._undecided = self._kept, None, None
        self._held.clear()
        if self._desk is not None:
            self._desk.forget(self)

    def keep(self) -> None:
        """Note, durably, that all that was given has been taken, up to mail that has not ended. Raises OSError."""
        before = self._desk.before(self) if self._desk is not None else None
        place = min(each for each in (self.place, self._undecided, before) if each is not None)
        if place > self._kept:
            self._reader.commit(NAME, place)
            self._kept = place
        while self._held:
            self._reader.let_go(self._held.pop())

    def sweep(self, before: float) -> None:
        """Give up bodies held before *before*, in epoch seconds: their messages have been read. Raises OSError."""
        if not self._held:
            self._reader.sweep(before)

    def _gather(self, entry: JournalEntry) -> int:
        """Note a text that is to be kept; return its bytes in memory.

        That of a content is kept when the first message that names it says so, which follows in the same group. What
        is to be read again begins before the content until then.
        """
        if entry.content is not None:
            self._text_of = entry.content.id, _text(entry)
            self._undecided = self.place
        message = entry.message
        if message is None or message.fate == "feedback":
            return 0
        self._undecided = None
        until = kept_until(message)
        if not until:
            return 0
        body = body_of(message)
        text = _text(entry) if not message.content else self._shared(body)
        self.texts.append(TextToKeep(message, body, until, text))
        if isinstance(text, Path):
            self._held.append(body)
        return len(text) if isinstance(text, bytes) else 0

    def _shared(self, content: MessageId) -> bytes | Path | None:
        return self._text_of[1] if self._text_of[0] == content else None

    def _told(self, entry: JournalEntry) -> list[Told]:
        if entry.message is not None and entry.message.fate == "feedback":
            if self._desk is not None:
                self._desk.came(self, self.place, entry.message, entry.head)
            return []
        if entry.event is not None and entry.event.type == "read":
            if self._desk is not None:
                self._desk.ended(entry.event.message)
            return []
        if entry.message is not None:
            return [ReceivedMail(entry.message, self._summary(entry.message, entry.head))]
        if entry.content is not None:
            self._contents[entry.content.id] = summary_of(entry.head)
            if len(self._contents) > _CONTENTS:
                del self._contents[next(iter(self._contents))]
        told = entry.event or entry.fact
        return [] if told is None else [told]

    def _summary(self, message: Message, head: bytes) -> MailSummary:
        """Return the summary of a message; where its content was not seen, an empty one."""
        return self._contents.get(message.content, MailSummary()) if message.content else summary_of(head)


def _text(entry: JournalEntry) -> bytes | Path | None:
    return bytes(entry.body) if isinstance(entry.body, memoryview) else entry.body
