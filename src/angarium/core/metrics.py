"""The plain numbers behind the metrics (`catalogue.metrics`).

A worker counts in a `Counters`; the supervisor adds the workers' numbers up and shows them under `/metrics`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, product
from typing import Final

from angarium.core.catalogue.metrics import METRICS, Metric

Key = tuple[str, ...]
"""A number's name, and the values of its labels in their order."""

BUCKET, COUNT, SUM = "_bucket", "_count", "_sum"
"""What the names of a histogram's numbers end in. The last label of a bucket is its upper end, `le`."""


class Histogram:
    """Counts values by size. *counts* has one number for each bucket, the last for what is above all *bounds*."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count *value*; less than nothing, which only a clock that was set can make of a time, as 0."""
        if value < 0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def numbers(self, name: str, labels: Key = ()) -> Iterator[tuple[Key, float]]:
        """Return it as numbers that add up: how many were at most so large, how many there were, and their sum."""
        totals = list(accumulate(self.counts))
        for end, total in zip((*map(float, self.bounds), "+Inf"), totals, strict=True):
            yield (name + BUCKET, *labels, str(end)), total
        yield (name + COUNT, *labels), totals[-1]
        yield (name + SUM, *labels), self.sum


class Counters:
    """The numbers of one process. Where a message passes, *values* are added to directly."""

    __slots__ = ("_histograms", "values")

    def __init__(self) -> None:
        self.values: defaultdict[Key, float] = defaultdict(int)
        self._histograms: dict[Key, Histogram] = {}

    def add(self, name: str, *labels: str, amount: float = 1) -> None:
        """Count *amount* more."""
        self.values[name, *labels] += amount

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self.values[name, *labels] = value

    def forget(self, name: str) -> None:
        """Forget what was set under *name*, with all its labels."""
        for key in [key for key in self.values if key[0] == name]:
            del self.values[key]

    def histogram(self, name: str, *labels: str) -> Histogram:
        """Return the histogram of that name and those labels, to observe values with."""
        key = (name, *labels)
        if key not in self._histograms:
            self._histograms[key] = Histogram(METRICS[name].bounds)
        return self._histograms[key]

    def numbers(self) -> Iterator[tuple[Key, float]]:
        """Return all of them, histograms as numbers that add up, unless they are empty."""
        yield from self.values.items()
        for (name, *labels), histogram in self._histograms.items():
            if any(histogram.counts):
                yield from histogram.numbers(name, tuple(labels))


def quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return about what *share* of the values is not above, as Prometheus' `histogram_quantile` does; None without any.

    *buckets* are upper ends in order, infinity last, each with how many values are at most so large.
    """
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    wanted = share * total
    lower_end, lower = 0.0, 0.0
    for end, number in buckets[:-1]:
        if number >= wanted:
            return (
                lower_end + (end - lower_end) * (wanted - lower) / (number - lower) if number > lower else end
            )
        lower_end, lower = end, number
    return lower_end


def zeros() -> dict[Key, float]:
    """Return the numbers of all counters and histograms whose labels' values are known, before anything has happened.

    A graph of what has never happened then has a line, and the first time is a change.
    """
    numbers: dict[Key, float] = {}
    for name, metric in METRICS.items():
        for labels in product(*(label.values for label in metric.labels)):
            if metric.kind == "counter":
                numbers[name, *labels] = 0
            elif metric.kind == "histogram":
                numbers.update(Histogram(metric.bounds).numbers(name, labels))
    return numbers


def _families() -> Iterator[tuple[str, str]]:
    for name, metric in METRICS.items():
        endings = (BUCKET, COUNT, SUM) if metric.kind == "histogram" else ("",)
        yield from ((name + ending, name) for ending in endings)


_FAMILIES: Final = dict(_families())
_UNKNOWN: Final = Metric("gauge", "Not described.")
_UNKNOWN_COUNTER: Final = Metric("counter", "Not described.")


def family_of(name: str) -> str:
    """Return the name of the metric that a number is one of: itself, but for the numbers of a histogram."""
    return _FAMILIES.get(name, name)


def metric_of(name: str) -> Metric:
    """Return the description of the metric that a number is one of. One that stands nowhere is a counter by its name,
    or a gauge.
    """
    found = METRICS.get(family_of(name))
    return found or (_UNKNOWN_COUNTER if name.endswith("_total") else _UNKNOWN)


def is_counter(name: str) -> bool:
    """Whether a number only grows."""
    return metric_of(name).kind != "gauge"
