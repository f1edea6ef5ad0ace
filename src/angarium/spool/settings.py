"""The spool's parameters, with the defaults of a whole machine for one worker."""

from collections.abc import Callable
from dataclasses import dataclass

from angarium.core.records import Message, QueueKey, Recipient


def own_domain_queue(message: Message, index: int) -> QueueKey:
    """Return the queue of a recipient that nothing reroutes: the message's binding and the recipient's
    domain.
    """
    return QueueKey(message.binding, message.recipients[index].domain)


def never_expires(recipient: Recipient) -> float:
    """Return a time that does not come."""
    return 253402300800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """What a partition may use, and when it writes. Each worker has its own partitions.

    *journal_segments* bounds the log: from three quarters of it on, what still lives in the oldest segment is
    settled by force; at the bound new mail is refused. *history_segments* finished segments are kept for
    `history` before they are used again. Acceptance is refused while the disk has less than *min_free_bytes*.
    *store_reserve_bytes* is room that the settled store keeps for its changes on a full disk.

    *write_delay_s* is how long events may gather in memory before they are written (a killed process loses
    those), *sync_delay_s* how long written events wait for a sync of their own (a power cut loses those),
    *settle_delay_s* how long events of settled recipients gather before they are applied to the store, and
    *store_sync_delay_s* how long those applied wait for a sync of the store (nothing is lost by either: the journal
    has them).
    """

    segment_bytes: int = 64 << 20
    journal_segments: int = 16
    history_segments: int = 2
    min_free_bytes: int = 256 << 20
    resident_body_bytes: int = 256 << 20
    max_resident: int = 100_000
    store_backlog: int = 100_000
    store_reserve_bytes: int = 4 << 20
    write_delay_s: float = 0.02
    sync_delay_s: float = 0.5
    settle_delay_s: float = 0.2
    store_sync_delay_s: float = 1.0
    retry_delay_s: float = 1.0
    queue_of: Callable[[Message, int], QueueKey] = own_domain_queue
    expires_at: Callable[[Recipient], float] = never_expires
