"""Orders: mailings that are accepted as a whole and made into slices in the background.

`MailOrder` and `Share` are durable, as MessagePack arrays: fields may only be appended, each with a default, and never
change their meaning.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Final, Literal, NamedTuple

import msgspec

from angarium.core.fields import Personal, packed
from angarium.core.ids import MessageId
from angarium.core.records import ForwardPath, Message

MOST_IN_SLICE: Final = 1_000
"""Recipients of one message, where a submission has more."""

OrderState = Literal["scheduled", "making", "paused", "made", "cancelled"]
"""What is being done of an order. *made*: all of its slices are in the queue, or have left it."""


Command = Literal["", "paused", "cancelled"]
"""What is commanded of an order; empty: that it goes on."""


class MailOrder(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A mailing. *message* is what each slice is, but for its id and recipients, of which it has none.

    *shares* is into how many parts it was divided, one for each worker of that time. *source* names the list that its
    recipients are read from; empty: they came with it. *name* is what people call it.
    """

    id: MessageId
    made_at: float
    message: Message
    shares: int
    source: str = ""
    name: str = ""


class Share(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How far one part of an order has come. *worker* makes its slices, or did last; *next* is the number of the first
    slice that may not be in the queue, counted among all of the order. *is_done*: none will follow. *obeys* is the
    command that was carried out last on those that are in the queue.
    """

    worker: int
    next: int
    is_done: bool = False
    obeys: Command = ""


class OrderSlice(NamedTuple):
    """Recipients, and what they have of their own (`fields.packed`)."""

    recipients: tuple[ForwardPath, ...]
    data: bytes = b""


def sliced(
    recipients: Sequence[ForwardPath], personal: Sequence[Personal], most: int = MOST_IN_SLICE
) -> Iterator[OrderSlice]:
    """Divide recipients into slices, each with what they have of their own; *personal* is in their order, or empty."""
    own = iter(personal)
    for start in range(0, len(recipients), most):
        some = tuple(recipients[start : start + most])
        yield OrderSlice(some, packed(islice(own, len(some))))


def slice_id(order: MessageId, number: int) -> MessageId:
    """Return the id of a slice, the same each time: the first has the order's own."""
    if not number:
        return order
    noise = bytearray(blake2b(order + number.to_bytes(8, "big"), digest_size=10).digest())
    noise[0] = 0x70 | (noise[0] & 0x0F)  # as `ids.new_id` has them
    noise[2] = 0x80 | (noise[2] & 0x3F)
    return MessageId(order[:6] + noise)
