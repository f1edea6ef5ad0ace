"""What several processes have counted made one. Pure."""

from collections.abc import Collection, Mapping

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
        self._gauges: dict[int, dict[Key, float]] = {}

    def merge(self, parts: Mapping[int, WorkerStats], workers: Collection[int] = ()) -> list[Stat]:
        """Take what each of the *workers* that answer counts now; return the node's numbers, those of one metric
        together.

        Of a worker that is away, counters and what is on its disk stay as they were last seen; its other gauges are
        gone with it. A sum of what is on disk is not told before all *workers* have told their part: it would be less.
        """
        for worker, part in parts.items():
            numbers = {(name, *labels): value for name, labels, value in part.numbers}
            counters = {key: value for key, value in numbers.items() if is_counter(key[0])}
            self._see(worker, part.since, counters)
            if part.since == self._seen[worker][0]:
                self._gauges[worker] = {key: numbers[key] for key in numbers.keys() - counters.keys()}
        sums = dict(self._kept)
        for _, counters in self._seen.values():
            _add_up(sums, counters)
        sums |= self._merged_gauges(parts, is_whole=self._gauges.keys() >= set(workers))
        return [(key[0], list(key[1:]), value) for key, value in sorted(sums.items(), key=_place)]

    def _merged_gauges(self, here: Collection[int], *, is_whole: bool) -> dict[Key, float]:
        merged: dict[Key, float] = {}
        for worker, gauges in self._gauges.items():
            for key, value in gauges.items():
                metric = metric_of(key[0])
                if not (is_whole if metric.on_disk else worker in here):
                    continue
                before = merged.get(key, 0)
                merged[key] = max(before, value) if metric.is_worst else before + value
        return merged

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
