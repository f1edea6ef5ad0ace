"""The first page: how things are, in words, then in numbers."""

from typing import Final, NamedTuple

from angarium.dashboard.page import PageRequest, PageView
from angarium.http.manage.happened import MailQuery, list_messages
from angarium.http.manage.reports import MailReportView, ReportPageQuery, ReportRowView, show_report

_FEW: Final = 100
"""Below so many recipients nothing is said of rates."""
_BOUNCES: Final = (0.05, 0.02)
_COMPLAINTS: Final = (0.003, 0.001)
"""From these shares on things are bad, and to be looked at."""


class MailVerdict(NamedTuple):
    """How things are: *tone* is good, warn or bad; *reasons* are sentences."""

    tone: str
    text: str
    reasons: tuple[str, ...]


def show_overview(asked: PageRequest) -> PageView:
    """Show the last day: a verdict with its reasons, the numbers, the last mail."""
    grants = asked.call.caller.grants
    report = show_report(asked.call, ReportPageQuery()) if "metrics/view" in grants else None
    mail = list_messages(asked.call, MailQuery(limit=10)).data if "message_events/view" in grants else []
    values = {
        "title": "Overview",
        "verdict": verdict_of(report.total) if report is not None else None,
        "total": report.total if report is not None else None,
        "notes": _notes(report),
        "mail": mail,
    }
    return PageView("overview.html", values, cli="angarium report", api="/manage/v1/reports")


def _notes(report: MailReportView | None) -> list[str]:
    return list(report.notes) if report is not None else []


def verdict_of(total: ReportRowView) -> MailVerdict:
    """Return how the mail of a period fared. Pure."""
    accepted = total.counts.get("accepted") or 0
    delivered = total.counts.get("delivered") or 0
    if not accepted and not delivered:
        return MailVerdict("good", "No mail in the last 24 hours.", ())
    if accepted < _FEW:
        return MailVerdict("good", f"{delivered:,} of {accepted:,} delivered; too few to say more.", ())
    found = [
        reason
        for name, limits, what in (
            ("bounced", _BOUNCES, "bounced"),
            ("complained", _COMPLAINTS, "complained"),
        )
        if (reason := _reason(total, name, limits, what)) is not None
    ]
    if not found:
        return MailVerdict("good", f"Mail goes well: {delivered:,} of {accepted:,} delivered.", ())
    is_bad = any(tone == "bad" for tone, _ in found)
    text = "Something is wrong with the mail." if is_bad else "Something wants to be looked at."
    return MailVerdict("bad" if is_bad else "warn", text, tuple(reason for _, reason in found))


def _reason(
    total: ReportRowView, name: str, limits: tuple[float, float], what: str
) -> tuple[str, str] | None:
    rate = total.rates.get(name)
    if rate is None or rate.share is None or rate.of < _FEW or rate.share < limits[1]:
        return None
    tone = "bad" if rate.share >= limits[0] else "warn"
    return tone, f"{rate.share * 100:.2f} % {what} ({rate.count:,} of {rate.of:,})"
