"""An engine that is no files: who has lost the partition to another writes nothing more."""

import asyncio
from dataclasses import replace

import pytest

from angarium.spool.partition import Partition
from angarium.spool.port import Selection, SpoolError
from angarium.testing.rows import RowDatabase, RowEngine
from angarium.testing.spool import NOW, SMALL, SpoolDriver, make_message

LATER = NOW + 1_000_000
IMPATIENT = replace(SMALL, retry_delay_s=0.0)


def opened(database, folder):
    """A recovered partition on *database*, taken over from whoever had it."""
    engine = RowEngine(database, folder, IMPATIENT)
    spool = SpoolDriver(Partition(engine, asyncio.get_running_loop(), IMPATIENT))
    spool.report, spool.recovered = spool.spool.recover()
    return spool


def test_whoever_lost_the_partition_can_neither_accept_nor_settle_nor_page(tmp_path):
    kept, settled, refused = make_message(), make_message("settled.example"), make_message()

    async def story():
        database = RowDatabase()
        old = opened(database, tmp_path)
        await old.take(kept, b"kept")
        await old.settle(*await old.take(settled, b"settled"))
        (flow,) = old.spool.flows()

        new = opened(database, tmp_path)
        error = await old.accept(refused, b"refused")
        assert isinstance(error, SpoolError)
        assert "another has the partition" in str(error)
        with pytest.raises(SpoolError):
            await old.spool.page(flow, LATER, 1)
        assert "another has the partition" in old.spool.status().unwell

        assert [r.message.id for r in new.recovered] == [kept.id]
        (paged,) = await new.spool.page(flow, LATER, 1)
        await new.tell(paged, "delivered")
        await new.spool.close()
        await old.spool.close()

        last = opened(database, tmp_path)
        assert [r.message.id for r in last.recovered] == [kept.id]
        assert await last.spool.count(Selection()) == 0
        await last.spool.close()

    asyncio.run(asyncio.wait_for(story(), 60))
