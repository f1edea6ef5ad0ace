"""What an operator asks for concerns all mail that waits, also what is on its way to the settled store."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.core.operations import Changed
from angarium.core.records import Recipient
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
        self.asked_anew: list[tuple[str, ...]] = []
        self.scheduler = SimpleNamespace(
            census=SimpleNamespace(
                count=lambda selection: (0, 0), matching=lambda selection, limit: list[Recipient]()
            ),
            evict=lambda selection, now: [],
            flush=lambda selection, now: None,
        )

    def ask_anew(self, *domains: str) -> None:
        self.asked_anew.append(domains)

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


@pytest.mark.parametrize(
    ("action", "selection", "asked"),
    [
        ("flush", {}, [()]),
        ("flush", {"binding": "default"}, [()]),
        ("flush", {"domain": "to.example"}, [("to.example",)]),
        ("flush", {"message": True}, [("to.example",)]),
        ("flush", {"message": False}, []),
        ("release", {"domain": "to.example"}, [("to.example",)]),
        ("hold", {}, []),
    ],
)
def test_what_is_to_be_tried_at_once_is_looked_up_anew(
    tmp_path: Path, action: Any, selection: dict[str, Any], asked: list[tuple[str, ...]]
) -> None:
    async def story() -> None:
        spool = open_partition(tmp_path / "partition", asyncio.get_running_loop(), LAZY)
        spool.recover()
        dispatcher: Any = Dispatcher(spool)
        (recipient,) = await SpoolDriver(spool).take(make_message(), b"body")
        if "message" in selection:
            selection["message"] = recipient.message.id if selection["message"] else bytes(16)
        spool.settle([recipient])
        await Operator(dispatcher, spool, lambda: NOW).act(action, Selection(**selection))
        assert dispatcher.asked_anew == asked
        await spool.close()

    asyncio.run(story())
