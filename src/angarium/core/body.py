"""The text of a message, in memory or in a file."""

from pathlib import Path
from typing import NamedTuple


class LargeBody(NamedTuple):
    """A body too large for the journal: a separate file, synced before its message is accepted.

    *header* is its header block, None where it was not read.
    """

    path: Path
    size: int
    header: bytes | None = None


Body = bytes | LargeBody
"""Header block and body as submitted: CRLF lines, no dot-stuffing, no trace lines."""
