"""Where orders are taken: durable on the shelf, from where the workers make slices of them."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from angarium.core.clock import Clock
from angarium.core.fields import Personal
from angarium.core.orders import MailOrder, OrderSlice, sliced
from angarium.core.records import Message
from angarium.spool.orders import OrderStore
from angarium.spool.port import spool_error


class OrderDesk:
    """Places orders, each in *shares*: one for each worker."""

    def __init__(self, shelf: OrderStore, shares: int, clock: Clock) -> None:
        self._shelf = shelf
        self._shares = shares
        self._clock = clock

    async def place(
        self, message: Message, form: bytes, personal: Sequence[Personal] = (), *, source: str = ""
    ) -> None:
        """Make *message*, whose content is *form*, durable as an order that has its id. Its recipients, each with what
        is *personal* to it, or those of the list *source*, which is read when it is to leave. Raises SpoolError:
        nothing of it will leave.
        """
        order = MailOrder(
            id=message.id,
            made_at=self._clock.now(),
            message=replace(message, recipients=()),
            shares=self._shares,
            source=source,
            name=message.options.campaign or "",
        )
        slices = list(sliced(message.recipients, personal))
        try:
            await asyncio.to_thread(self._place, order, form, slices)
        except OSError as error:
            raise spool_error("the order could not be kept", error) from error

    def _place(self, order: MailOrder, form: bytes, slices: list[OrderSlice]) -> None:
        self._shelf.place(order, form, slices, is_whole=not order.source)
