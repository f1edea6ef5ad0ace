"""Whether the spool takes more mail: free space, the store's backlog, and what the journal last met."""

import time
from collections.abc import Callable

from angarium.spool.engine import SpoolEngine
from angarium.spool.journal import Journal
from angarium.spool.port import SpoolError, SpoolFull
from angarium.spool.settings import SpoolSettings

SPACE_CHECK_S = 1.0


class Admission:
    """Answers for every message, and asks the disk once a second."""

    def __init__(
        self, engine: SpoolEngine, settings: SpoolSettings, journal: Journal, backlog: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._journal = journal
        self._backlog = backlog
        self._refusal: SpoolError | None = None
        self._checked = 0.0

    def refusal(self) -> SpoolError | None:
        """Return what an acceptance would meet now, None for a welcome."""
        now = time.monotonic()
        if now >= self._checked:
            self._checked = now + SPACE_CHECK_S
            self._refusal = self._check()
        if self._refusal is None and now < self._journal.refused_until:
            return self._journal.refusal
        return self._refusal

    def _check(self) -> SpoolError | None:
        try:
            free = self._engine.free_bytes()
        except OSError as exc:
            return SpoolError(f"the disk cannot be asked for its free space: {exc.strerror}")
        kept = self._settings.min_free_bytes
        if free < kept:
            return SpoolFull(f"the disk has {free >> 20} MB free, less than the {kept >> 20} kept")
        backlog = self._backlog()
        if backlog > self._settings.store_backlog:
            return SpoolFull(f"the settled store is {backlog} rows behind")
        return None
