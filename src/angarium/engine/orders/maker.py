"""Orders on the shelf are made into slices, each worker its share.

A slice is never in the queue twice, and none is missing, whenever a process ends. Its id follows from the order and its
number. It is made durable first, then the share's place behind it, and only then is it handed out: so until the place
is durable nobody can have finished a slice, and a start finds it in the spool, or it was never there.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.log import Log
from angarium.core.orders import MOST_IN_SLICE, Command, MailOrder, OrderSlice, Share, slice_id, sliced
from angarium.core.records import Content, Message
from angarium.engine.enter import Acceptance
from angarium.engine.orders.obey import Obey
from angarium.engine.orders.pages import RecipientPages
from angarium.spool.orders import OrderExtent, OrderStore
from angarium.spool.port import ContentGone, Selection, SharedBody, Spool, SpoolError

LOOK_S: Final = 1.0
"""How often is looked for orders."""
KEPT_S: Final = 30 * 86_400.0
"""For how long it is known of an order what became of it, after it came."""
_STALE_S: Final = 3600.0
_AT_ONCE: Final = 10
"""Recipients that are handed to the scheduler before other work has its turn."""
_PAGE: Final = 10 * MOST_IN_SLICE

T = TypeVar("T")


class OrderMaker:
    """Makes the shares of worker *number* of *workers*. *pages* reads lists; without it orders of lists wait. A place
    that cannot be noted is tried again after *retry_s*.
    """

    def __init__(
        self,
        shelf: OrderStore,
        number: int,
        workers: int,
        spool: Spool,
        acceptance: Acceptance,
        obey: Obey,
        clock: Clock,
        log: Log,
        pages: RecipientPages | None = None,
        retry_s: float = LOOK_S,
    ) -> None:
        self._shelf = shelf
        self._number = number
        self._workers = workers
        self._spool = spool
        self._acceptance = acceptance
        self._obey = obey
        self._clock = clock
        self._log = log
        self._pages = pages
        self._retry_s = retry_s
        self._contents: dict[MessageId, MessageId] = {}
        self._over: set[MessageId] = set()
        self._is_ending = False
        self._busy = asyncio.Lock()

    async def end(self) -> None:
        """Begin no slice from now on, and wait until none is being made."""
        self._is_ending = True
        async with self._busy:
            pass

    async def reconcile(self, recovered: Collection[MessageId]) -> None:
        """After a start, before anything is handed out: find slices that came into the spool without the share's place
        being noted. *recovered* are the messages that are in memory. Raises OSError and SpoolError.
        """
        if not self._number:
            await self._blocking(self._shelf.sweep)
        for order in await self._blocking(self._orders):
            for number in range(order.shares):
                share = await self._blocking(self._shelf.share, order.id, number)
                if share is not None and not share.is_done and self._is_mine(share, number):
                    await self._reconcile(order, number, share, recovered)

    async def _reconcile(
        self, order: MailOrder, number: int, share: Share, recovered: Collection[MessageId]
    ) -> None:
        following = share.next
        while await self._has(slice_id(order.id, following), recovered):
            following += order.shares
        if following != share.next or share.worker != self._number:
            place = replace(share, next=following, worker=self._number)
            await self._blocking(self._shelf.advance, order.id, number, place)

    async def _has(self, message: MessageId, recovered: Collection[MessageId]) -> bool:
        if message in recovered:
            return True
        return bool(await self._spool.select(Selection(message=message), None, 1))

    def _is_mine(self, share: Share | None, number: int) -> bool:
        """Whether a share is this worker's: of one that was begun it is who has the partition with its slices."""
        worker = number if share is None else share.worker
        return (worker if worker < self._workers else worker % self._workers) == self._number

    # -- regularly

    async def look(self) -> None:
        """Do what there is to do."""
        async with self._busy:
            await self._look()

    async def _look(self) -> None:
        try:
            orders = await self._blocking(self._orders)
        except OSError as error:
            self._complain(None, error)
            return
        for order in orders:
            if self._is_ending:
                return
            try:
                await self._work_at(order)
            except (OSError, AngariumError) as error:  # tried again with the next look
                self._complain(order, error)

    def _orders(self) -> list[MailOrder]:
        return [self._shelf.order(each) for each in self._shelf.ids() if each not in self._over]

    async def _work_at(self, order: MailOrder) -> None:
        marks = await self._blocking(self._shelf.marks, order.id)
        command: Command = "cancelled" if "cancelled" in marks else "paused" if "paused" in marks else ""
        if not command and order.message.begins_at > self._clock.now():
            return
        if not command and order.source and not self._number:
            await self._cut(order)
        for number in range(order.shares):
            share = await self._blocking(self._shelf.share, order.id, number)
            if self._is_mine(share, number):
                await self._work_at_share(
                    order, number, share or Share(worker=self._number, next=number), command
                )
        await self._close(order, command)

    async def _work_at_share(self, order: MailOrder, number: int, share: Share, command: Command) -> None:
        if command != share.obeys:
            made = [slice_id(order.id, each) for each in range(number, share.next, order.shares)]
            await self._obey.carry_out(command, made, order.name or format_id(order.id))
            share = replace(share, obeys=command, is_done=share.is_done or command == "cancelled")
            await self._blocking(self._shelf.advance, order.id, number, share)
        elif share.next == number and not share.is_done:
            await self._blocking(
                self._shelf.advance, order.id, number, share
            )  # who makes it, before anything is made
        if not command:
            await self._make(order, number, share)

    # -- making slices

    async def _make(self, order: MailOrder, number: int, share: Share) -> None:
        while not (share.is_done or self._is_ending):
            if await self._is_commanded(order):
                return
            found = await self._blocking(self._shelf.slice, order.id, share.next)
            if found is None:
                extent = await self._blocking(self._shelf.extent, order.id)
                if extent is None or share.next < extent.slices:
                    return
                share = replace(share, is_done=True)
            else:
                message = self._message_of(order, share.next, found)
                message = await self._enter(order, message, found.data)
                share = replace(share, next=share.next + order.shares)
            await self._advance(order, number, share)
            if found is not None:
                await self._hand_out(message)

    async def _is_commanded(self, order: MailOrder) -> bool:
        return bool(await self._blocking(self._shelf.marks, order.id))

    def _message_of(self, order: MailOrder, number: int, found: OrderSlice) -> Message:
        now, message = self._clock.now(), order.message
        due_at = message.due_at
        if now - message.begins_at > _STALE_S:  # it was paused: its time begins now
            due_at = now
        return replace(
            message,
            id=slice_id(order.id, number),
            recipients=found.recipients,
            submission=order.id if number else b"",
            due_at=due_at,
        )

    async def _enter(self, order: MailOrder, message: Message, data: bytes) -> Message:
        """Make a slice durable, with the content where this partition does not have it. Raises SpoolError."""
        content = self._contents.get(order.id)
        if content is not None:
            named = replace(message, content=content)
            try:
                await self._accept(named, data, None)
                return named
            except ContentGone:
                pass
        form = await self._blocking(self._shelf.form, order.id)
        content = new_id(self._clock.now())
        named = replace(message, content=content)
        made = Content(id=content, made_at=self._clock.now(), size=len(form))
        await self._accept(named, data, SharedBody(made, form))
        self._contents[order.id] = content
        return named

    async def _accept(self, message: Message, data: bytes, content: SharedBody | None) -> None:
        answer: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self._spool.accept_all([(message, data)], answer.set_result, contents=[content] if content else [])
        error = await answer
        if error is not None:
            raise error

    async def _advance(self, order: MailOrder, number: int, share: Share) -> None:
        """Note the place behind a slice that is durable. It is not handed out before; so this goes on until it is
        noted, or the process ends.
        """
        while True:
            try:
                await self._blocking(self._shelf.advance, order.id, number, share)
                return
            except OSError as error:
                if self._is_ending:
                    raise
                self._complain(order, error)
                await asyncio.sleep(self._retry_s)

    async def _hand_out(self, message: Message) -> None:
        self._acceptance.taken_over(message)
        for start in range(0, len(message.recipients), _AT_ONCE):
            some = self._acceptance.part_of(message, start, _AT_ONCE)
            if self._acceptance.has_room(message):
                self._acceptance.add(some)
            else:
                self._spool.settle(some)
            await asyncio.sleep(0)

    # -- cutting lists

    async def _cut(self, order: MailOrder) -> None:
        """Read on in the list of an order, and put slices on the shelf, to its end."""
        while not self._is_ending and self._pages is not None:
            if (
                await self._is_commanded(order)
                or await self._blocking(self._shelf.extent, order.id) is not None
            ):
                return
            sheaves = await self._blocking(self._shelf.sheaves, order.id)
            first, after = (sheaves[-1].first + sheaves[-1].size, sheaves[-1].upto) if sheaves else (0, 0)
            page = await self._pages.page(order.message.account, order.source, after, _PAGE)
            slices = list(sliced(page.recipients, page.personal))
            if slices:
                await self._blocking(self._shelf.add, order.id, first, slices, page.upto)
            if page.is_last:
                await self._complete(order.id)

    async def _complete(self, order: MessageId) -> None:
        sheaves = await self._blocking(self._shelf.sheaves, order)
        extent = OrderExtent(sum(each.size for each in sheaves), sum(each.recipients for each in sheaves))
        await self._blocking(self._shelf.complete, order, extent)

    # -- the end of an order

    async def _close(self, order: MailOrder, command: Command) -> None:
        shares = [await self._blocking(self._shelf.share, order.id, each) for each in range(order.shares)]
        if any(share is None or not share.is_done or share.obeys != command for share in shares):
            return
        if command == "paused":
            return
        self._contents.pop(order.id, None)
        if self._clock.now() - order.made_at > KEPT_S:
            self._over.add(order.id)
            if not self._number:
                await self._blocking(self._shelf.remove, order.id)
        else:
            await self._blocking(self._shelf.clear, order.id)

    # -- threads

    async def _blocking(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(work, *args)

    def _complain(self, order: MailOrder | None, error: Exception) -> None:
        named = format_id(order.id) if order is not None else ""
        self._log.error("order", self._clock.now(), order=named, error=str(error))
