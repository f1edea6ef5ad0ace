"""The first and the last number in each day, known without asking those to which nothing was written."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from angarium.events.port import Extent

_QUIET_S = 2.0
"""A file's time is no finer than the kernel's tick: what was written so lately is asked again."""


class _Seen(NamedTuple):
    stamp: tuple[tuple[int, int], ...]
    extent: Extent


class DayExtents:
    """Asks *ask* for a day's extent, if *path_of* that day was written to since. Threads may share it."""

    def __init__(self, path_of: Callable[[str], Path], ask: Callable[[str], Extent]) -> None:
        self._path_of = path_of
        self._ask = ask
        self._seen: dict[str, _Seen] = {}

    def of(self, day: str) -> Extent:
        """Return it. Raises what asking raises."""
        stamp = self._stamp(day)
        seen = self._seen.get(day)
        if seen is None or seen.stamp != stamp or time.time() - max(stamp)[0] / 1e9 < _QUIET_S:
            seen = self._seen[day] = _Seen(stamp, self._ask(day))
        return seen.extent

    def _stamp(self, day: str) -> tuple[tuple[int, int], ...]:
        """Return when the file and its log were written, and how large they are."""
        path = self._path_of(day)
        return tuple(map(_written, (path, path.with_name(f"{path.name}-wal"))))


def _written(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
