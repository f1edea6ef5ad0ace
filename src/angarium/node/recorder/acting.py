"""The thread that acts upon what is recorded, beside the one that records: a database of accounts that is silent holds
up no journal.
"""

import threading
from typing import Final

from angarium.core.clock import Clock
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.node.recorder.causes import CauseWriter
from angarium.suppressions.notes import NoteFilter
from angarium.suppressions.store.notebook import Notebook

_PAUSE_S: Final = 0.1
"""So much of what comes is waited for before it is acted upon: one look at all days costs some milliseconds."""
_AGAIN_S: Final = 5.0


class Acting:
    """Has *writer* go on until it is stopped. What it says of itself may be read by any thread."""

    def __init__(self, writer: CauseWriter, notes: Notebook, clock: Clock, log: Log) -> None:
        self._writer = writer
        self._notes = notes
        self._clock = clock
        self._log = log
        self._ending = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._work, name="causes")
        self._counted_at = -_AGAIN_S
        self.held = 0
        """How many suppressions wait for somebody's word."""
        self.problem = ""
        """Why nothing is suppressed at the moment; empty: it is."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Act upon all that was recorded, unless something is in the way, and end. Blocks."""
        self._ending.set()
        self._news.set()
        self._thread.join()

    def wake(self) -> None:
        """Say that something was recorded."""
        self._news.set()

    def _work(self) -> None:
        while True:
            ending = self._ending.is_set()
            self._news.clear()
            more = self._step()
            if ending and not more:
                return
            if self.problem:
                self._ending.wait(_AGAIN_S)
            elif not more:
                self._news.wait(_AGAIN_S)
                self._ending.wait(_PAUSE_S)

    def _step(self) -> bool:
        try:
            more = self._writer.step()
            self._count()
        except AngariumError as error:
            self._tell(str(error))
            return False
        self._tell("")
        return more

    def _count(self) -> None:
        if self._clock.now() - self._counted_at >= _AGAIN_S:
            self.held = self._notes.count(NoteFilter(state="held"))
            self._counted_at = self._clock.now()

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._log.error("recorder", self._clock.now(), error=f"nothing is suppressed: {problem}")
        self.problem = problem
