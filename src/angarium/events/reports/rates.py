"""Rates: each with what it is a share of, so that no two pages have two of one name. Pure."""

from collections.abc import Mapping
from typing import Final

from angarium.events.reports.model import ReportRate
from angarium.events.rollups.measures import BOUNCED

RATES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "delivered": ("delivered", ("delivered", "bounced")),
    "bounced": ("bounced_by_peers", ("delivered", "bounced_by_peers")),
    "delayed": ("delayed_first", ("delivered_first", "delayed_first", "bounced")),
    "complained": ("complaints", ("delivered",)),
    "opened": ("unique_opens", ("delivered",)),
    "clicked": ("unique_clicks", ("delivered",)),
    "unsubscribed": ("unsubscribes", ("delivered",)),
    "returned": ("late_bounces", ("delivered",)),
}
"""The share, of the sum of what. *bounced_by_peers* leaves out what failed by a rule or a right (class *Admin*)."""


def bounced(counts: Mapping[str, int | None]) -> int:
    """Return how many failed for good, of all categories."""
    return sum(counts.get(f"bounced_{category}") or 0 for category in BOUNCED)


def rates_of(counts: Mapping[str, int | None]) -> dict[str, ReportRate]:
    """Return the rates of what was measured."""
    known = {**counts, "bounced_by_peers": bounced(counts) - (counts.get("bounced_admin") or 0)}
    found: dict[str, ReportRate] = {}
    for name, (part, of) in RATES.items():
        count, whole = known.get(part), [known.get(each) for each in of]
        if count is not None and None not in whole:
            total = sum(each or 0 for each in whole)
            found[name] = ReportRate(count, total, count / total if total else None)
    return found
