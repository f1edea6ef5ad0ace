"""The manage API: how much mail went where, and how it fared."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from angarium.events.reports.model import Latency, MailReport, ReportQuery, ReportRate, ReportRow, TopReply
from angarium.events.reports.periods import Per
from angarium.events.rollups.measures import Basis
from angarium.events.rollups.port import Dimension
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.call import Call
from angarium.http.manage.happened import MailAsked, meant, zone_of
from angarium.http.manage.shapes import EndText, TimeText
from angarium.query.values import TIME_FORMS, Now, read_time

Rows = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Answers = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class PeriodAsked(MailAsked):
    """Of what happened to such mail from `from` on, up to the end of `to`. Days and hours are those of `zone`;
    without, those of the account that it is about, or that the key is of.
    """

    since: TimeText = msgspec.field(default="24h", name="from")
    until: EndText = msgspec.field(default="now", name="to")


class ReportAsked(PeriodAsked):
    """What is told apart: `by` the values of a dimension, `per` unit of time. With `basis=acceptance`, what has become
    by now of the mail that was accepted then.
    """

    by: Dimension | None = None
    per: Per | None = None
    basis: Basis = "event"


class ReportPageQuery(PeriodAsked):
    """What is told apart: `by` the values of a dimension, of which the `limit` largest are told and the others
    together, `per` unit of time. With `basis=acceptance`, what has become by now of the mail that was accepted then.
    """

    by: Dimension | None = None
    per: Per | None = None
    basis: Basis = "event"
    limit: Rows = 100


class RepliesQuery(PeriodAsked):
    """How many of the answers are told, those that came most often first."""

    limit: Answers = 20


class ReportRowView(msgspec.Struct, frozen=True):
    """*at* and *until_at* are the unit of time, *value* is that of the dimension; null where there is none, and of all
    others together (*is_others*). *is_unfinished*: the unit is not over. A count that is null is not measured.
    """

    at: datetime | None
    until_at: datetime | None
    value: str | None
    counts: dict[str, int | None]
    rates: dict[str, ReportRate]
    latency: Latency | None
    is_unfinished: bool
    is_others: bool


class MailReportView(msgspec.Struct, frozen=True):
    """*since_at* and *until_at* are the period, widened to whole quarter-hours. *total* is of all, *notes* say what the
    numbers do not have.
    """

    since_at: datetime
    until_at: datetime
    zone: str
    data: list[ReportRowView]
    total: ReportRowView
    notes: list[str]


class RepliesView(msgspec.Struct, frozen=True):
    """Answers without their numbers and names (*pattern*), those that came most often first, each with one *sample*."""

    data: list[TopReply]


def show_report(call: Call, query: ReportPageQuery) -> MailReportView:
    """Say how much mail went where and how it fared (docs/reports.md)."""
    report = _report(call, query, query.limit)
    return MailReportView(
        _moment(report.since_at),
        _moment(report.until_at),
        report.zone,
        [_row(row) for row in report.rows],
        _row(report.total),
        report.notes,
    )


async def export_report(call: Call, query: ReportAsked) -> AsyncIterator[ReportRowView]:
    """Tell all rows of a report, each a line of JSON; of one without rows, its total."""
    report = await asyncio.to_thread(_report, call, query, None)
    for row in report.rows if query.by or query.per else [report.total]:
        yield _row(row)


def list_replies(call: Call, query: RepliesQuery) -> RepliesView:
    """List what peers said most often when they did not take mail, of the events that are kept."""
    return RepliesView(call.reports.replies(_asked(call, query), query.limit))


def _report(call: Call, query: ReportAsked | ReportPageQuery, limit: int | None) -> MailReport:
    asked = _asked(call, query)._replace(by=query.by, per=query.per, basis=query.basis, limit=limit)
    try:
        return call.reports.report(asked, time.time())
    except ValueError as error:
        raise HttpProblem("invalid", f"per: {error}", [FieldError("per", str(error))]) from error


def _asked(call: Call, query: PeriodAsked) -> ReportQuery:
    zone = zone_of(call, query)
    now = Now(time.time(), zone)
    since, until = _time("from", query.since, now)[0], _time("to", query.until, now)[1]
    if since >= until:
        raise _wrong("from", "is not before `to`; write an earlier time")
    return ReportQuery(since, until, zone=zone, node=meant(call, query), scope=call.whose(query.account))


def _time(name: str, text: str, now: Now) -> tuple[float, float]:
    found = read_time(text, now)
    if found is None:
        raise _wrong(name, f"is no time; write {TIME_FORMS}")
    return found


def _wrong(name: str, said: str) -> HttpProblem:
    return HttpProblem("invalid", f"{name}: {said}", [FieldError(name, said)])


def _row(row: ReportRow) -> ReportRowView:
    times = {
        name: at if at is None else _moment(at) for name, at in (("at", row.at), ("until_at", row.until_at))
    }
    return ReportRowView(**{**msgspec.structs.asdict(row), **times})


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
