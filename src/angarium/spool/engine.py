"""What an engine of the spool provides: a log, a store, and a place for bodies too large for the log.

All that is promised of a partition (order, group commit, settling, recovery) is kept above these, so that every
engine keeps it alike. The embedded one is segment files and SQLite (`embedded.py`).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from angarium.core.ids import MessageId
from angarium.spool.log import RecordLog
from angarium.spool.port import LargeBody, LargeBodyWriter
from angarium.spool.store import SettledStore


class LargeBodies(Protocol):
    """The bodies too large for the log, by message."""

    def find(self) -> set[MessageId]:
        """Return the messages that have a body here. Blocks. Raises OSError."""
        ...

    def load(self, message_id: MessageId) -> LargeBody:
        """Return the body of a message. Raises SpoolError when it is not here."""
        ...

    def discard(self, message_id: MessageId) -> None:
        """Remove a body; no error if it is not here. Blocks. Raises OSError."""
        ...

    def remove(self, message_id: MessageId) -> None:
        """Remove a body, without waiting for it. One that stays is discarded by the next recovery."""
        ...

    def writer(self, message_id: MessageId) -> LargeBodyWriter:
        """Begin a body."""
        ...


class SpoolEngine(Protocol):
    """One partition, opened by its only writer."""

    @property
    def name(self) -> str:
        """What a person calls the partition: its directory, its number."""
        ...

    @property
    def log(self) -> RecordLog:
        """Where records are appended."""
        ...

    @property
    def store(self) -> SettledStore:
        """Where mail settles."""
        ...

    @property
    def large(self) -> LargeBodies:
        """Where large bodies are."""
        ...

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Where its calls that block are made, but for the journal's and the settler's."""
        ...

    def free_bytes(self) -> int:
        """Return how much may still be written. Blocks shortly. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of everything, and of the partition at last. The threads have been shut down before."""
        ...
