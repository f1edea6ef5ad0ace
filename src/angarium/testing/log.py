"""A log that a test reads."""

import os
import weakref
from typing import Any

import msgspec

from angarium.core.log import Level, Log


class KeptLog(Log):
    """Keeps its lines in memory, as long as it lives."""

    def __init__(self, *, level: Level = "info") -> None:
        self._memory = os.memfd_create("log")
        weakref.finalize(self, os.close, self._memory)
        super().__init__(self._memory, fmt="json", level=level)

    @property
    def text(self) -> str:
        """All that was logged, a line for each record."""
        return os.pread(self._memory, os.fstat(self._memory).st_size, 0).decode()

    @property
    def records(self) -> list[dict[str, Any]]:
        """The same as records."""
        return [msgspec.json.decode(line) for line in self.text.splitlines()]
