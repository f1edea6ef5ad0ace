"""Work in the background: a fault in it is logged, and ends nothing else."""

import asyncio
import json
import os

from angarium.core.clock import SystemClock
from angarium.core.log import Log
from angarium.core.tasks import Tasks


def test_what_is_done_regularly_is_done_again_after_a_fault():
    async def story() -> list[str]:
        file = os.memfd_create("log")
        done, enough = 0, asyncio.Event()

        async def work() -> None:
            nonlocal done
            done += 1
            if done == 1:
                raise KeyError("unforeseen")
            enough.set()

        service = Tasks(Log(file, fmt="json"), SystemClock()).regularly(0, work)
        async with asyncio.timeout(20):
            await enough.wait()
        service.cancel()
        return [json.loads(line)["error"] for line in os.pread(file, 1 << 16, 0).splitlines()]

    assert asyncio.run(story()) == ["'unforeseen'"]
