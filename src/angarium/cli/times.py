"""Times as people read them: the local clock with its offset from UTC, and how long ago or how soon. Pure."""

import re
import time
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d+) *(s|m|min|h|d|w)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?")
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


def upcoming(at: float | None, now: float) -> str:
    """Return how soon a time comes; `due` when it has come, and what is meant has not happened yet."""
    return relative(at, now) if at is None or at - now >= 1 else "due"


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


def read_time(text: str, now: float) -> float:
    """Return a time of the past: a span before *now* (`2h`, `3d`), a time of this day (`14:30`), `today`, `yesterday`,
    or a date with or without a time of day. Without an offset it is the local clock's. Raises ValueError.
    """
    text = text.strip()
    if span := _SPAN.fullmatch(text):
        return max(0.0, now - int(span[1]) * _UNITS[span[2]])
    midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return (midnight - timedelta(days=text == "yesterday")).timestamp()
    try:
        if _CLOCK.fullmatch(text):
            hour, minute, *second = map(int, text.split(":"))
            return midnight.replace(hour=hour, minute=minute, second=second[0] if second else 0).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time; write 2h, 3d, 14:30, yesterday, 2026-01-31, or 2026-01-31T14:30+01:00"
        ) from None
