"""What happened lately, from what has been counted in all: the difference of two looks. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from angarium.core.metrics import BUCKET, Key, quantile
from angarium.core.operations import Lately, Stat

LATELY_S: Final = 60.0
_ACCEPTANCE: Final = "acceptance_seconds" + BUCKET

_COUNTS: Final[dict[str, Key]] = {
    "received": ("received_messages_total",),
    "refused": ("refused_messages_total",),
    "delivered": ("events_total", "delivered"),
    "delayed": ("events_total", "delayed"),
    "bounced": ("events_total", "bounced"),
}
"""What is told, each as the sum of all numbers whose keys begin so."""


class RecentNumbers:
    """Remembers looks at the numbers of the last minute. Times are seconds that only grow."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, dict[Key, float]]] = deque()

    def note(self, now: float, stats: Sequence[Stat]) -> None:
        """Remember how far the numbers are; called every few seconds."""
        self._looks.append((now, _told(stats)))
        while len(self._looks) > 1 and self._looks[1][0] <= now - LATELY_S:
            self._looks.popleft()

    def lately(self, now: float, stats: Sequence[Stat]) -> Lately | None:
        """Return what has happened since the oldest look of the last minute, None when there was none yet."""
        if not self._looks or self._looks[0][0] >= now:
            return None
        then, before = self._looks[0]
        more = {key: max(0.0, value - before.get(key, 0.0)) for key, value in _told(stats).items()}
        counts = {
            name: sum(value for key, value in more.items() if key[: len(begin)] == begin)
            for name, begin in _COUNTS.items()
        }
        buckets = [(float(key[1]), value) for key, value in more.items() if key[0] == _ACCEPTANCE]
        return Lately(
            over_s=round(now - then, 1),
            half_within_s=quantile(0.5, buckets),
            most_within_s=quantile(0.99, buckets),
            **counts,
        )


def _told(stats: Sequence[Stat]) -> dict[Key, float]:
    names = {_ACCEPTANCE, *(key[0] for key in _COUNTS.values())}
    return {(name, *labels): value for name, labels, value in stats if name in names}
