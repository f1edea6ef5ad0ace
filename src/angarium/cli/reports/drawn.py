"""A report as people read it: a card of one thing, or a table with bars. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from angarium.cli.tables import Cell, Column, Row, Tone, Toned
from angarium.events.reports.model import Latency, MailReport, ReportRate, ReportRow, TopReply

NOT_MEASURED: Final = "-"
BAR: Final = 20
"""Characters of the longest bar."""

_CATEGORIES: Final = ("hard", "soft", "block", "admin", "undetermined")
_CARD: Final = (
    ("accepted", "accepted", ""),
    ("delivered", "delivered", "delivered"),
    ("bounced", "bounced", "bounced"),
    *((f"bounced_{each}", f"  {each}", "") for each in _CATEGORIES),
    ("delayed_first", "delayed", "delayed"),
    ("expired", "expired", ""),
    ("suppressed", "suppressed", ""),
    ("cancelled", "cancelled", ""),
    ("ambiguous", "ambiguous", ""),
    ("late_bounces", "bounced late", "returned"),
    ("complaints", "complaints", "complained"),
    ("unsubscribes", "unsubscribed", "unsubscribed"),
    ("unique_opens", "opened", "opened"),
    ("unique_clicks", "clicked", "clicked"),
    ("machine_opens", "opened by machines", ""),
    ("rejected", "refused at the door", ""),
)
_ALWAYS: Final = ("accepted", "delivered", "bounced", "delayed_first")
_STATES: Final = (
    "accepted",
    "delivered",
    "returned",
    "bounced",
    "expired",
    "suppressed",
    "cancelled",
    "waiting",
)
_TONES: Final[dict[str, Tone]] = {
    "delivered": "good",
    "bounced": "bad",
    "late_bounces": "bad",
    "complaints": "bad",
    "delayed_first": "warn",
    "expired": "bad",
    "waiting": "warn",
    "returned": "bad",
}


def heading(report: MailReport, zone: tzinfo, asked: str) -> list[Cell]:
    """Say what the report is about."""
    basis = "what has become of the mail accepted" if report.basis == "acceptance" else "what happened"
    of = f" to {asked}" if asked else ""
    period = f"from {moment(report.since_at, zone)} to {moment(report.until_at, zone)}"
    return [Toned(f"{basis[0].upper()}{basis[1:]}{of}, {period} ({report.zone})", "bright")]


def card(report: MailReport, full: str) -> list[Row]:
    """Return the rows of a card: name, number, share, bar; *full* is a piece of a bar."""
    total = report.total
    if report.basis == "acceptance":
        return [_state(name, total, full) for name in _STATES]
    return [
        _named(name, shown, total.counts.get(name), total.rates.get(rate), full)
        for name, shown, rate in _CARD
        if name in _ALWAYS or total.counts.get(name)
    ]


CARD_COLUMNS: Final = (Column(""), Column("", numeric=True), Column("", numeric=True), Column(""))


def _state(name: str, total: ReportRow, full: str) -> Row:
    count, of = total.counts.get(name), total.counts.get("accepted") or 0
    share = ReportRate(count or 0, of, (count or 0) / of if of else None) if name != "accepted" else None
    return _named(name, name, count, share, full)


def _named(name: str, shown: str, count: int | None, rate: ReportRate | None, full: str) -> Row:
    tone = _TONES.get(name, "") if count else ""
    bar = "" if rate is None or rate.share is None else full * round(min(1.0, rate.share) * BAR)
    return Row([shown, Toned(number(count), tone), percent(rate), Toned(bar, tone)])


def latency_told(latency: Latency | None) -> list[Cell]:
    """Say how long delivery took."""
    if latency is None:
        return []
    return [
        f"delivered within {seconds(latency.p50_s)} for half of it, {seconds(latency.p95_s)} for 95 %, "
        f"{seconds(latency.p99_s)} for 99 %"
    ]


def replies_told(replies: Sequence[TopReply]) -> Iterator[Cell]:
    """Say what peers answer most often."""
    if replies:
        yield ""
        yield Toned("What peers said most often:", "bright")
    widest = max((len(number(each.count)) for each in replies), default=0)
    for each in replies:
        reason = f" ({each.reason})" if each.reason else ""
        tone: Tone = "warn" if each.kind == "delayed" else "bad"
        yield Toned(f"{number(each.count).rjust(widest)} {each.kind}: {each.pattern}{reason}", tone)


def columns(report: MailReport) -> list[Column]:
    """Return the columns of a table of rows."""
    titles = ["WHEN"] if report.per else []
    named = [Column(report.by.upper(), flexible=True)] if report.by else []
    if report.basis == "acceptance":
        counts = [Column(name.upper(), numeric=True) for name in _shown_states(report)]
    else:
        names = ["ACCEPTED"] if _has_accepted(report) else []
        names += ["DELIVERED", "%", "BOUNCED", "DELAYED", "P95"]
        counts = [Column(name, numeric=True) for name in names]
    return [*(Column(title) for title in titles), *named, *counts, Column("", yields=False)]


def table(report: MailReport, zone: tzinfo, full: str) -> list[Row]:
    """Return a row for each of the report's, with a bar of its size."""
    most = max((size_of(row) for row in report.rows), default=0)
    return [_row(report, row, zone, full, most) for row in report.rows]


def _row(report: MailReport, row: ReportRow, zone: tzinfo, full: str, most: int) -> Row:
    when: list[Cell] = [when_of(row.at, report.per, zone)] if row.at is not None else []
    name: list[Cell] = [Toned(value_of(row), "dim" if row.is_others else "")] if report.by else []
    bar = full * round(size_of(row) / most * BAR / 2) if most else ""
    tail = f"{bar} so far".strip() if row.is_unfinished else bar
    return Row([*when, *name, *_numbers(report, row), Toned(tail, "dim")])


def _numbers(report: MailReport, row: ReportRow) -> list[Cell]:
    if report.basis == "acceptance":
        return [Toned(number(row.counts.get(name)), _tone(name, row)) for name in _shown_states(report)]
    first: list[Cell] = [number(row.counts.get("accepted"))] if _has_accepted(report) else []
    latency = row.latency
    return [
        *first,
        number(row.counts.get("delivered")),
        percent(row.rates.get("delivered"), least=1),
        Toned(number(row.counts.get("bounced")), _tone("bounced", row)),
        Toned(number(row.counts.get("delayed_first")), _tone("delayed_first", row)),
        seconds(latency.p95_s) if latency else NOT_MEASURED,
    ]


def _shown_states(report: MailReport) -> list[str]:
    """Return the states that have a column: those that there always are, and those that there are."""
    always = ("accepted", "delivered", "bounced", "waiting")
    return [name for name in _STATES if name in always or report.total.counts.get(name)]


def _has_accepted(report: MailReport) -> bool:
    return report.total.counts.get("accepted") is not None


def _tone(name: str, row: ReportRow) -> Tone:
    return _TONES.get(name, "") if row.counts.get(name) else ""


def size_of(row: ReportRow) -> int:
    """Return how much mail a row is about."""
    counts = row.counts
    return counts.get("accepted") or (counts.get("delivered") or 0) + (counts.get("bounced") or 0)


def value_of(row: ReportRow) -> str:
    """Return what a row is called."""
    return "(all others)" if row.is_others else row.value or "(none)"


def number(count: int | None) -> str:
    """Return a number for reading; a stroke for what is not measured."""
    return NOT_MEASURED if count is None else f"{count:,}"


def percent(rate: ReportRate | None, least: int = 100) -> str:
    """Return a share with one digit; of less than *least*, the two numbers."""
    if rate is None or rate.share is None:
        return NOT_MEASURED if rate is not None else ""
    if rate.of < least:
        return f"{rate.count} of {rate.of}"
    text = f"{rate.share * 100:.1f}"
    return f"{text} %" if text != "100.0" or rate.share == 1 else "99.9 %"


def seconds(value: float) -> str:
    """Return a length of time in two digits: `32 ms`, `1.4 s`, `2.5 min`."""
    for limit, factor, unit in (
        (1, 1000, "ms"),
        (60, 1, "s"),
        (3600, 1 / 60, "min"),
        (172_800, 1 / 3600, "h"),
    ):
        if value < limit:
            return _two_digits(value * factor, unit)
    return _two_digits(value / 86_400, "d")


def _two_digits(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def moment(at: float, zone: tzinfo) -> str:
    """Return a time to the minute."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")


def when_of(at: float, per: str | None, zone: tzinfo) -> str:
    """Return when a bucket begins, as short as its unit lets it be; an hour that comes twice has its offset."""
    there = datetime.fromtimestamp(at, zone)
    if per == "day":
        return there.strftime("%a %Y-%m-%d")
    again = there.replace(fold=1 - there.fold)
    is_twice = again.astimezone(UTC) != there.astimezone(UTC) and again.utcoffset() != there.utcoffset()
    return there.strftime("%m-%d %H:%M%z" if is_twice and _is_real(again, zone) else "%m-%d %H:%M")


def _is_real(there: datetime, zone: tzinfo) -> bool:
    """Whether a clock shows this time at all: an hour that is left out in spring is none that comes twice."""
    return there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == there.replace(tzinfo=None)


def notes_told(notes: Iterable[str]) -> list[Cell]:
    """Return what the numbers do not have."""
    return [Toned(f"Note: {note}.", "warn") for note in notes]
