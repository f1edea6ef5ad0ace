"""Times in buckets that grow by a tenth each: they add up, and what is read from them is right within 5 %."""

from collections.abc import Mapping
from math import ceil, floor, log
from typing import Final

_GROWTH: Final = 1.1
SMALLEST_S: Final = 0.001
MOST: Final = 260
"""The last bucket: about 1.8 years."""

PER_BUCKET: Final = log(_GROWTH)


def bucket_of(seconds: float) -> int:
    """Return the bucket of a time: 0 up to a millisecond, also for one that clocks make negative."""
    if seconds <= SMALLEST_S:
        return 0
    return min(MOST, floor(log(seconds / SMALLEST_S) / PER_BUCKET) + 1)


def seconds_of(bucket: int) -> float:
    """Return the time that stands for a bucket, in seconds: at most 5 % from each in it."""
    return SMALLEST_S if bucket == 0 else float(SMALLEST_S * _GROWTH ** (bucket - 0.5))


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the time in seconds within which *share* (0 to 1) of what is counted lies; None: there is nothing."""
    rank = ceil(share * sum(counts.values()))
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0 and counts[bucket] > 0:
            return seconds_of(bucket)
    return None
