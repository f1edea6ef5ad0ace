"""Questions that go over the days, newest first, until there is enough."""

import re
from collections.abc import Callable, Iterable, Iterator

from angarium.events.days import day_at, days_asked
from angarium.events.port import PLACE, Extent, FoundMail, FoundMailPage, Happening, NoSuchPlace, Whose
from angarium.events.reading import DayReader, Span
from angarium.events.rollups.port import Counted, CountQuery, EventRows, ReplyCount
from angarium.query.nodes import Node

_NEWEST = 1 << 62

Open = Callable[[str], DayReader]
"""Opens a day that is there, by its name."""

ExtentOf = Callable[[str], Extent]
"""Returns the extent of a day that is there, by its name."""


def search(
    days: Iterable[str], opened: Open, node: Node, scope: Whose, limit: int, after: str | None
) -> FoundMailPage:
    """See `EventStore.search`."""
    newest, below = _place(after) if after else ("9999-12-31", _NEWEST)
    found: list[tuple[str, int, FoundMail]] = []
    for day in _asked(days, node):
        if day <= newest and len(found) <= limit:
            bound = below if day == newest else _NEWEST
            rows = opened(day).mail(node, scope, bound, limit + 1 - len(found))
            found += [(day, number, mail) for number, mail in rows]
    last = found[limit - 1] if len(found) > limit else None
    return FoundMailPage([mail for *_, mail in found[:limit]], last and f"{last[0]}.{last[1]}")


def count(days: Iterable[str], opened: Open, node: Node, scope: Whose, most: int) -> int:
    """See `EventStore.count`."""
    found = 0
    for day in _asked(days, node):
        if found < most:
            found += opened(day).count(node, scope, most - found)
    return found


def log(
    days: Callable[[], Iterable[str]],
    opened: Open,
    extent_of: ExtentOf,
    node: Node,
    scope: Whose,
    span: Span,
    limit: int,
    *,
    newest: bool,
) -> list[Happening]:
    """See `EventStore.log`; *newest*: `EventStore.latest`.

    While one day is asked more is stored, in other days too, and in new ones. What is numbered above that which was
    there at the beginning is left for the next time: what is below it might have come to a day that was asked already.

    A day is asked where it may have something between what the page has already, the day with the nearest number first;
    and first for numbers only: of what is late, each day has a little.
    """
    end = max((extent_of(day).last for day in days()), default=0) + 1
    span = span._replace(before=end if span.before is None else min(end, span.before))
    found: list[tuple[int, str]] = []
    for nearest, day in _nearest(_asked(days(), node), opened, extent_of, span, newest=newest):
        if not span.has(nearest):
            break
        found += [(number, day) for number in opened(day).numbers(node, scope, span, limit, newest=newest)]
        found.sort()
        if len(found) >= limit > 0:  # of the days that follow only what lies between is of interest
            found = found[-limit:] if newest else found[:limit]
            span = span._replace(after=found[0][0]) if newest else span._replace(before=found[-1][0])
    return _happenings(found, opened)


def _nearest(
    days: Iterable[str], opened: Open, extent_of: ExtentOf, span: Span, *, newest: bool
) -> list[tuple[int, str]]:
    """Return the days that have something in *span*, the one that the page begins in first, each with the first of its
    numbers there; where *newest*, with the last.
    """
    found: list[tuple[int, str]] = []
    for day in days:
        extent = extent_of(day)
        end = extent.last if newest else extent.first
        if span.has(end):
            found.append((end, day))
        elif span.overlaps(extent) and (number := opened(day).nearest(span, newest=newest)) is not None:
            found.append((number, day))
    return sorted(found, reverse=newest)


def _happenings(numbers: Iterable[tuple[int, str]], opened: Open) -> list[Happening]:
    """Return what has these numbers, each with its day, oldest first."""
    by_day: dict[str, list[int]] = {}
    for number, day in numbers:
        by_day.setdefault(day, []).append(number)
    found = [each for day, some in by_day.items() for each in opened(day).happenings(some)]
    return sorted(found, key=lambda each: each.number)


def counted(days: Iterable[str], opened: Open, wanted: CountQuery) -> Iterator[Counted]:
    """See `CountedEvents.counted`."""
    for day in _counted_days(days, wanted):
        yield from opened(day).counter.counted(wanted)


def each(
    days: Iterable[str], opened: Open, extent_of: ExtentOf, after: int, upto: int
) -> Iterator[EventRows]:
    """See `CountedEvents.each`."""
    span = Span(after, upto + 1)
    for day in sorted(day for day in days if span.overlaps(extent_of(day))):
        yield from opened(day).counter.each(after, upto)


def replies(days: Iterable[str], opened: Open, wanted: CountQuery) -> Iterator[ReplyCount]:
    """See `CountedEvents.replies`."""
    for day in _counted_days(days, wanted):
        yield from opened(day).counter.replies(wanted)


def _counted_days(days: Iterable[str], wanted: CountQuery) -> list[str]:
    """Return the days in which there can be anything to count: nothing happens to a message before it came."""
    if wanted.window is None:
        return sorted(days)
    since, until = wanted.window
    first = day_at(since) if wanted.basis == "acceptance" else ""
    return sorted(day for day in days if first <= day <= day_at(until))


def _asked(days: Iterable[str], node: Node) -> list[str]:
    """Return those of the *days* that may have what is asked for, newest first."""
    first, last = days_asked(node)
    return sorted((day for day in days if first <= day <= last), reverse=True)


def _place(after: str) -> tuple[str, int]:
    if re.fullmatch(PLACE, after) is None:
        raise NoSuchPlace(f"{after!r} is no place that a page has ended at; leave it out to begin anew")
    day, _, number = after.partition(".")
    return day, int(number)
