"""What an operator asks for concerns all mail that waits, also what is on its way to the settled store."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from angarium.config.load import parse_config
from angarium.core.operations import Changed
from angarium.delivery.operations import Operator
from angarium.queue.commands import Record
from angarium.spool.partition import Partition, open_partition
from angarium.spool.port import Selection
from angarium.spool.settings import SpoolSettings
from angarium.testing.spool import NOW, SpoolDriver, make_message

LAZY = replace(SpoolSettings(), segment_bytes=1 << 20, min_free_bytes=0, write_delay_s=1000.0)


class Dispatcher:
    """Has nothing in memory."""

    def __init__(self, spool: Partition) -> None:
        self.config = parse_config("")
        self.spool = spool
        self.scheduler = SimpleNamespace(
            census=SimpleNamespace(count=lambda selection: (0, 0)), evict=lambda selection, now: []
        )

    def record(self, command: Record) -> None:
        self.spool.record(command.events)

    async def written(self) -> None:
        written = asyncio.get_running_loop().create_future()
        self.spool.record((), written.set_result)
        assert await written is None

    def plan_pump(self) -> None:
        """Nothing is to be carried out."""

    async def pages_arrived(self) -> None:
        """None are under way."""


def test_mail_that_was_put_off_a_moment_ago_is_held(tmp_path: Path) -> None:
    async def story() -> None:
        spool = open_partition(tmp_path / "partition", asyncio.get_running_loop(), LAZY)
        spool.recover()
        dispatcher: Any = Dispatcher(spool)
        (recipient,) = await SpoolDriver(spool).take(make_message(), b"body")
        spool.settle([recipient])
        result = await Operator(dispatcher, spool, lambda: NOW).act("hold", Selection())
        assert result == Changed(1, 0)
        await spool.close()

    asyncio.run(story())
