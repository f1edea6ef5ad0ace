"""The pages of what the product lists: options, events, metrics, endpoints."""

from collections.abc import Iterator
from typing import Final

from angarium.config.docs import option_entry
from angarium.config.tables import OPTIONS
from angarium.core.catalogue.docs import metric_entry
from angarium.core.catalogue.metrics import METRICS, PREFIX
from angarium.documentation.made.endpoints import endpoint_pages
from angarium.documentation.page import DocSource
from angarium.events.catalogue import KINDS
from angarium.events.docs import event_entry

LISTS: Final = frozenset(("options", "events", "metrics"))
"""Written pages that are lists of what has pages of its own."""


def made_pages() -> Iterator[DocSource]:
    """Give all pages that are made from the code, but for those of commands."""
    for option in OPTIONS:
        text = f"# {option.name}\n\n{option_entry(option)}\n\n[All options](../options.md)\n"
        yield DocSource(f"options/{option.name}", text, "option")
    for kind in KINDS.values():
        text = f"# {kind.name}\n\n{event_entry(kind)}\n\n[All events](../events.md)\n"
        yield DocSource(f"events/{kind.name}", text, "event")
    for name, metric in METRICS.items():
        full = f"{PREFIX}{name}"
        text = f"# {full}\n\n{metric_entry(name, metric)}\n\n[All metrics](../metrics.md)\n"
        yield DocSource(f"metrics/{full}", text, "metric")
    yield from endpoint_pages()
