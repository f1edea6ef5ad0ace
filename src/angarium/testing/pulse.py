"""How long a machine stood still, for tests of how quick something is: a promise of a second speaks of seconds in which
the machine runs.
"""

import threading
import time
from types import TracebackType
from typing import Final, Self

_BEAT_S: Final = 0.02
_MISSED_S: Final = 0.1
"""A beat that comes later than this was missed. Python's own threads hold each other up for less."""


class Pulse:
    """Measures while its context lasts. A machine that is merely busy keeps its pulse."""

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self._beaten = (self.began_at, 0.0)  # when last, and how many seconds were missed until then
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning, without those in which the machine stood still."""
        now, (last_at, missed_s) = time.monotonic(), self._beaten
        return now - self.began_at - missed_s - _missed(now - last_at)

    def _beat(self) -> None:
        while not self._over.wait(_BEAT_S):
            now, (last_at, missed_s) = time.monotonic(), self._beaten
            self._beaten = (now, missed_s + _missed(now - last_at))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


def _missed(pause_s: float) -> float:
    return pause_s if pause_s > _MISSED_S else 0.0
