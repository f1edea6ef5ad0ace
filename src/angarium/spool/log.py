"""What a partition asks of the log that keeps its records: batches of encoded records, with an epoch.

A log is a row of stretches, each with its own epoch, of which the last is appended to. What a stretch is,
a file or rows in a database, is the engine's affair, and so is what makes an epoch exclusive: a writer that has
lost the log to another must fail at its next write.

A start calls `needed`, then `scan` for each of those stretches. Afterwards the calls that write are made from
the journal's thread, `release` and `size_bytes` from the loop's, `read` and `search` from any. All but these two
may block.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from angarium.core.ids import MessageId
from angarium.spool.codec import HEADER_SIZE, SEAL, Damage, End, Record, frame

Buffers = list[bytes | memoryview]


class Epoch(NamedTuple):
    """Which stretch a record is of. Both numbers are in every record of it."""

    generation: int
    salt: int


class Entry(Protocol):
    """What can be written: its place is noted in it."""

    kind: int
    flags: int
    meta: bytes
    body: bytes
    generation: int
    offset: int


class Stretch(Protocol):
    """The part of the log that is appended to. *end* is where the next record goes, *synced* how far it is
    durable. *reserved*: it takes only what no client can be refused.
    """

    @property
    def epoch(self) -> Epoch: ...
    @property
    def end(self) -> int: ...
    @property
    def synced(self) -> int: ...
    @property
    def reserved(self) -> bool: ...


class RecordLog(Protocol):
    """The log of one partition, as its only writer sees it."""

    @property
    def current(self) -> Stretch | None:
        """What is appended to; None when nothing can be."""
        ...

    @property
    def newest(self) -> int:
        """The generation of the newest stretch, whole or not; 0 when there was none yet."""
        ...

    @property
    def is_wounded(self) -> bool:
        """Whether a stretch that failed is still needed."""
        ...

    def room(self) -> int:
        """How many bytes of records the current stretch still takes; 0 when there is none."""
        ...

    def seal(self) -> bytes:
        """Return the meta of the first record of the current stretch: what is true of those before it."""
        ...

    def write(self, batch: Buffers, end: int) -> None:
        """Append the records in *batch*, which end at *end*. Raises OSError; then `poison` must be called."""
        ...

    def sync(self) -> None:
        """Make durable what was written. Raises OSError; then `poison` must be called."""
        ...

    def rotate(self, *, urgent: bool) -> None:
        """Go on in another stretch. Where *urgent*, what is kept aside for a full disk may be used.

        Raises SpoolFull when disk or limit do not allow it, and the current one stays; OSError when the disk
        fails, and there is none.
        """
        ...

    def poison(self) -> None:
        """The current stretch takes no more records: what was not synced there counts as never written."""
        ...

    def needed(self) -> list[int]:
        """Return the generations of the stretches that the last run has left and a start must read, oldest first.

        Raises OSError.
        """
        ...

    def scan(self, generation: int) -> Iterator[Record | Damage | End]:
        """Yield what a needed stretch holds, in order, and at last where it ends. Raises OSError, and SpoolError when
        a part of it will not be read.
        """
        ...

    def set_aside(self, generation: int, damage: Damage) -> None:
        """Keep what is damaged for a person to look at. Raises OSError."""
        ...

    def read(self, generation: int, offset: int, size: int) -> Record:
        """Return the record at a place, checked. Raises SpoolError when it is gone or damaged."""
        ...

    def search(self, message_id: MessageId, first: int, start: int) -> Iterator[Iterable[Record]]:
        """Yield the records that name a message, in order for each stretch, the newest stretch first; and some that
        do not. Nothing of it is before offset *start* of generation *first*. What cannot be read is passed by.
        """
        ...

    def release(self, first: int) -> None:
        """Let go of all stretches before generation *first*: nothing in them is needed any more."""
        ...

    @property
    def size_bytes(self) -> int:
        """How much room the log takes, released stretches included."""
        ...


def lay_out(entries: Sequence[Entry], stretch: Stretch, seal: bytes) -> tuple[Buffers, int]:
    """Return *entries* as the bytes that follow in *stretch*, and where they end; notes their places in them.

    At the beginning of a stretch its *seal* goes first.
    """
    (generation, salt), offset, synced = stretch.epoch, stretch.end, stretch.synced
    batch: Buffers = []
    if offset == 0:
        head = frame(SEAL, 0, seal, b"", generation, salt, 0, 0)
        batch += (head, seal)
        offset = HEADER_SIZE + len(seal)
    for entry in entries:
        entry.generation, entry.offset = generation, offset
        if entry.kind:
            meta, body = entry.meta, entry.body
            head = frame(entry.kind, entry.flags, meta, body, generation, salt, offset, synced)
            batch += (head, meta, body) if body else (head, meta)
            offset += HEADER_SIZE + len(meta) + len(body)
    return batch, offset
