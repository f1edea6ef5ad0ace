"""Writes the pages of what the product says of itself, by `python -m angarium.core.catalogue.docs metrics`:
docs/metrics.md.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

from angarium.core.catalogue.metrics import METRICS, PREFIX, Metric

_METRICS = """# Metrics

`GET /metrics` on the HTTP listener gives these in Prometheus' text format, or as OpenMetrics to whoever asks for that.
Numbers are added up over the workers; counters and histograms go on when a worker is started again: of one that died
the last five seconds may be missing. Labels are few and bounded: there is none with a domain or an address. The
queues by domain are in `angarium queue --json`. Counters begin at 0 with every value of a label that is known
beforehand.

This page is made from the code; do not edit it.

| metric | kind | label | meaning | what to look for |
|---|---|---|---|---|
{rows}

Values that a label has from the start:

{values}

{bounds}A worker that is away (being started again, or reading its spool) is missing from the gauges until it is back.
Scraping asks every worker once and costs well under a millisecond of each; every 5 to 60 seconds is fine.
"""


def metrics_page() -> str:
    """Return the text of docs/metrics.md."""
    rows = "\n".join(_row(name, metric) for name, metric in METRICS.items())
    values = "\n".join(line for name, metric in METRICS.items() for line in _values(name, metric))
    return _METRICS.format(rows=rows, values=values, bounds=_bounds())


def _row(name: str, metric: Metric) -> str:
    labels = ", ".join(f"`{label.name}`" for label in metric.labels)
    return f"| `{PREFIX}{name}` | {metric.kind} | {labels} | {metric.help} | {metric.look} |".replace(
        "  ", " "
    )


def _values(name: str, metric: Metric) -> Iterator[str]:
    for label in metric.labels:
        if label.values:
            yield f"- `{PREFIX}{name}`, `{label.name}`: {', '.join(f'`{value}`' for value in label.values)}"


def _bounds() -> str:
    lines = [
        f"- `{PREFIX}{name}`: {', '.join(f'{bound:g}' for bound in metric.bounds)}"
        for name, metric in METRICS.items()
        if metric.bounds
    ]
    return "Upper ends of the buckets of the histograms:\n\n" + "\n".join(lines) + "\n\n" if lines else ""


PAGES: Final[dict[str, Callable[[], str]]] = {"metrics": metrics_page}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
