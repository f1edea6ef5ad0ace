"""Upgrade drill: a spool that an older program has left is taken over by a node that is killed again and again.

The spool is an archive of one partition, `p0`, and of `expected.json`, which says what must be found in it
(`tests/spool/format_1/make.py` makes one). In the end every recipient that was queued must have got its message, whole;
those that were held are held still; nothing else may have arrived.
"""

import asyncio
import json
import shutil
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from angarium.core.errors import AngariumError
from angarium.spool.offline.check import check_spool
from angarium.testing.kill import queued
from angarium.testing.node import Node
from angarium.testing.sink.sink import Sink
from angarium.testing.sink.store import SinkMessage, content_hash

CONFIG: Final = """
Log_Level = warning
Routes = ( "smtp://127.0.0.1?port=%d" )
Retry_Interval = 1
Max_Retry_Interval = 1
Spool_Segment_Size = 1048576
Spool_Max_Journal_Size = 12582912
"""

KILLS_PER_SPOOL: Final = 4
_PAUSE_S = (0.3, 2.0)


@dataclass(slots=True)
class UpgradeReport:
    """What a drill did and found. *duplicates* are deliveries that a kill made the node forget."""

    seed: int
    spools: int = 0
    kills: int = 0
    recipients: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"upgrade drill, seed {self.seed}: {self.spools} spools of an older format taken over, {self.kills} kills "
            f"in {self.seconds:.0f} s",
            f"  recipients  {self.recipients}, {self.duplicates} duplicates by kills",
            f"  violations  {len(self.broken) or 'none'}",
        ]
        return "\n".join(lines + [f"    {sentence}" for sentence in self.broken])


def run_upgrade_drill(
    progress: Callable[[int, int], None], archive: Path, kills: int, seed: int, *, patience_s: float = 120.0
) -> UpgradeReport:
    """Have the spool in *archive* taken over, as often as so many kills allow. Blocks.

    *patience_s* bounds the wait for the last mail of each.
    """
    report, began = UpgradeReport(seed), time.monotonic()
    random, spools = Random(seed), -(-kills // KILLS_PER_SPOOL)
    for number in range(spools):
        asyncio.run(
            _take_over(archive, min(KILLS_PER_SPOOL, kills - report.kills), random, report, patience_s)
        )
        progress(number + 1, spools)
    report.seconds = time.monotonic() - began
    return report


async def _take_over(
    archive: Path, kills: int, random: Random, report: UpgradeReport, patience_s: float
) -> None:
    arrived: list[SinkMessage] = []
    async with Sink(keep=False, on_message=arrived.append) as sink:
        node = await asyncio.to_thread(Node, CONFIG % sink.address[1], workers=1)
        try:
            await asyncio.to_thread(node.stop)
            expected = await asyncio.to_thread(_unpack, archive, node.data / "spool")
            for _ in range(kills):
                node.launch()
                await asyncio.sleep(random.uniform(*_PAUSE_S))
                await asyncio.to_thread(node.kill)
                report.kills += 1
            await asyncio.to_thread(node.start)
            await asyncio.to_thread(node.cli, "flush", "--all", "--yes")
            held = sum(r["state"] == "held" for m in expected.values() for r in m["recipients"].values())
            await asyncio.to_thread(_await_delivery, node, held, patience_s)
            await asyncio.to_thread(node.stop)
            report.spools += 1
            report.broken += _compare(expected, arrived, report)
            report.broken += await asyncio.to_thread(_left, node.data, held)
        except AngariumError as error:
            report.broken.append(f"the node gave up: {error}")
        finally:
            await asyncio.to_thread(node.close)


def _unpack(archive: Path, folder: Path) -> dict[str, Any]:
    shutil.rmtree(folder / "p0")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_bytes())
    (folder / "expected.json").unlink()
    return expected


def _await_delivery(node: Node, held: int, patience_s: float) -> None:
    node.program.wait_until(lambda: queued(node) == held, "the last mail", patience_s)


def _compare(expected: dict[str, Any], arrived: list[SinkMessage], report: UpgradeReport) -> list[str]:
    due = {
        (recipient["address"], message["body"])
        for message in expected.values()
        for recipient in message["recipients"].values()
        if message["fate"] == "deliver" and recipient["state"] == "queued"
    }
    got = Counter((address, content_hash(mail.data)) for mail in arrived for address in mail.recipients)
    report.recipients += len(due)
    report.duplicates += sum(count - 1 for count in got.values())
    missing = [f"missing: mail for {address}" for address, _ in due - set(got)]
    return missing + [f"invented or damaged: mail for {address}" for address, _ in set(got) - due]


def _left(data: Path, held: int) -> list[str]:
    problems = []
    for found in check_spool(data / "spool"):
        problems += found.problems
        if found.recipients != held:
            problems.append(f"{found.recipients} recipients are left, not the {held} that are held")
        if found.set_aside:
            problems.append(f"{found.set_aside} damaged records were set aside")
    return problems
