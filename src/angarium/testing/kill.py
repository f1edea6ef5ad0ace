"""A drill with the real program: mail goes through a node whose processes are killed at random moments.

What must hold in the end: every acknowledged letter has reached each of its recipients, or its sender knows why
not; nothing arrived that was not offered, that was refused, or that was changed on its way; the queues are
empty, and the spool is whole. Duplicates may be: they are counted.
"""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from angarium.core.errors import AngariumError
from angarium.spool.offline.check import check_spool
from angarium.testing.injector import Injector
from angarium.testing.ledger import Ledger
from angarium.testing.node import Node
from angarium.testing.programs import Program
from angarium.testing.sink import Sink

LARGE_BYTES: Final = 65_536
"""Letters above it go into separate files."""

# Everything small, so that segments are filled, released and relieved, and mail is paged, all the time.
CONFIG: Final = f"""
Log_Level = warning
Routes = ( "smtp://127.0.0.1?port=%d" )
Retry_Interval = 1
Max_Retry_Interval = 1
Host_Failure_Retry = 1
Max_Resident_Messages = 400
Body_Cache_Size = 1048576
Large_Message_Threshold = {LARGE_BYTES}
Spool_Segment_Size = 1048576
Spool_Max_Journal_Size = 12582912
"""

# A peer on a bad day. What it takes without an answer it takes from `twice` only, so that the duplicates that
# are its doing can be told from those of the kills.
SINK: Final = """
seed %d
on connect share 2%%: reply 421 4.3.2 too busy; close
on mail share 1%%: reply 421 4.4.5 enough; close
on rcpt to gone*: reply 550 5.1.1 no such user
on rcpt share 4%%: reply 451 4.2.1 try later
on body share 1%%: close
on final to twice* share 30%%: keep; close
on final share 1%%: close
on final share 4%%: reply 451 4.3.0 try later
on final share 10%%: delay 0.05
"""

KINDS: Final = {"worker": 5, "workers": 2, "supervisor": 1, "node": 2}
"""What is killed, and how often: one worker, all workers, the supervisor alone, or all processes at once."""

_PAUSE_S = (0.1, 1.2)
_SESSIONS = 8
_MOST_OUTSTANDING = 1500


@dataclass(slots=True)
class KillReport:
    """What a drill did and found. *broken* has a sentence for each promise that did not hold.

    *unanswered* letters lost their connection before the reply; *unanswered_arrived* of them came all the same,
    as they may. *by_kills* and *by_hang_ups* are duplicates after their cause. *slowest_s* is the longest that a
    kill made the node unready.
    """

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    offered: int = 0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    unanswered_arrived: int = 0
    recipients: int = 0
    reports: int = 0
    by_kills: int = 0
    by_hang_ups: int = 0
    doubled_reports: int = 0
    slowest_s: float = 0.0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} × {kind}" for kind, count in sorted(self.kills.items()))
        per_kill = self.by_kills / max(1, self.kills.total())
        lines = [
            f"kill drill, seed {self.seed}: {self.kills.total()} kills ({kills}) in {self.seconds:.0f} s",
            f"  letters     {self.offered} offered, {self.acknowledged} acknowledged, {self.refused} refused, "
            f"{self.unanswered} unanswered (of these {self.unanswered_arrived} arrived)",
            f"  recipients  {self.recipients} of acknowledged letters, {self.reports} reported as failed",
            f"  duplicates  {self.by_kills} by kills ({per_kill:.1f} a kill), {self.by_hang_ups} by the sink's "
            f"hang-ups, {self.doubled_reports} doubled reports",
            f"  back again  within {self.slowest_s:.1f} s",
            f"  violations  {len(self.broken) or 'none'}",
        ]
        return "\n".join(lines + [f"    {sentence}" for sentence in self.broken])


def run_kill_drill(
    progress: Callable[[int, int], None],
    kills: int,
    seed: int,
    *,
    workers: int = 2,
    folder: Path | None = None,
    patience_s: float = 120.0,
) -> KillReport:
    """Kill so often, under load, and compare. *progress* is told how many kills of how many are done.

    Blocks. *patience_s* bounds the wait for the last mail. The node's *folder* is a temporary one unless given.
    """
    return asyncio.run(_drill(progress, kills, Random(seed), KillReport(seed), workers, folder, patience_s))


async def _drill(
    progress: Callable[[int, int], None],
    kills: int,
    random: Random,
    report: KillReport,
    workers: int,
    folder: Path | None,
    patience_s: float,
) -> KillReport:
    began, ledger = time.monotonic(), Ledger()
    async with Sink(SINK % report.seed, keep=False, on_message=ledger.arrive) as sink:
        config = CONFIG % sink.address[1]
        node = await asyncio.to_thread(lambda: Node(config, workers=workers, folder=folder))
        address = ("127.0.0.1", node.smtp_port)
        injector = Injector(address, ledger, random, large_bytes=LARGE_BYTES, most=_MOST_OUTSTANDING)
        killer = Killer(node, workers, random)
        try:
            injecting = asyncio.create_task(injector.run(_SESSIONS))
            for number in range(kills):
                await killer.kill()
                progress(number + 1, kills)
            await killer.ready()
            injector.stop()
            await injecting
            await last_mail(node, ledger, patience_s)
            await asyncio.to_thread(node.stop)
            report.broken += spool_problems(node.data)
        except AngariumError as error:
            report.broken.append(f"the node gave up: {error}")
        finally:
            await asyncio.to_thread(killer.close)
    _fill(report, ledger)
    report.kills, report.slowest_s = killer.kills, killer.slowest_s
    report.seconds = time.monotonic() - began
    return report


class Killer:
    """Kills processes of a node and sees that it comes back: workers by the supervisor, the supervisor here.

    *kinds* says what, and how often. *slowest_s* is the longest that a kill made the node unready.
    """

    def __init__(self, node: Node, workers: int, random: Random, kinds: Mapping[str, int] = KINDS) -> None:
        self.kills: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._node = node
        self._workers = workers
        self._random = random
        self._kinds = kinds
        self._orphaned: list[Program] = []

    async def kill(self) -> None:
        """Wait for a random time, then kill a random kind. Mostly waits until the node is ready again; not
        always, so that starting processes are hit as well.
        """
        await asyncio.sleep(self._random.uniform(*_PAUSE_S))
        kind = self._random.choices(list(self._kinds), list(self._kinds.values()))[0]
        if kind.startswith("worker") and len(self._node.pids) == 1:
            await self.ready()
        began = time.monotonic()
        await getattr(self, f"_kill_{kind}")()
        self.kills[kind] += 1
        if self._random.random() < 0.75:
            await self.ready()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def ready(self) -> None:
        """Wait until all workers are there and take mail. Raises ProgramFailed when they do not come back."""
        await asyncio.to_thread(self._node.program.wait_until, self._is_ready, "readiness")

    def _is_ready(self) -> bool:
        return len(self._node.pids) == 1 + self._workers and self._node.get("/readyz")[0] == 200

    async def _kill_worker(self) -> None:
        _kill(self._random.choice(self._node.pids[1:]))

    async def _kill_workers(self) -> None:
        for pid in self._node.pids[1:]:
            _kill(pid)

    async def _kill_recorder(self) -> None:
        _kill(await self.recorder())

    async def recorder(self) -> int:
        """Return the process id of the recorder, once there is one: it is started again after a while."""
        await asyncio.to_thread(
            self._node.program.wait_until, lambda: bool(self._node.recorder_pids), "a recorder"
        )
        return self._node.recorder_pids[0]

    async def _kill_supervisor(self) -> None:
        """Its workers see that it is gone and end by themselves, while its successor starts."""
        orphaned = self._node.program
        _kill(orphaned.pid)
        orphaned.process.wait()
        self._orphaned.append(orphaned)
        await asyncio.to_thread(self._node.start)

    async def _kill_node(self) -> None:
        await asyncio.to_thread(self._node.kill)
        await asyncio.to_thread(self._node.start)

    def close(self) -> None:
        """Stop whatever is left, and remove the node's folder."""
        for program in self._orphaned:
            program.stop()
        self._node.close()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has just ended by itself, as a worker does whose spool was taken


async def last_mail(node: Node, ledger: Ledger, patience_s: float) -> None:
    """Wait until all that was acknowledged has arrived and nothing else waits, or the time is up."""
    give_up_at = time.monotonic() + patience_s
    while time.monotonic() < give_up_at:
        if not ledger.outstanding and await asyncio.to_thread(_is_empty, node):
            return
        ledger.changed.clear()
        try:
            await asyncio.wait_for(ledger.changed.wait(), 0.5)
        except TimeoutError:
            continue


def _is_empty(node: Node) -> bool:
    """Whether nothing waits, neither by the numbers nor in the journals: those have a letter as well that has bounced
    and whose report is being written.
    """
    return queued(node) == 0 and not any(found.recipients for found in check_spool(node.data / "spool"))


def queued(node: Node) -> int:
    """Return how many recipients wait, in whatever state; -1: the node does not say."""
    text = node.get("/metrics")[1]
    found = re.findall(r"^angarium_recipients\{[^}]*\} (\S+)$", text, re.MULTILINE)
    return sum(int(float(number)) for number in found) if found else -1


def spool_problems(data: Path) -> list[str]:
    """Say what a spool has that must be empty and whole."""
    problems = []
    for found in check_spool(data / "spool"):
        name = found.path.name
        problems += [f"spool {name}: {problem}" for problem in found.problems]
        if found.recipients:
            problems.append(f"spool {name}: {found.recipients} recipients are still queued")
        if found.set_aside:
            problems.append(f"spool {name}: {found.set_aside} damaged records were set aside")
        if found.large_bodies:
            problems.append(f"spool {name}: {found.large_bodies} large bodies of no message")
    return problems


def _fill(report: KillReport, ledger: Ledger) -> None:
    answers = Counter(letter.answer for letter in ledger.letters)
    report.offered = len(ledger.letters)
    report.acknowledged, report.refused = answers["acknowledged"], answers["refused"]
    report.unanswered = answers[""]
    for letter in ledger.letters:
        report.unanswered_arrived += not letter.answer and bool(letter.arrived)
        report.recipients += len(letter.recipients) if letter.answer == "acknowledged" else 0
        report.reports += sum(recipient.startswith("gone") for recipient in letter.arrived)
    report.by_kills, report.by_hang_ups = ledger.duplicates("to"), ledger.duplicates("twice")
    report.doubled_reports = ledger.duplicates("gone")
    report.broken += ledger.broken()
