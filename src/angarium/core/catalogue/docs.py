"""Writes the pages of what the product says of itself, docs/metrics.md and docs/logs.md:
`python -m angarium.core.catalogue.docs logs > docs/logs.md`.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

from angarium.core.catalogue.logs import FIELDS, RECORDS, LogRecord
from angarium.core.catalogue.metrics import METRICS, PREFIX, Metric
from angarium.core.log import MOST_LINE

_METRICS = """# Metrics

`GET /metrics` on the HTTP listener gives these in Prometheus' text format, or as OpenMetrics to whoever asks for that.
Numbers are added up over the workers; counters and histograms go on when a worker is started again: of one that died
the last five seconds may be missing. Of a worker that does not answer, mail that waits and the journal's size are as it
said last; while one has said nothing yet since the node was started, they are not given at all. Labels are few and
bounded: there is none with a domain or an address. The queues by domain are in `angarium queue --json`. Counters begin
at 0 with every value of a label that is known beforehand.

This page is made from the code; do not edit it.

| metric | kind | label | meaning | what to look for |
|---|---|---|---|---|
{rows}

Values that a label has from the start:

{values}

{bounds}A worker that is away (being started again, or reading its spool) is missing from the gauges until it is back.
Scraping asks every worker once and costs well under a millisecond of each; every 5 to 60 seconds is fine.
"""

_LOGS = """# The log

The node writes one stream to standard error: a line for each session, message, attempt and state change, and for what
happens to the node itself. To a terminal it is made for reading, else each line is one JSON object (`Log_Format`);
`Log_Level` says what is left out. This page has every record and every field. It is made from the code; do not edit it.

```
{example}
```

What holds of every line:

- It is whole: one object, UTF-8, ended by a line feed, of at most {most} bytes, so that the lines of several workers
  never mix. What would be longer is shortened and has `cut`.
- Times are UTC to the microsecond, as RFC 3339 has them. Fields that end in `_s` are seconds, in `_ms` milliseconds.
- There is no password, key, token or text of a message in it, but for the subjects of caught mail. Addresses are.
- Fields that say nothing are empty, null or absent. New records and fields may come with each version; those that are
  here keep their meaning.

The log is for people and for what they count by; the record of what became of mail is the journal. A log that is not
read, or a full disk under it, never stops the mail: lines are left out instead.

## Where it goes

Under systemd to its journal, which rotates by itself:

```
journalctl -u angarium -o cat | jq 'select(.event == "bounced")'
```

The node opens no file, so there is none to be opened anew, and SIGHUP reads the configuration alone. Whoever sends
standard error to a file with `2>>` rotates that by `copytruncate` of logrotate, or writes it through a program that
rotates: `angarium serve 2>&1 | svlogd /var/log/angarium`.

## Every record

{records}

## Every field

| field | is | |
|---|---|---|
{fields}
"""
_EXAMPLE: Final = (
    '{"at":"2026-11-30T14:02:10.250731Z","level":"info","event":"stopped","worker":0}',
    '{"at":"2026-11-30T14:02:10.250731Z","level":"info","event":"auth","worker":0,"session":"1a22e4bd9d2.1",'
    '"listener":"default","peer":"192.0.2.7:52988","mechanism":"PLAIN","user":"news","login":"login 7 \\"news\\"",'
    '"account":3}',
)
"""Two whole records; a test holds them against the tables."""


def logs_page() -> str:
    """Return the text of docs/logs.md."""
    return _LOGS.format(
        example="\n".join(_EXAMPLE),
        most=MOST_LINE,
        records="\n".join(_record(name, record) for name, record in RECORDS.items()),
        fields="\n".join(f"| `{name}` | {field.kind} | {field.sentence} |" for name, field in FIELDS.items()),
    )


def _record(name: str, record: LogRecord) -> str:
    fields = ", ".join(f"`{field}`" for field in record.fields)
    levels = " or ".join(f"`{level}`" for level in record.levels)
    return f"- **`{name}`** ({levels}) {record.sentence}" + (f" Fields: {fields}." if fields else "")


def metrics_page() -> str:
    """Return the text of docs/metrics.md."""
    rows = "\n".join(_row(name, metric) for name, metric in METRICS.items())
    values = "\n".join(line for name, metric in METRICS.items() for line in _values(name, metric))
    return _METRICS.format(rows=rows, values=values, bounds=_bounds())


def metric_entry(name: str, metric: Metric) -> str:
    """Return what there is to say of one metric."""
    labels = ", ".join(f"by `{label.name}`" for label in metric.labels)
    lines = [
        f"A {metric.kind}{' ' if labels else ''}{labels}. {metric.help}",
        metric.look,
        *_values(name, metric),
    ]
    if metric.bounds:
        lines.append(f"Upper ends of its buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}")
    return "\n\n".join(filter(None, lines))


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


PAGES: Final[dict[str, Callable[[], str]]] = {"metrics": metrics_page, "logs": logs_page}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
