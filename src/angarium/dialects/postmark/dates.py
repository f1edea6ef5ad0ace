"""Times as Postmark says them: Eastern, with seven digits behind the point. Pure."""

import re
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from angarium.query.values import Now, read_time

_LOOSE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(.*)", re.DOTALL)
_FRACTION: Final = re.compile(r"\.\d+")


@cache
def eastern() -> tzinfo:
    """Return the zone that Postmark's days are days of; UTC where the system knows no zones."""
    try:
        return ZoneInfo("America/New_York")
    except (ZoneInfoNotFoundError, OSError):
        return UTC


def moment(at: float) -> str:
    """Return an instant: `2014-02-17T07:25:01.4178640-05:00`."""
    there = datetime.fromtimestamp(at, eastern())
    return f"{there:%Y-%m-%dT%H:%M:%S}.{there.microsecond:06d}0{there.isoformat()[-6:]}"


def instant(at: float) -> str:
    """Return an instant as webhooks say it: `2019-11-05T16:33:54.907Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(at: float) -> str:
    """Return the day of an instant: `2014-02-17`."""
    return datetime.fromtimestamp(at, eastern()).strftime("%Y-%m-%d")


def span_of(text: str, now: float) -> tuple[float, float] | None:
    """Return the first second of a day or an instant and the first after it, in epoch seconds; None when *text* names
    none. A day may be written `2026-9-7`.
    """
    loose = _LOOSE.fullmatch(text.strip())
    if loose is None:
        return None
    year, month, day_, rest = loose.groups()
    exact = f"{year}-{int(month):02d}-{int(day_):02d}{_FRACTION.sub('', rest)}"
    return read_time(exact, Now(now, eastern()))
