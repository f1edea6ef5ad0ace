"""Several partitions of one worker: one takes mail, the others are drained, and each keeps what happens to its own."""

import asyncio
import gc
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from angarium.core.records import Message
from angarium.spool.embedded import open_partition
from angarium.spool.homes import Homes
from angarium.spool.partitions import Partitions
from angarium.spool.port import Selection, SpoolError
from angarium.testing.spool import NOW, SMALL, SpoolDriver, make_message

LATER = NOW + 1_000_000


def _one(held, settings):
    if len(held) == 1:
        return held[0]
    return Partitions(held[0], held[1:], max_resident=settings.max_resident)


@asynccontextmanager
async def opened(*paths, settings=SMALL):
    """A spool of the partitions at *paths*, the active one first; a single one is no composition."""
    held = [open_partition(path, asyncio.get_running_loop(), settings) for path in paths]
    spool = SpoolDriver(_one(held, settings))
    try:
        spool.report, spool.recovered = spool.spool.recover()
        yield spool
    finally:
        await spool.spool.close()


@pytest.fixture
def active(tmp_path):
    return tmp_path / "p0"


@pytest.fixture
def left(tmp_path):
    return tmp_path / "p1"


def play(story):
    asyncio.run(asyncio.wait_for(story, 60))


def test_what_is_drained_is_finished_where_it_was_accepted(active, left):
    async def story():
        async with opened(left) as spool:
            for domain in ("journal.example", "store.example"):
                (recipient,) = await spool.take(make_message(domain), b"body of " + domain.encode())
            await spool.settle(recipient)
        async with opened(active, left) as spool:
            (fresh,) = await spool.take(make_message("fresh.example"), b"fresh")
            (in_journal,) = spool.recovered
            (in_store,) = await spool.spool.page(next(iter(spool.spool.flows())), LATER, 9)
            for recipient in (in_journal, in_store):
                assert await spool.body(recipient.message) == b"body of " + recipient.domain.encode()
                await spool.tell(recipient, "delivered")
            assert await spool.spool.count(Selection()) == 0
        async with opened(left) as spool:
            assert (spool.recovered, dict(spool.spool.flows())) == ([], {})
            for recipient in (in_journal, in_store):
                _, events = await spool.spool.history(recipient.message.id)
                assert [event.state for event in events] == ["delivered"]
        async with opened(active) as spool:
            assert [r.message.id for r in spool.recovered] == [fresh.message.id]

    play(story())


def test_what_comes_back_from_being_drained_settles_where_it_was(active, left):
    async def story():
        async with opened(left) as spool:
            await spool.settle(*await spool.take(make_message(), b"x"))
        async with opened(active, left) as spool:
            (paged,) = await spool.spool.page(next(iter(spool.spool.flows())), LATER, 1)
            await spool.tell(paged, "queued", due_at=LATER + 5)
            await spool.settle(paged)
            (summary,) = spool.spool.flows().values()
            assert summary.next_due == LATER + 5
        async with opened(active) as spool:
            assert not spool.spool.flows()

    play(story())


def test_a_flow_of_several_partitions_is_one_flow_and_its_earliest_due_comes_first(active, left):
    async def put(spool, *dues):
        for due_at in dues:
            (recipient,) = await spool.take(make_message(), b"x")
            await spool.tell(recipient, "queued", due_at=due_at)
            await spool.settle(recipient)
        return recipient.flow

    async def story():
        async with opened(left) as spool:
            await put(spool, NOW + 2, NOW + 9)
        async with opened(active, left) as spool:
            told = {}
            spool.spool.on_flow(told.__setitem__)
            flow = await put(spool, NOW + 1, NOW + 4)
            assert told[flow][:3] == (4, 0, NOW + 1)
            assert [r.due_at for r in await spool.spool.page(flow, NOW + 5, 9)] == [NOW + 1, NOW + 4, NOW + 2]
            assert told[flow][:3] == (1, 0, NOW + 9)

    play(story())


def test_a_start_takes_no_more_into_memory_than_one_partition_might_the_active_ones_first(active, left):
    async def story():
        for path, count in ((active, 5), (left, 7)):
            async with opened(path) as spool:
                for _ in range(count):
                    await spool.take(make_message(path.name), b"x")
        async with opened(active, left, settings=replace(SMALL, max_resident=8)) as spool:
            assert [r.domain for r in spool.recovered] == ["p0"] * 5 + ["p1"] * 3
            assert await spool.spool.count(Selection(domain="p1")) == 4

    play(story())


def test_one_answer_comes_when_all_partitions_have_given_theirs(active, left):
    async def story():
        async with opened(left) as spool:
            await spool.take(make_message(), b"old")
        async with opened(active, left) as spool:
            (old,) = spool.recovered
            (new,) = await spool.take(make_message(), b"new")
            answers = []
            events = [r.event("delivered", NOW, "delivered") for r in (old, new)]
            spool.spool.record(events, answers.append)
            assert await spool.record() is None  # all that was told before is durable then
            assert answers == [None]

    play(story())


def test_one_that_cannot_be_read_is_left_alone_and_the_spool_is_unwell(active):
    async def story():
        one = open_partition(active, asyncio.get_running_loop(), SMALL)
        spool = SpoolDriver(Partitions(one, [Unreadable()], ["p2 is in use"], max_resident=9))
        spool.spool.recover()
        assert spool.spool.status().unwell == "p2 is in use; p1 cannot be read"
        assert await spool.accept(make_message(), b"x") is None
        assert await spool.spool.count(Selection()) == 0
        await spool.spool.close()

    play(story())


class Unreadable:
    """A partition whose disk does not give its segments."""

    def on_flow(self, tell):
        pass

    def recover(self, most):
        raise SpoolError("p1 cannot be read")

    async def close(self):
        pass


def test_where_a_message_is_is_known_as_long_as_somebody_has_it():
    usual, other = object(), object()
    homes = Homes(usual)
    message = make_message()
    copy = Message(**{name: getattr(message, name) for name in Message.__struct_fields__})
    homes.note(usual, [message])
    assert len(homes) == 0
    homes.note(other, [message, message])
    homes.note(other, [copy])
    message_id = message.id
    assert homes.of(message_id) is other
    del message
    gc.collect()
    assert homes.of(message_id) is other
    del copy
    gc.collect()
    assert homes.of(message_id) is usual
    assert len(homes) == 0
