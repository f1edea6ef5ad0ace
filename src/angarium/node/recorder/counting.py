"""The thread that keeps the sums of what is recorded, beside the one that records; and plain counts for the metrics."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.core.records import Event
from angarium.events.catalogue import kind_of
from angarium.events.port import EventStoreError, ReceivedMail, Told
from angarium.events.rollups.port import CountedEvents
from angarium.events.rollups.roller import Roller
from angarium.events.rollups.store import RollupsFile
from angarium.feedback.reasons import category_of
from angarium.node.recorder.judge import reason_of

_LOOK_S: Final = 2.0
_AGAIN_S: Final = 30.0


class SumsKeeper:
    """Adds what is in *events* to the sums in *path*, up to the number that *kept* returns: all that is durable.

    To be made before anything more is stored, which blocks. What keeps it from adding is told in the log, and tried
    again; it holds up nothing, and reports are right meanwhile.
    """

    def __init__(
        self, events: CountedEvents, path: Path, kept: Callable[[], int], clock: Clock, log: Log
    ) -> None:
        self._events = events
        self._path = path
        self._kept = kept
        self._clock = clock
        self._log = log
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sums")
        self._file: RollupsFile | None = None
        self._roller: Roller | None = None
        self.problem = ""
        """Why nothing is added at the moment; empty: it is."""
        self._open()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """End at once; what is not in the sums is added at the next start. Blocks."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            if not self._step():
                self._ending.wait(_AGAIN_S if self.problem else _LOOK_S)
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        try:
            self._file = self._file or RollupsFile(self._path)
            self._roller = Roller(self._events, self._file, category_of)
        except EventStoreError as error:
            self._tell(str(error))

    def _step(self) -> bool:
        if self._roller is None:
            self._open()
        if self._roller is None:
            return False
        try:
            self._roller.have_synced(self._kept())
            more = self._roller.step(self._clock.now())
        except EventStoreError as error:
            self._tell(str(error))
            return False
        self._tell("")
        return more

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._log.error("recorder", self._clock.now(), error=f"nothing is added to the sums: {problem}")
        self.problem = problem


class TakenCounts:
    """What was stored since the start, by type; and bounces by category (docs/bounces.md)."""

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()
        self.bounces: Counter[str] = Counter()

    def note(self, told: Sequence[Told]) -> None:
        """Count what was stored."""
        for each in told:
            if isinstance(each, ReceivedMail):
                self.types["received"] += 1
                continue
            self.types[kind_of(each.type if isinstance(each, Event) else each.kind).name] += 1
            if isinstance(each, Event) and each.type == "bounced":
                self.bounces[category_of(reason_of(each)).lower()] += 1
