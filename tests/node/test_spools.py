"""Which partitions a worker holds."""

import asyncio

import pytest

from angarium.config.load import parse_config
from angarium.node.spools import open_spools, partition_folders
from angarium.spool.embedded import open_partition
from angarium.spool.port import SpoolError
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of
from angarium.testing.spool import SMALL, SpoolDriver, make_message

CONFIG = parse_config("", "angarium.conf")


@pytest.mark.parametrize("workers", range(1, 9))
def test_every_partition_has_one_worker_and_every_worker_its_own_first(tmp_path, workers):
    for number in (0, 1, 2, 4, 6, 11):
        (tmp_path / "spool" / f"p{number}").mkdir(parents=True)
    (tmp_path / "spool" / "pictures").mkdir()
    held = [partition_folders(tmp_path, CONFIG, index, workers) for index in range(workers)]
    assert [folders[0].name for folders in held] == [f"p{index}" for index in range(workers)]
    names = [folder.name for folders in held for folder in folders]
    assert sorted(names) == sorted(
        {*(f"p{index}" for index in range(workers)), "p0", "p1", "p2", "p4", "p6", "p11"}
    )


def test_one_to_be_drained_that_cannot_be_opened_is_left_alone_and_an_active_one_is_not(tmp_path):
    folders = [tmp_path / name for name in ("p0", "p1", "p2")]

    async def story():
        log = kept_log()
        taken = open_partition(folders[1], asyncio.get_running_loop(), SMALL)
        spool = SpoolDriver(await open_spools(folders, SMALL, log, ManualClock(0.0), patience_s=0.0))
        spool.spool.recover()
        assert await spool.accept(make_message(), b"x") is None
        assert "p1 is in use by another process" in spool.spool.status().unwell
        assert [r["folder"] for r in records_of(log) if r["level"] == "error"] == [str(folders[1])]
        with pytest.raises(SpoolError, match="in use"):
            await open_spools(folders[1:], SMALL, log, ManualClock(0.0), patience_s=0.0)
        await spool.spool.close()
        await taken.close()

    asyncio.run(asyncio.wait_for(story(), 60))
