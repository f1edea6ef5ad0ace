"""Where orders are kept until all of their slices are in the queue: the port, read by all workers of a node.

What is written is durable when a call returns. Everything blocks, and raises OSError: call it in threads.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from angarium.core.ids import MessageId
from angarium.core.orders import MailOrder, OrderSlice, Share

Mark = Literal["paused", "cancelled"]


class OrderExtent(msgspec.Struct, frozen=True):
    """All that an order has been cut into."""

    slices: int
    recipients: int


class Sheaf(NamedTuple):
    """Some slices that were put there together: the number of the *first*, how many they are, with how many recipients,
    and up to which position of its list the order has been cut with them.
    """

    first: int
    size: int
    recipients: int
    upto: int

    def __contains__(self, number: object) -> bool:
        """Whether slice *number* is in it."""
        return isinstance(number, int) and self.first <= number < self.first + self.size


class OrderStore(Protocol):
    """The orders of a node."""

    def place(
        self, order: MailOrder, form: bytes, slices: Sequence[OrderSlice] = (), *, is_whole: bool = True
    ) -> None:
        """Make an order durable with its content and its slices; without *is_whole* more of them will follow. Nothing
        of it is there if this raises.
        """
        ...

    def add(self, order: MessageId, first: int, slices: Sequence[OrderSlice], upto: int) -> None:
        """Add slices of which the first has number *first*, with which the order was cut *upto* a position."""
        ...

    def complete(self, order: MessageId, extent: OrderExtent) -> None:
        """Say that no more slices will be added."""
        ...

    def ids(self) -> list[MessageId]:
        """Return the orders that are there, the oldest first."""
        ...

    def order(self, order: MessageId) -> MailOrder:
        """Return what an order is. Raises FileNotFoundError for one that is not there."""
        ...

    def form(self, order: MessageId) -> bytes:
        """Return the content of an order."""
        ...

    def extent(self, order: MessageId) -> OrderExtent | None:
        """Return what it was cut into, None while more may come."""
        ...

    def sheaves(self, order: MessageId) -> list[Sheaf]:
        """Return what was put there, in order."""
        ...

    def slice(self, order: MessageId, number: int) -> OrderSlice | None:
        """Return a slice, None if it is not there (yet)."""
        ...

    def share(self, order: MessageId, number: int) -> Share | None:
        """Return how far a part has come, None before it was begun."""
        ...

    def advance(self, order: MessageId, number: int, share: Share) -> None:
        """Note how far a part has come."""
        ...

    def marks(self, order: MessageId) -> set[Mark]:
        """Return what was commanded."""
        ...

    def mark(self, order: MessageId, mark: Mark) -> None:
        """Command it."""
        ...

    def unmark(self, order: MessageId, mark: Mark) -> None:
        """Take a command back."""
        ...

    def clear(self, order: MessageId) -> None:
        """Remove the slices and the content of an order of which nothing more is made; what it was stays."""
        ...

    def remove(self, order: MessageId) -> None:
        """Remove an order."""
        ...

    def sweep(self) -> None:
        """Remove what was never finished, or being removed, when the process ended. While nothing is placed."""
        ...
