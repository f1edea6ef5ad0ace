"""Times as people read them: the local clock with its offset from UTC, and how long ago or how soon. Pure."""

import time
from datetime import UTC, datetime

_NEAR_S = 43_200
"""Half a day: within it the date needs no saying."""


def when(at: float | None, now: float) -> str:
    """Return a time as the clock on the wall shows it, with the date unless it is within half a day of *now*."""
    if at is None:
        return "-"
    return _local(at, "%H:%M:%S" if abs(at - now) < _NEAR_S else "%Y-%m-%d %H:%M")


def moment(at: float) -> str:
    """Return a time of day to the millisecond."""
    whole, thousandths = divmod(round(at * 1000), 1000)
    return _local(whole, f"%Y-%m-%d %H:%M:%S.{thousandths:03d}")


def clock(at: float) -> str:
    """Return a time of this day to the millisecond, without the offset: for lines that come one after the other."""
    whole, thousandths = divmod(round(at * 1000), 1000)
    return time.strftime(f"%H:%M:%S.{thousandths:03d}", time.localtime(whole))


def _local(at: float, form: str) -> str:
    there = time.localtime(at)
    minutes = there.tm_gmtoff // 60
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return time.strftime(form, there) + (offset if minutes else "Z")


def rfc3339(at: float) -> str:
    """Return a time for programs: UTC to the millisecond (RFC 3339), as `2026-11-30T14:02:10.250Z`."""
    whole, thousandths = divmod(round(at * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{thousandths:03d}Z"


def relative(at: float | None, now: float) -> str:
    """Return how soon a time comes (`in 12 s`), or how long ago it was (`3 min ago`); `now` within a second."""
    if at is None:
        return "-"
    if abs(at - now) < 1:
        return "now"
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def span(seconds: float | None) -> str:
    """Return a length of time in its two largest units; one that clocks make negative is none."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{whole} s"


def brief(words: str) -> str:
    """Return a span or a relative time as narrow as a table wants it: `in 2h 5m`."""
    for unit, letter in ((" min", "m"), (" d", "d"), (" h", "h"), (" s", "s")):
        words = words.replace(unit, letter)
    return words
