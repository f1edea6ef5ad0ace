"""A drill with the real program: what happens is recorded, each thing once, whoever is killed at whatever moment.

Recorder, workers and supervisor of a node under load are killed at random, and the recorder is made to stand still. In
the end every entry of the journals is in the event store once; as many were received, delivered and bounced by it as by
the books of those who sent and got the mail; and the recorder has caught up. While it stood still, mail was taken.
"""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from angarium.core.errors import AngariumError
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.injector import Injector
from angarium.testing.kill import CONFIG, LARGE_BYTES, SINK, Killer, last_mail, spool_problems
from angarium.testing.ledger import Ledger
from angarium.testing.node import Node
from angarium.testing.recorded import Happened, JournalBooks, differences, keep_reading, stored
from angarium.testing.sink.sink import Sink
from angarium.testing.sink.store import SinkMessage

KINDS: Final = {"recorder": 6, "worker": 4, "workers": 1, "supervisor": 1, "node": 1}
"""What is killed, and how often."""

_HALT_S = 2.0
_KILLS_PER_HALT = 5
_SESSIONS = 8
_MOST_OUTSTANDING = 1500
_READ_S = 1.0
_MESSAGE_ID: Final = re.compile(rb"^Message-ID:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_LAG: Final = re.compile(r"^angarium_recorder_lag_seconds (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class LossReport:
    """What a drill did and found. *broken* has a sentence for each promise that did not hold.

    *entries* are those of the journals. *counts* has, by type, what is stored and what it must be. While the recorder
    stood still, for *halted_s* in all, *meanwhile* letters were acknowledged. *most_lag_s* is the longest lag that was
    told, *caught_up_s* how long after the last mail there was none.
    """

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    halts: int = 0
    offered: int = 0
    acknowledged: int = 0
    entries: int = 0
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    halted_s: float = 0.0
    meanwhile: int = 0
    most_lag_s: float = 0.0
    caught_up_s: float = 0.0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} × {kind}" for kind, count in sorted(self.kills.items()))
        counts = ", ".join(f"{stored} {name} of {due}" for name, (stored, due) in self.counts.items())
        a_second = self.meanwhile / self.halted_s if self.halted_s else 0.0
        lines = [
            f"loss drill, seed {self.seed}: {self.kills.total()} kills ({kills}) in {self.seconds:.0f} s",
            f"  letters     {self.offered} offered, {self.acknowledged} acknowledged",
            f"  journals    {self.entries} entries",
            f"  recorded    {counts}",
            f"  halts       {self.halts} of the recorder, {self.halted_s:.0f} s in all: {self.meanwhile} letters "
            f"acknowledged meanwhile ({a_second:.0f} a second)",
            f"  lag         at most {self.most_lag_s:.1f} s; none {self.caught_up_s:.1f} s after the last mail",
            f"  violations  {len(self.broken) or 'none'}",
        ]
        return "\n".join(lines + [f"    {sentence}" for sentence in self.broken])


def run_loss_drill(
    progress: Callable[[int, int], None],
    seconds: int,
    seed: int,
    *,
    workers: int = 2,
    folder: Path | None = None,
    patience_s: float = 120.0,
) -> LossReport:
    """Kill for so many seconds, under load, and compare. *progress* is told how many of them are over.

    Blocks. *patience_s* bounds the wait for the last mail, and that for the recorder. The node's *folder* is a
    temporary one unless given.
    """
    return asyncio.run(_Drill(seed, workers, patience_s).run(progress, seconds, folder))


class _Drill:
    """One run. Its report is filled as it goes."""

    def __init__(self, seed: int, workers: int, patience_s: float) -> None:
        self._random = Random(seed)
        self._workers = workers
        self._patience_s = patience_s
        self._report = LossReport(seed)
        self._ledger = Ledger()
        self._reports: set[bytes] = set()

    async def run(
        self, progress: Callable[[int, int], None], seconds: int, folder: Path | None
    ) -> LossReport:
        began, report = time.monotonic(), self._report
        async with Sink(SINK % report.seed, keep=False, on_message=self._arrive) as sink:
            config = CONFIG % sink.address[1]
            node = await asyncio.to_thread(lambda: Node(config, workers=self._workers, folder=folder))
            killer = Killer(node, self._workers, Random(report.seed), KINDS)
            journals = JournalBooks(node.data / "spool")
            try:
                await asyncio.to_thread(journals.read)  # from now on nothing is forgotten
                await self._under_load(node, killer, journals, progress, seconds)
                await last_mail(node, self._ledger, self._patience_s)
                await self._catch_up(node, killer, journals)
                await asyncio.to_thread(node.stop)
                await asyncio.to_thread(self._compare, node.data, journals)
            except AngariumError as error:
                report.broken.append(f"the node gave up: {error}")
            finally:
                await asyncio.to_thread(killer.close)
        report.kills = killer.kills
        report.seconds = time.monotonic() - began
        return report

    def _arrive(self, message: SinkMessage) -> None:
        if not message.reverse_path and (found := _MESSAGE_ID.search(message.data)):
            self._reports.add(found[1])
        self._ledger.arrive(message)

    # -- under load

    async def _under_load(
        self,
        node: Node,
        killer: Killer,
        journals: JournalBooks,
        progress: Callable[[int, int], None],
        seconds: int,
    ) -> None:
        address = ("127.0.0.1", node.smtp_port)
        injector = Injector(
            address, self._ledger, self._random, large_bytes=LARGE_BYTES, most=_MOST_OUTSTANDING
        )
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(keep_reading(journals, _READ_S)),
                group.create_task(self._watch_lag(node)),
            ]
            injecting = group.create_task(injector.run(_SESSIONS))
            await self._kill_for(seconds, killer, progress)
            await killer.ready()
            injector.stop()
            await injecting
            for task in beside:
                task.cancel()

    async def _kill_for(self, seconds: int, killer: Killer, progress: Callable[[int, int], None]) -> None:
        began = time.monotonic()
        while (over_s := time.monotonic() - began) < seconds:
            if killer.kills.total() >= self._report.halts * _KILLS_PER_HALT:
                await self._halt(killer)
            await killer.kill()
            progress(int(over_s), seconds)
        progress(seconds, seconds)

    async def _halt(self, killer: Killer) -> None:
        """Have the recorder stand still, and see that mail is taken all the same."""
        await killer.ready()
        pid = await killer.recorder()
        os.kill(pid, signal.SIGSTOP)
        try:
            began, before = time.monotonic(), self._acknowledged()
            await asyncio.sleep(_HALT_S)
            taken, halted_s = self._acknowledged() - before, time.monotonic() - began
        finally:
            os.kill(pid, signal.SIGCONT)
        self._report.halts += 1
        self._report.halted_s += halted_s
        self._report.meanwhile += taken
        if not taken:
            self._report.broken.append(
                f"no letter was taken while the recorder stood still for {halted_s:.1f} s"
            )

    def _acknowledged(self) -> int:
        return sum(letter.answer == "acknowledged" for letter in self._ledger.letters)

    async def _watch_lag(self, node: Node) -> None:
        while True:
            await asyncio.sleep(_READ_S)
            lag_s = await asyncio.to_thread(_lag, node)
            self._report.most_lag_s = max(self._report.most_lag_s, lag_s or 0.0)

    # -- at the end

    async def _catch_up(self, node: Node, killer: Killer, journals: JournalBooks) -> None:
        """Wait until the recorder has taken all, and says so. What is not durable by then, it syncs at its end."""
        began = time.monotonic()
        await killer.recorder()
        await asyncio.to_thread(journals.read)
        await asyncio.to_thread(
            node.program.wait_until,
            lambda: _lag(node) == 0 and _last(node.data) >= len(journals),
            "end of the recorder's lag",
            self._patience_s,
        )
        self._report.caught_up_s = time.monotonic() - began

    def _compare(self, data: Path, journals: JournalBooks) -> None:
        """Hold journals, event store and the books of the mail against each other."""
        journals.read()
        report, said = self._report, journals.said()
        with closing(SqliteEventStore(data / "events")) as store:
            found = stored(store)
        report.entries = said.total()
        report.offered, report.acknowledged = len(self._ledger.letters), self._acknowledged()
        report.counts = _counts(found, self._due())
        report.broken += spool_problems(data) + self._ledger.broken() + journals.wrong + journals.unread()
        report.broken += differences(said, found)
        report.broken += [
            f"{number} are {name} by the event store, and {due} by the books"
            for name, (number, due) in report.counts.items()
            if number != due
        ]

    def _due(self) -> Counter[str]:
        """Return how many were received, delivered and bounced by the books. A report is mail of its own."""
        due = Counter(received=len(self._reports), delivered=len(self._reports))
        for letter in self._ledger.letters:
            if letter.answer == "acknowledged" or letter.arrived:
                due["received"] += len(letter.hidden) + 1
            gone = sum(recipient.startswith("gone") for recipient in letter.arrived)
            due["bounced"] += gone
            due["delivered"] += len(letter.arrived) - gone
        return due


def _lag(node: Node) -> float | None:
    """Return how far the recorder says that it is behind, in seconds; None when it says nothing."""
    found = _LAG.search(node.get("/metrics")[1])
    return float(found[1]) if found else None


def _last(data: Path) -> int:
    """Return how many things the event store has taken."""
    with closing(SqliteEventStore(data / "events")) as store:
        return store.last()


def _counts(found: Counter[Happened], due: Counter[str]) -> dict[str, tuple[int, int]]:
    by_type: Counter[str] = Counter()
    for said, number in found.items():
        by_type[said.type] += number
    return {name: (by_type[name], due[name]) for name in ("received", "delivered", "bounced")}
