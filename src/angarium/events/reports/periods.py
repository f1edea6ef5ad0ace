"""The time that a report is about, and how it is cut: in hours and days of somebody's zone. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal

from angarium.events.rollups.port import QUARTER_S

Per = Literal["minute", "quarter", "hour", "day"]
_HOUR_S: Final = 3600
_UNITS: Final = {"minute": 60, "quarter": QUARTER_S, "hour": _HOUR_S}
DAY_S: Final = 86_400
MOST_BUCKETS: Final = 11_000
"""A week of minutes, and the hour more that some weeks have."""


def unit_of(per: Per | None) -> int:
    """Return the seconds in which it is counted: what is finer than a quarter-hour only where that is asked for."""
    return 60 if per == "minute" else QUARTER_S


def widened(since: float, until: float, per: Per | None) -> tuple[int, int]:
    """Return a period in whole units of counting that has all of the one given."""
    unit = unit_of(per)
    first = int(since // unit)
    return first * unit, max(first + 1, int(-(-until // unit))) * unit


@lru_cache(100_000)
def bucket_start(at: int, per: Per, zone: tzinfo) -> int:
    """Return when the minute, hour or day of *zone* began in which *at* lies, in epoch seconds."""
    if per == "day":
        return midnight(datetime.fromtimestamp(at, zone), zone)
    unit = _UNITS[per]
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    beside = int(offset.total_seconds())
    return (at + beside) // unit * unit - beside


def bucket_end(start: int, per: Per, zone: tzinfo) -> int:
    """Return when the bucket that begins at *start* ends: a day has 23 or 25 hours at times."""
    if per != "day":
        return start + _UNITS[per]
    there = datetime.fromtimestamp(start, zone) + timedelta(days=1)
    return midnight(there, zone)


def buckets(since: int, until: int, per: Per, zone: tzinfo) -> Iterator[int]:
    """Yield the beginnings of all buckets that have a part of the period."""
    start = bucket_start(since, per, zone)
    while start < until:
        yield start
        start = bucket_end(start, per, zone)


def midnight(there: datetime, zone: tzinfo) -> int:
    """Return when the day of an instant began; where a clock is set at midnight, the first instant of the day."""
    return int(datetime.combine(there.date(), time(), zone).timestamp())


def midnight_of(day: str) -> int:
    """Return when a day of UTC began, by its name (`2026-11-30`)."""
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())


def is_utc_day(at: int) -> bool:
    """Whether a day of UTC begins at *at*."""
    return at % DAY_S == 0


def shown(at: float, zone: tzinfo = UTC) -> str:
    """Return a time to the minute, as a clock in *zone* shows it."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")
