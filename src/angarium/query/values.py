"""Numbers, sizes and times as they are written in a query. Pure: the time it is, and the zone, are arguments."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_AGO = re.compile(r"(?:now-)?(\d{1,6})([smhdw])", re.ASCII | re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d))?)?(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)

TIME_FORMS = "2026-11-30, 2026-11, 2026-11-30T14:05, today, yesterday, now, 7d (seven days ago)"


@dataclass(frozen=True, slots=True)
class Now:
    """The present: *at* in epoch seconds, and the zone that days are days of."""

    at: float
    zone: tzinfo = UTC


def read_number(text: str) -> float | None:
    """Return the number in *text*, None when there is none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def read_size(text: str) -> float | None:
    """Return bytes: `200`, `10k`, `1.5M`, in powers of 1024; None when *text* is no size."""
    match = _SIZE.fullmatch(text)
    return float(match[1]) * _FACTORS[match[2].lower()] if match else None


def read_time(text: str, now: Now) -> tuple[float, float] | None:
    """Return the first second of what *text* names and the first after it: a day has 24 hours, mostly.

    An instant is as long as it is exact: `2026-11-30T14:05` is a minute. None when *text* names no time.
    """
    lower = text.lower()
    if lower == "now":
        return now.at, now.at
    if lower in ("today", "yesterday"):
        day = datetime.fromtimestamp(now.at, now.zone).date() - timedelta(days=lower == "yesterday")
        return _span(datetime(day.year, day.month, day.day, tzinfo=now.zone), "day")
    if match := _AGO.fullmatch(text):
        at = now.at - int(match[1]) * _SECONDS[match[2].lower()]
        return at, at
    return _read_date(text, now.zone)


def _read_date(text: str, zone: tzinfo) -> tuple[float, float] | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups()[:6])
    unit = ("year", "month", "day", "hour", "minute", "second")[
        sum(part is not None for part in (month, day, hour, minute, second))
    ]
    try:
        written = zone if match[7] is None else datetime.strptime(match[7], "%z").tzinfo
        start = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=written)
        return _span(start, unit)
    except (ValueError, OverflowError):  # 31 February, the year 0
        return None


def _span(start: datetime, unit: str) -> tuple[float, float]:
    """Return the epoch seconds at the beginning of the unit that begins at *start*, and at its end."""
    if unit == "year":
        end = start.replace(year=start.year + 1)
    elif unit == "month":
        end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    elif unit == "day":  # to the same hour of the next day by the clock on the wall
        end = start + timedelta(days=1)
    else:
        return start.timestamp(), start.timestamp() + _SECONDS[unit[0]]
    return start.timestamp(), end.timestamp()
