"""A moment of a partition holds what was unfinished then, whatever its writer does before all of it is copied."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest

from angarium.core.ids import MessageId
from angarium.core.records import Recipient
from angarium.spool.embedded import open_partition
from angarium.spool.offline import moment as moments_of
from angarium.spool.offline.check import check_partition
from angarium.spool.offline.moment import STORE, Moment
from angarium.spool.offline.survey import survey
from angarium.spool.partition import Partition
from angarium.spool.port import Selection
from angarium.testing.spool import SMALL, SpoolDriver, make_content, make_message

LARGE = 100_000
Key = tuple[MessageId, int]


class Story:
    """What happens to a partition, at random, and what is unfinished by then."""

    def __init__(self, spool: Partition, random: Random) -> None:
        self.driver = SpoolDriver(spool)
        self.open: dict[Key, Recipient] = {}
        self._spool = spool
        self._random = random
        self._shared = make_content(b"shared " * 300)
        self._is_shared = False

    async def go_on(self) -> None:
        """Do one thing."""
        doing = self._random.choices(
            (self._accept, self._accept_large, self._accept_shared, self._settle, self._end), (8, 1, 2, 4, 9)
        )[0]
        await doing()

    async def _accept(self) -> None:
        body = self._random.randbytes(self._random.randint(0, 6000))
        message = make_message("a.example", "b.example", size=len(body))
        self._opened(await self.driver.take(message, body))

    async def _accept_large(self) -> None:
        message = make_message("large.example", size=LARGE)
        body = self._spool.large_body(message.id)
        await body.write(bytes(LARGE))
        self._opened(await self.driver.take(message, await body.finish()))

    async def _accept_shared(self) -> None:
        message = make_message("c.example", content=self._shared.content.id)
        shared = self._shared if not self._is_shared else None
        if await self.driver.accept_all((message, b"own"), content=shared) is None:
            self._is_shared = True
            self._opened([Recipient(message, 0, message.binding, "c.example")])
        else:  # nobody named it any more, so it went
            self._shared, self._is_shared = make_content(b"shared " * 300), False

    def _opened(self, recipients: list[Recipient]) -> None:
        self.open.update({each.key: each for each in recipients})

    async def _settle(self) -> None:
        some = [each for each in self.open.values() if not each.settled][: self._random.randint(1, 5)]
        if some:
            for each in some:
                each.settled = True
            answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            self._spool.settle(some, answer.set_result)
            assert await answer is None

    async def _end(self) -> None:
        if self.open:
            key = self._random.choice(list(self.open))
            await self.driver.tell(self.open.pop(key), "delivered")


@contextmanager
def held(path: Path) -> Iterator[Moment]:
    with moments_of.held(path) as holding:
        yield holding.take()


def copied(moment: Moment, target: Path) -> Path:
    """Make a partition of a moment."""
    for folder in ("journal", "large", "damaged", "cursors"):
        (target / folder).mkdir(parents=True)
    for piece in moment.pieces:
        (target / piece.name).write_bytes(os.pread(piece.fd, piece.size_bytes, 0))
        moment.check(piece)
    if moment.store is not None:
        moment.store.copy_to(target / STORE, lambda *_: None, 1 << 20)
    return target


def unfinished(path: Path) -> set[Key]:
    return {(each.message.id, index) for each in survey(path).unfinished() for index in each.indices}


async def recovered(path: Path) -> set[Key]:
    """Return what a start finds, each with a body that can be read."""
    spool = open_partition(path, asyncio.get_running_loop(), SMALL)
    _, live = spool.recover()
    found = live + await spool.select(Selection(), None, 100_000)
    for each in found:
        await spool.load_body(each.message)
    await spool.close()
    return {each.key for each in found}


@pytest.mark.parametrize("seed", range(4))
def test_a_moment_is_what_was_unfinished_then(seed: int, tmp_path: Path) -> None:
    async def story() -> None:
        random = Random(seed)
        spool = open_partition(tmp_path / "p0", asyncio.get_running_loop(), SMALL)
        spool.recover()
        told = Story(spool, random)
        moments: list[tuple[Moment, set[Key]]] = []
        with ExitStack() as stack:
            for number in range(400):
                await told.go_on()
                if number % 57 == 56:
                    moments.append((stack.enter_context(held(tmp_path / "p0")), set(told.open)))
            first = {piece.name for piece in moments[0][0].pieces if piece.name.startswith("journal/")}
            last = {piece.name for piece in moments[-1][0].pieces if piece.name.startswith("journal/")}
            assert not first & last  # the journal has moved on meanwhile
            for number, (moment, expected) in enumerate(moments):
                target = copied(moment, tmp_path / f"copy{number}")
                assert check_partition(target).problems == []
                assert unfinished(target) == expected
                assert await recovered(target) == expected
        await spool.close()

    asyncio.run(story())


def test_a_moment_of_a_partition_at_rest(tmp_path: Path) -> None:
    async def story() -> set[Key]:
        spool = open_partition(tmp_path / "p0", asyncio.get_running_loop(), SMALL)
        spool.recover()
        told = Story(spool, Random(1))
        for _ in range(100):
            await told.go_on()
        await spool.close()
        return set(told.open)

    expected = asyncio.run(story())
    with held(tmp_path / "p0") as moment:
        assert not moment.in_use
        target = copied(moment, tmp_path / "copy")
    assert asyncio.run(recovered(target)) == expected
    assert asyncio.run(recovered(tmp_path / "p0")) == expected


def test_what_is_held_is_let_go(tmp_path: Path) -> None:
    async def story() -> None:
        spool = open_partition(tmp_path / "p0", asyncio.get_running_loop(), SMALL)
        spool.recover()
        await spool.close()

    asyncio.run(story())
    before = len(os.listdir("/proc/self/fd"))
    with held(tmp_path / "p0"):
        assert len(os.listdir("/proc/self/fd")) > before
    assert len(os.listdir("/proc/self/fd")) == before
    assert list((tmp_path / "p0/cursors").iterdir()) == []
