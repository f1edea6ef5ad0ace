"""The engines that the conformance suite is played on."""

import asyncio
from itertools import count
from pathlib import Path

import pytest

from angarium.spool.embedded import open_partition
from angarium.spool.partition import Partition
from angarium.spool.partitions import Partitions
from angarium.spool.settings import SpoolSettings
from angarium.testing.rows import RowDatabase, RowEngine
from angarium.testing.spool import SMALL


class Embedded:
    """One partition of files and SQLite."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, settings: SpoolSettings = SMALL):
        return open_partition(self.path, asyncio.get_running_loop(), settings)


class EmbeddedByTurns:
    """Two such partitions in one spool: what was accepted in one day's active partition is drained the next day."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._days = count()

    def open(self, settings: SpoolSettings = SMALL):
        names = ("a", "b") if next(self._days) % 2 else ("b", "a")
        active, draining = [
            open_partition(self.path / name, asyncio.get_running_loop(), settings) for name in names
        ]
        return Partitions(active, [draining], max_resident=settings.max_resident)


class Rows:
    """Rows in memory: an engine without files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = RowDatabase()

    def open(self, settings: SpoolSettings = SMALL):
        engine = RowEngine(self.database, self.path, settings)
        return Partition(engine, asyncio.get_running_loop(), settings)


@pytest.fixture(params=[Embedded, EmbeddedByTurns, Rows])
def engine(request, tmp_path):
    return request.param(tmp_path / "partition")
