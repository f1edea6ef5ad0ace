"""Engines of the spool, and a way to run an async story on one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from angarium.core.records import Recipient
from angarium.spool.disk import Disk
from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.port import RecoveryReport
from angarium.spool.settings import SpoolSettings
from angarium.testing.programs import PATIENCE_S
from angarium.testing.spool import SMALL, SpoolDriver


class EmbeddedEngine:
    """Opens the embedded engine in one directory, as often as a test wants."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, settings: SpoolSettings = SMALL, disk: Disk | None = None) -> Partition:
        return open_partition(self.path, asyncio.get_running_loop(), settings, disk)


class Opened(SpoolDriver):
    """A recovered spool, with what the recovery returned."""

    report: RecoveryReport
    recovered: list[Recipient]


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path / "partition")


@pytest.fixture
def play(engine) -> Callable[..., None]:
    """Run stories one after the other, each on the spool as the one before left it."""

    async def one(story: Callable[[Opened], Awaitable[None]], options: dict[str, object]) -> None:
        spool = engine.open(**options)
        try:
            report, recovered = spool.recover()
            opened = Opened(spool)
            opened.report, opened.recovered = report, recovered
            await asyncio.wait_for(story(opened), PATIENCE_S)
        finally:
            await spool.close()

    def run(*stories: Callable[[Opened], Awaitable[None]], **options: object) -> None:
        for story in stories:
            asyncio.run(one(story, options))

    return run
