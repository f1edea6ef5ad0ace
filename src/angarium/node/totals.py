"""What several processes have counted made one. Pure."""

from collections.abc import Mapping

import msgspec

from angarium.core.catalogue.metrics import METRICS
from angarium.core.metrics import Key, family_of, is_counter, metric_of, zeros
from angarium.core.operations import Stat


class WorkerStats(msgspec.Struct, frozen=True):
    """What one process has counted. *since* is when it began to, in seconds that only grow while the machine runs."""

    since: float
    numbers: list[Stat]


class RunningTotals:
    """Adds the workers' numbers up so that counters never go back.

    A worker that was started again counts from zero; what it had counted before, as far as it was seen, is
    kept.
    """

    def __init__(self) -> None:
        self._kept: dict[Key, float] = zeros()
        self._seen: dict[int, tuple[float, dict[Key, float]]] = {}

    def merge(self, parts: Mapping[int, WorkerStats]) -> list[Stat]:
        """Take what each worker counts now; return the node's numbers, those of one metric together.

        Counters of a worker that is away stay as they were last seen; its gauges are gone with it.
        """
        gauges: dict[Key, float] = {}
        for worker, part in parts.items():
            counters: dict[Key, float] = {}
            for name, labels, value in part.numbers:
                key = (name, *labels)
                if is_counter(name):
                    counters[key] = value
                elif metric_of(name).is_worst:
                    gauges[key] = max(gauges.get(key, 0), value)
                else:
                    gauges[key] = gauges.get(key, 0) + value
            self._see(worker, part.since, counters)
        sums = dict(self._kept)
        for _, numbers in self._seen.values():
            _add_up(sums, numbers)
        return [(key[0], list(key[1:]), value) for key, value in sorted((sums | gauges).items(), key=_place)]

    def _see(self, worker: int, since: float, counters: dict[Key, float]) -> None:
        """Note what a worker has counted, unless newer is known: who asks twice at once may hear it in any order."""
        seen_since, before = self._seen.get(worker, (since, {}))
        if since > seen_since:
            _add_up(self._kept, before)
            before = {}
        if since >= seen_since:
            newest = {key: max(value, before.get(key, 0)) for key, value in counters.items()}
            self._seen[worker] = since, before | newest


def _add_up(sums: dict[Key, float], numbers: Mapping[Key, float]) -> None:
    for key, value in numbers.items():
        sums[key] = sums.get(key, 0) + value


_ORDER = {name: place for place, name in enumerate(METRICS)}


def _place(item: tuple[Key, float]) -> int:
    return _ORDER.get(family_of(item[0][0]), len(_ORDER))
