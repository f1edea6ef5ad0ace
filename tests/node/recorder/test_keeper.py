"""The recorder as its supervisor keeps it: of one that stands still the lag grows, and it is started again."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from angarium.config.load import parse_config
from angarium.core.clock import SystemClock
from angarium.core.ids import MessageId
from angarium.core.metrics import Counters
from angarium.core.operations import Changed, MessageHistory
from angarium.identity.store.place import open_database
from angarium.node.recorder.keeper import RecorderKeeper
from angarium.testing.log import kept_log, records_of
from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.05)


async def nothing_ended(mail: list[Any]) -> list[MessageId]:
    return []


async def nothing_known(message: str) -> MessageHistory:
    return MessageHistory()


async def nothing_cancelled(message: str, note: str) -> Changed:
    return Changed()


def test_one_that_stands_still_lags_and_is_started_again(tmp_path: Path) -> None:
    async def run() -> None:
        log, counters, config = kept_log(), Counters(), parse_config("")
        (tmp_path / "spool").mkdir()
        database = open_database(f"sqlite:///{tmp_path / 'identity' / 'identity.db'}")
        database.migrate()
        database.close()
        keeper = RecorderKeeper(
            lambda: config,
            tmp_path,
            tmp_path / "spool",
            SystemClock(),
            log,
            counters,
            nothing_ended,
            nothing_known,
            nothing_cancelled,
            silent_s=6,
        )

        def lag() -> float:
            keeper.count_lag()
            return counters.values["recorder_lag_seconds",]

        keeper.start()
        try:
            await until(lambda: keeper.status is not None)
            assert (lag(), keeper.problem) == (0, "")
            os.kill(keeper.pid, signal.SIGSTOP)
            await until(lambda: lag() > 0)
            await until(lambda: counters.values["recorder_restarts_total",] == 1)
            assert "silent" in keeper.problem
            await until(lambda: keeper.status is not None)
            assert (lag(), keeper.problem) == (0, "")
        finally:
            await keeper.stop()
        log.flush()
        assert any("silent" in record.get("error", "") for record in records_of(log))

    asyncio.run(run())
