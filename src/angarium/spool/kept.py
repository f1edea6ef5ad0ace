"""Where a record is that the journal still has to keep, for its body."""

from angarium.spool.codec import LARGE
from angarium.spool.log import RecordLog


class KeptRecord:
    """The place of a record in the log, and its *flags*. *size* counts all of it, in bytes."""

    __slots__ = ("flags", "generation", "offset", "size")

    generation: int
    offset: int
    size: int
    flags: int

    @property
    def is_large(self) -> bool:
        """Whether the body is a separate file."""
        return bool(self.flags & LARGE)

    def read_body(self, log: RecordLog) -> bytes:
        """Read back from the log what stands in the record, checked. Raises SpoolError."""
        return bytes(log.read(self.generation, self.offset, self.size).body)
