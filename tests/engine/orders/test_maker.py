"""Orders become slices: each recipient is in the queue once and none is missing, whatever process and disk do."""

import asyncio
import contextlib
import shutil
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from angarium.core.fields import Personal, personal_at
from angarium.core.ids import MessageId, new_id
from angarium.core.orders import MailOrder, OrderSlice, Share, slice_id, sliced
from angarium.core.records import ForwardPath, Message, Recipient
from angarium.engine.orders.maker import KEPT_S, OrderMaker
from angarium.engine.orders.pages import RecipientPage
from angarium.spool.disk import Disk
from angarium.spool.embedded import open_partition
from angarium.spool.files.orders.shelf import OrderShelf
from angarium.spool.partitions import Partitions
from angarium.spool.port import Selection, Spool, SpoolError
from angarium.testing.clock import ManualClock
from angarium.testing.disk import FAILURES, FailingDisk, Failure
from angarium.testing.log import kept_log
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import NOW, SMALL, make_message, recipients_of

FORM = b"Subject: x\r\n\r\nform"


def people(number: int) -> list[ForwardPath]:
    return [ForwardPath(address=f"p{n}@to.example", domain="to.example") for n in range(number)]


def own(number: int) -> list[Personal]:
    return [Personal(f"P{n}") for n in range(number)]


def an_order(**how: Any) -> MailOrder:
    message = replace(make_message(received_at=NOW), recipients=(), is_form=True, body_size=len(FORM))
    fields = {"id": MessageId(new_id(NOW)), "made_at": NOW, "message": message, "shares": 2}
    return MailOrder(**fields | how)


def slices(number: int, most: int = 2) -> list[OrderSlice]:
    return list(sliced(people(number), own(number), most))


class Ledger:
    """What was handed out over all runs: who, by which keys, and with which data."""

    def __init__(self) -> None:
        self.keys: defaultdict[str, set[tuple[MessageId, int]]] = defaultdict(set)

    def note(self, recipients: Sequence[Recipient]) -> None:
        for recipient in recipients:
            self.keys[recipient.path.address].add(recipient.key)

    def agrees(self, number: int) -> bool:
        """Whether each of so many people has one message, and nobody else has any."""
        return self.keys.keys() == {path.address for path in people(number)} and all(
            len(keys) == 1 for keys in self.keys.values()
        )


def _folders(folder: Path, number: int, workers: int) -> list[Path]:
    """Return the partitions of a worker, as `node.spools` shares them out."""
    left = [each for each in (0, 1) if each >= workers and each % workers == number]
    return [
        folder / f"p{each}" for each in (number, *left) if each == number or (folder / f"p{each}").is_dir()
    ]


class Worker:
    """A partition, and a maker before a scheduler that delivers at once: so nothing stays in the spool for long."""

    def __init__(self, number: int, workers: int, folder: Path, disk: Disk | None, ledger: Ledger) -> None:
        self.number = number
        self.clock = ManualClock(NOW)
        self.ledger = ledger
        self.has_space = True
        self.obeyed: list[tuple[str, int]] = []
        self.log = kept_log()
        self.shelf = OrderShelf(folder / "orders", disk)
        self.pages: Any = None
        loop = asyncio.get_running_loop()
        active, *left = (
            open_partition(each, loop, SMALL, disk) for each in _folders(folder, number, workers)
        )
        self.spool: Spool = Partitions(active, left, max_resident=100) if left else active
        self._workers = workers

    async def start(self) -> None:
        _, recovered = self.spool.recover()
        self.maker = OrderMaker(
            self.shelf, self.number, self._workers, self.spool, self._as_acceptance, self._as_obey,
            self.clock, self.log, self.pages, retry_s=0.001,
        )  # fmt: skip
        await self.maker.reconcile({recipient.message.id for recipient in recovered})
        self.add(recovered)

    @property
    def _as_acceptance(self) -> Any:
        return self

    @property
    def _as_obey(self) -> Any:
        return self

    # what the maker asks of others

    def taken_over(self, message: Message) -> None:
        pass

    def part_of(self, message: Message, start: int, most: int) -> list[Recipient]:
        return recipients_of(message)[start : start + most]

    def has_room(self, message: Message) -> bool:
        return self.has_space

    def add(self, recipients: Sequence[Recipient]) -> None:
        self.ledger.note(recipients)
        self.spool.record([each.event("delivered", NOW, "delivered") for each in recipients])

    async def carry_out(self, command: str, made: Sequence[MessageId], name: str) -> None:
        self.obeyed.append((command, len(made)))


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(in_time())


async def run(folder: Path, ledger: Ledger, workers: int = 2, disk: FailingDisk | None = None) -> None:
    """One life of a node: to the end of all orders, or of the disk."""
    dead, began = asyncio.Event(), list[Worker]()
    if disk is not None:
        disk.on_death = partial(asyncio.get_running_loop().call_soon_threadsafe, dead.set)
    life = asyncio.ensure_future(_live(began, folder, ledger, workers, disk))
    died = asyncio.ensure_future(dead.wait())
    await asyncio.wait([life, died], return_when=asyncio.FIRST_COMPLETED)
    for task in (life, died):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, SpoolError, OSError):
            await task
    for worker in began:
        with contextlib.suppress(SpoolError, OSError):
            await worker.spool.close()


async def _live(
    began: list[Worker], folder: Path, ledger: Ledger, workers: int, disk: FailingDisk | None
) -> None:
    for each in range(workers):
        began.append(Worker(each, workers, folder, disk, ledger))
        await began[-1].start()
    shelf = began[0].shelf
    for _ in range(20):
        for worker in began:
            await worker.maker.look()
        if all(is_over(shelf, order) for order in shelf.ids()):
            break


def is_over(shelf: OrderShelf, order: MessageId) -> bool:
    shares = [shelf.share(order, number) for number in range(shelf.order(order).shares)]
    return all(share is not None and share.is_done for share in shares)


def test_each_worker_makes_its_share(tmp_path: Path) -> None:
    async def story() -> None:
        shelf, ledger, order = OrderShelf(tmp_path / "orders"), Ledger(), an_order()
        shelf.place(order, FORM, slices(9))
        await run(tmp_path, ledger)
        assert ledger.agrees(9)
        ids = {key[0] for keys in ledger.keys.values() for key in keys}
        assert ids == {slice_id(order.id, number) for number in range(5)}
        assert shelf.share(order.id, 0) == Share(worker=0, next=6, is_done=True)
        assert shelf.share(order.id, 1) == Share(worker=1, next=5, is_done=True)
        assert shelf.sheaves(order.id) == []  # nothing of it takes room any more

    play(story)


def test_a_slice_has_the_content_and_what_its_recipients_have(tmp_path: Path) -> None:
    async def story() -> None:
        worker = Worker(0, 1, tmp_path, None, Ledger())
        worker.has_space = False
        order = an_order(shares=1)
        worker.shelf.place(order, FORM, slices(5))
        await worker.start()
        await worker.maker.look()
        found = await worker.spool.select(Selection(), None, 10)
        assert [each.path for each in sorted(found, key=lambda each: each.path.address)] == people(5)
        assert len({each.message.content for each in found}) == 1  # once in each partition
        for each in found:
            assert await worker.spool.load_body(each.message) == FORM
            data = await worker.spool.load_data(each.message)
            assert f"{personal_at(data, each.index).name.lower()}@to.example" == each.path.address
        await worker.spool.close()

    play(story)


def test_what_is_to_leave_later_waits_on_the_shelf(tmp_path: Path) -> None:
    async def story() -> None:
        worker = Worker(0, 1, tmp_path, None, Ledger())
        later = replace(an_order().message, due_at=NOW + 60)
        order = an_order(shares=1, message=later)
        worker.shelf.place(order, FORM, slices(2))
        await worker.start()
        await worker.maker.look()
        assert worker.ledger.keys == {}
        worker.clock.at += 60
        await worker.maker.look()
        assert worker.ledger.agrees(2)
        await worker.spool.close()

    play(story)


def test_a_paused_order_goes_on_where_it_was_and_a_cancelled_one_never(tmp_path: Path) -> None:
    async def story() -> None:
        worker, order = Worker(0, 1, tmp_path, None, Ledger()), an_order(shares=1)
        worker.shelf.place(order, FORM, slices(4))
        worker.shelf.mark(order.id, "paused")
        await worker.start()
        await worker.maker.look()
        await worker.maker.look()
        assert (worker.obeyed, worker.ledger.keys) == ([("paused", 0)], {})
        worker.shelf.unmark(order.id, "paused")
        await worker.maker.look()
        assert worker.ledger.agrees(4)
        assert worker.obeyed == [("paused", 0), ("", 0)]
        worker.shelf.mark(order.id, "cancelled")
        await worker.maker.look()
        assert worker.obeyed[2:] == [("cancelled", 2)]

        never = an_order(shares=1)
        worker.shelf.place(never, FORM, slices(6))
        worker.shelf.mark(never.id, "cancelled")
        await worker.maker.look()
        assert worker.ledger.agrees(4)
        assert worker.shelf.share(never.id, 0) == Share(worker=0, next=0, is_done=True, obeys="cancelled")
        await worker.spool.close()

    play(story)


class Pages:
    """Implements RecipientPages: a list of so many people, read three at a time."""

    def __init__(self, number: int) -> None:
        self.asked: list[int] = []
        self._number = number

    async def page(self, account: int, source: str, after: int, most: int) -> RecipientPage:
        assert source == "news"
        self.asked.append(after)
        upto = min(after + 3, self._number)
        some = slice(after, upto)
        return RecipientPage(people(upto)[some], own(upto)[some], upto, upto == self._number)


def test_a_list_is_read_page_by_page(tmp_path: Path) -> None:
    async def story() -> None:
        worker, order = Worker(0, 1, tmp_path, None, Ledger()), an_order(shares=1, source="news")
        pages = worker.pages = Pages(8)
        worker.shelf.place(order, FORM, is_whole=False)
        await worker.start()
        await worker.maker.look()
        assert (pages.asked, worker.ledger.agrees(8)) == ([0, 3, 6], True)
        extent = worker.shelf.extent(order.id)
        assert extent is not None
        assert (extent.slices, extent.recipients) == (3, 8)
        await worker.spool.close()

    play(story)


def test_what_became_of_an_order_is_known_for_a_month(tmp_path: Path) -> None:
    async def story() -> None:
        worker, order = Worker(0, 1, tmp_path, None, Ledger()), an_order(shares=1)
        worker.shelf.place(order, FORM, slices(2))
        await worker.start()
        await worker.maker.look()
        assert worker.shelf.ids() == [order.id]
        worker.clock.at += KEPT_S + 1
        await worker.maker.look()
        assert worker.shelf.ids() == []
        await worker.spool.close()

    play(story)


def broken_lives(folder: Path, failure: Failure, first: int, step: int) -> None:
    """Break a node's life at each *step*-th call of the disk. The next lives have other numbers of workers."""
    for at in count(first, step):
        here, disk, ledger = folder / f"{failure}-{at}", FailingDisk(failure, at, seed=at), Ledger()
        OrderShelf(here / "orders").place(an_order(), FORM, slices(9))
        asyncio.run(run(here, ledger, 2, disk))
        if failure == "power":
            disk.cut_power()
        disk.release()
        for workers in (1, 2) if at % 2 else (2, 1):
            asyncio.run(run(here, ledger, workers))
        assert ledger.agrees(9), f"{failure} at call {at}: {dict(ledger.keys)}"
        shutil.rmtree(here)
        if disk.calls < at:
            break


@pytest.mark.parametrize("failure", FAILURES)
def test_each_recipient_is_in_the_queue_once_whatever_the_disk_does(tmp_path: Path, failure: Failure) -> None:
    broken_lives(tmp_path, failure, 7 + 11 * FAILURES.index(failure), 53)


@pytest.mark.long
@pytest.mark.parametrize("failure", FAILURES)
def test_each_recipient_is_in_the_queue_once_at_each_call(tmp_path: Path, failure: Failure) -> None:
    broken_lives(tmp_path, failure, 1, 1)


@pytest.mark.parametrize("failure", FAILURES)
def test_an_order_is_there_as_a_whole_or_not_at_all(tmp_path: Path, failure: Failure) -> None:
    """And what was said to be refused is not there."""
    for at in count(1):
        here, disk, order = tmp_path / f"{failure}-{at}", FailingDisk(failure, at, seed=at), an_order()
        here.mkdir()
        is_kept = True
        try:
            OrderShelf(here / "orders", disk).place(order, FORM, slices(40, 1))
        except OSError:
            is_kept = False
        if failure == "power":
            disk.cut_power()
        disk.release()
        shelf = OrderShelf(here / "orders")
        shelf.sweep()
        if is_kept:
            assert shelf.ids() == [order.id]
        elif failure in ("error", "full"):
            assert shelf.ids() == []
        for each in shelf.ids():
            assert shelf.order(each) == order
            assert shelf.form(each) == FORM
            extent = shelf.extent(each)
            assert extent is not None
            assert [shelf.slice(each, number) for number in range(extent.slices)] == slices(40, 1)
        if disk.calls < at:
            break


def test_a_damaged_slice_is_told(tmp_path: Path) -> None:
    shelf, order = OrderShelf(tmp_path / "orders"), an_order()
    shelf.place(order, FORM, slices(4))
    (file,) = (tmp_path / "orders" / order.id.hex()).glob("sheaf-*")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert shelf.slice(order.id, 0) == slices(4)[0]
    with pytest.raises(OSError, match=r"slice 1 of .* is damaged"):
        shelf.slice(order.id, 1)
