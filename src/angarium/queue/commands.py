"""What the scheduler and the I/O around it say to each other.

The scheduler returns commands; the I/O answers each by one call of the scheduler's method named in its
docstring.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from angarium.config.model import OutboundOptions
from angarium.core.address import Address
from angarium.core.records import Attempt, Event, Flow, QueueKey, Recipient
from angarium.core.reply import Reply
from angarium.queue.limits import Limit
from angarium.queue.plan import Method

Verdict = Literal["delivered", "transient", "permanent", "ambiguous", "untried"]
LeftOut = Literal["suppressed", "generation_failure", "generation_rejection"]
"""Why a recipient ends without an attempt: it must not get it, or there is nothing that it could get."""
LEFT_OUT: Final = get_args(LeftOut)
Fault = Literal["address", "host", "site", "local"]


@dataclass(slots=True)
class Resolve:
    """Find the way for *queue*. Answer: `resolved`. What was learnt before *since* is not to be used."""

    queue: QueueKey
    since: float = 0.0


@dataclass(slots=True)
class Connect:
    """Open connection *conn* to *address* and get as far as a session ready for mail.

    Answer: `opened` or `connect_failed`, and `ended` once the socket, if there was one, has ended.
    """

    conn: int
    queue: QueueKey
    address: Address
    method: Method
    options: OutboundOptions


class Deliver(msgspec.Struct):
    """Hand *recipients*, all of one message, to the idle connection *conn* in one transaction. Answer:
    `finished`.
    """

    conn: int
    queue: QueueKey
    recipients: list[Recipient]


@dataclass(slots=True)
class Quit:
    """End the idle connection *conn*. Answer: `ended`."""

    conn: int


@dataclass(slots=True)
class PageIn:
    """Bring due recipients of *flow* into memory. Answer: `paged`."""

    flow: Flow
    limit: int


@dataclass(slots=True)
class Settle:
    """Take *recipients* out of memory into the settled store. No answer: the scheduler has forgotten them."""

    recipients: list[Recipient]


class WriteEvents(msgspec.Struct):
    """Write *events*, already applied to their recipients, to the journal. No answer."""

    events: list[Event]
    recipients: list[Recipient]

    @classmethod
    def of(cls, recipients: Iterable[Recipient], happening: Callable[[Recipient], Event]) -> "WriteEvents":
        """Let happen to each recipient what *happening* makes of it."""
        record = cls([], [])
        for recipient in recipients:
            record.add(recipient, happening(recipient))
        return record

    def add(self, recipient: Recipient, event: Event) -> None:
        """Let *event* happen to its recipient, to be written with the others."""
        recipient.apply(event)
        self.events.append(event)
        self.recipients.append(recipient)


@dataclass(slots=True)
class Lease:
    """Ask the authority for *want* more units of the limit *key*, whose terms are *limit*. Answer: `granted`.

    *rank* says for which mail, and so before which others (`turns`).
    """

    key: str
    want: int
    limit: Limit
    rank: int


@dataclass(slots=True)
class GiveBack:
    """Return *count* units of a count limit that are no longer needed. No answer.

    Units of a rate are never returned: what is not used soon after it was granted lapses.
    """

    key: str
    count: int


Command = Resolve | Connect | Deliver | Quit | PageIn | Settle | WriteEvents | Lease | GiveBack


@dataclass(slots=True)
class ConnectFailure:
    """Why a connection did not become ready.

    *fault* says what it speaks against. No peer speaks for another host (RFC 5321 §5.1).

        address     this address
        host        all addresses of this host: it refused our login
        site        all addresses: what is configured here for the destination will not do
        local       us: no file descriptors, bind address missing

    *on_terms*: it is about what the queue's options ask for (encryption, login, XCLIENT), so that it says nothing to
    queues with other options.
    """

    reply: Reply
    attempt: Attempt
    fault: Fault
    on_terms: bool = False


class Result(msgspec.Struct):
    """What became of one recipient in a transaction.

    *untried*: the transaction ended before the peer judged it, through no fault of the recipient; it is ready again
    and the attempt does not count. *ambiguous*: the connection was lost between the final dot and its reply.
    *session_fault*: the reply was about the session, not about the recipient or the message (421, or lost
    connection). Without it an untried recipient may be tried again at once: in a session like this one it will not
    end the same way. A verdict that is `LeftOut`: nothing of it left, and *note* is for its event.
    """

    recipient: Recipient
    verdict: Verdict | LeftOut
    reply: Reply
    attempt: Attempt
    session_fault: bool = False
    note: str = ""
