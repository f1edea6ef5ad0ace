"""A report as CSV (RFC 4180): UTF-8, times as RFC 3339, raw numbers; nothing for what is not measured."""

import csv
from collections.abc import Iterator
from typing import Any, TextIO

from angarium.cli.times import rfc3339
from angarium.events.reports.model import MailReport, ReportRow

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(report: MailReport, file: TextIO) -> None:
    """Write all rows of a report, or its total where it has none."""
    rows = report.rows or ([] if report.by or report.per else [report.total])
    writer = csv.writer(file)
    writer.writerow(_titles(report))
    writer.writerows([*_cells(report, row)] for row in rows)


def _titles(report: MailReport) -> list[str]:
    times = ["at", "until_at", "is_unfinished"] if report.per else []
    named = [report.by] if report.by else []
    shares = [f"{name}_share" for name in report.total.rates]
    return [*times, *named, *report.total.counts, *shares, "p50_s", "p95_s", "p99_s"]


def _cells(report: MailReport, row: ReportRow) -> Iterator[Any]:
    if report.per:
        yield from (rfc3339(row.at or 0), rfc3339(row.until_at or 0), row.is_unfinished)
    if report.by:
        yield "(all others)" if row.is_others else harmless(row.value or "")
    yield from row.counts.values()
    yield from (row.rates[name].share if name in row.rates else None for name in report.total.rates)
    latency = row.latency
    yield from (latency.p50_s, latency.p95_s, latency.p99_s) if latency else (None, None, None)


def harmless(text: str) -> str:
    """Return a text that no program for tables takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
