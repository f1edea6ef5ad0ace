"""How much mail went where, and how it fared."""

from typing import Final, NamedTuple, get_args
from urllib.parse import urlencode

import msgspec

from angarium.dashboard.page import PageRequest, PageView
from angarium.events.rollups.port import Dimension
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.reports import ReportPageQuery, ReportRowView, show_report

PERIODS: Final = {"1h": "hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
_ROWS: Final = 50
_NAMES: Final = ("query", "from", "to", "by", "zone")
WIDTH: Final = 200
"""Of a bar, in units of its drawing."""


class ReportLine(NamedTuple):
    """A row with its bar: widths of what was delivered, of what failed for good, and of the rest, in `WIDTH`."""

    row: ReportRowView
    delivered: int
    failed: int
    rest: int


def show_reports(asked: PageRequest) -> PageView:
    """Show a period, told apart by a dimension; what is asked stands in the address."""
    said = {name: asked.query[name] for name in _NAMES if asked.query.get(name)}
    by = said.setdefault("by", "domain")
    period = said.get("from", "24h")
    try:
        query = msgspec.convert({**said, "limit": _ROWS}, ReportPageQuery, strict=False)
    except msgspec.ValidationError as error:
        raise HttpProblem("invalid", str(error)) from error
    report = show_report(asked.call, query)
    values = {
        "title": "Reports",
        "report": report,
        "lines": lines_of(report.data),
        "by": by,
        "dimensions": get_args(Dimension),
        "period": period,
        "periods": PERIODS,
        "query": said.get("query", ""),
        "width": WIDTH,
    }
    return PageView(
        "reports.html",
        values,
        cli=f"angarium report --by {by} --from {period}",
        api=f"/manage/v1/reports?{urlencode(said)}",
    )


def lines_of(rows: list[ReportRowView]) -> list[ReportLine]:
    """Return the rows with their bars, the largest as long as a bar is. Pure."""
    most = max((_size(row) for row in rows), default=0)
    return [_line(row, most) for row in rows]


def _line(row: ReportRowView, most: int) -> ReportLine:
    delivered = _part(row, "delivered", most)
    failed = min(_part(row, "bounced", most) + _part(row, "expired", most), WIDTH - delivered)
    whole = round(_size(row) * WIDTH / most) if most else 0
    return ReportLine(row, delivered, failed, max(0, whole - delivered - failed))


def _part(row: ReportRowView, name: str, most: int) -> int:
    return round((row.counts.get(name) or 0) * WIDTH / most) if most else 0


def _size(row: ReportRowView) -> int:
    known = [row.counts.get(name) or 0 for name in ("delivered", "bounced", "expired")]
    return max(row.counts.get("accepted") or 0, sum(known))
