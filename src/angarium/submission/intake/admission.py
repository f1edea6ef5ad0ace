"""Whether mail is taken at all at the moment. Pure."""

from typing import NamedTuple

from angarium.core.submission import Problem, Reason
from angarium.spool.port import SpoolStatus
from angarium.submission.policy import storage_problem


class Load(NamedTuple):
    """What bounds admission. Recipients count memory and settled store; 0 for no bound.

    *held_bytes* is what the worker has in memory by its own books, *resident_bytes* what the system counts as its.
    """

    recipients: int
    most_recipients: int
    held_bytes: int
    resident_bytes: int
    most_bytes: int

    @property
    def is_short_of_memory(self) -> bool:
        """Whether the bound is reached. Of what the system counts, much may be free for use again and never go back:
        without mail that is held it is no reason to take none.
        """
        if not self.most_bytes or max(self.held_bytes, self.resident_bytes) < self.most_bytes:
            return False
        return self.held_bytes * 2 >= self.most_bytes


def refusal(status: SpoolStatus, load: Load) -> Problem | None:
    """Return why no mail is taken at the moment, or None. Everything here is temporary."""
    if status.accepting is not None:
        return storage_problem(status.accepting)
    if load.most_recipients and load.recipients >= load.most_recipients:
        return Problem(Reason.QUEUE_FULL)
    if load.is_short_of_memory:
        return Problem(Reason.MEMORY)
    return None
