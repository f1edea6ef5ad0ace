"""Questions that go over the days, newest first, until there is enough."""

import re
from collections.abc import Callable, Iterable

from angarium.core.ids import MessageId
from angarium.events.days import days_asked
from angarium.events.port import PLACE, FoundMail, FoundMailPage, Happening, NoSuchPlace, Timeline, Whose
from angarium.events.reading import DayReader, Span
from angarium.events.rows import WHOLE
from angarium.query.nodes import Equal, Node

_NEWEST = 1 << 62

Open = Callable[[str], DayReader]
"""Opens a day that is there, by its name."""


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
    days: Iterable[str], opened: Open, node: Node, scope: Whose, span: Span, limit: int, *, newest: bool
) -> list[Happening]:
    """See `EventStore.log`; *newest*: `EventStore.latest`."""
    found: list[Happening] = []
    for day in _asked(days, node):
        found += opened(day).log(node, scope, span, limit, newest=newest)
    found.sort(key=lambda each: each.number)
    return found[-limit:] if newest else found[:limit]


def timeline(day: DayReader, message: MessageId, scope: Whose) -> Timeline | None:
    """See `EventStore.timeline`; *day* is that of the message."""
    happenings = day.happenings(message, scope)
    if happenings is None:
        return None
    rows = day.mail(Equal("id", message.hex()), scope, _NEWEST, WHOLE)
    return Timeline([mail for _, mail in reversed(rows)], happenings)


def _asked(days: Iterable[str], node: Node) -> list[str]:
    """Return those of the *days* that may have what is asked for, newest first."""
    first, last = days_asked(node)
    return sorted((day for day in days if first <= day <= last), reverse=True)


def _place(after: str) -> tuple[str, int]:
    if re.fullmatch(PLACE, after) is None:
        raise NoSuchPlace(f"{after!r} is no place that a page has ended at; leave it out to begin anew")
    day, _, number = after.partition(".")
    return day, int(number)
