"""Postmark's API: how much was sent and how it fared, by days, which are Eastern."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from angarium.dialects.agents import read_agent
from angarium.dialects.postmark.dates import day, eastern
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.events.port import Happening
from angarium.events.reports.model import MailReport, ReportQuery, ReportRow
from angarium.feedback.bounces import bounce_of, newest_first
from angarium.http.postmark.call import PostmarkCall
from angarium.http.postmark.readers import Kind, read_by_people
from angarium.query.nodes import Equal, Node
from angarium.query.parser import all_of
from angarium.query.words import folded

QUERY: Final = 900
_LONGEST_S: Final = 3 * 366 * 86_400.0
"""So far back it is looked where nobody says how far."""

Counts = Mapping[str, int | None]


class StatsQuery(Given):
    """Of which mail, and from the first day to the last."""

    tag: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    message_stream: str | None = None


def show_overview(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Tell the sums of all."""
    counts = _report(call, query, by_day=False).total.counts
    sent, bounced, complaints = _of(counts, "accepted"), _bounced(counts), _of(counts, "complaints")
    opens = read_by_people(call, "open", _mail(query), *_period(call, query))
    agents = [read_agent(str(each.details.get("agent", ""))) for each in opens]
    return {
        "Sent": sent,
        "Bounced": bounced,
        "SMTPApiErrors": _types(call, query)["SMTPApiError"].total(),
        "BounceRate": _percent(bounced, sent),
        "SpamComplaints": complaints,
        "SpamComplaintsRate": _percent(complaints, sent),
        "Opens": _of(counts, "opens"),
        "UniqueOpens": _of(counts, "unique_opens"),
        "Tracked": _of(counts, "opens_tracked"),
        "WithOpenTracking": _of(counts, "opens_tracked"),
        "WithLinkTracking": _of(counts, "clicks_tracked"),
        "TotalTrackedLinksSent": _of(counts, "clicks_tracked"),
        "UniqueLinksClicked": _of(counts, "unique_clicks"),
        "TotalClicks": _of(counts, "clicks"),
        "WithClientRecorded": sum(bool(agent.client.family) for agent in agents),
        "WithPlatformRecorded": sum(agent.device != "Unknown" for agent in agents),
    }


def show_sends(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count what was sent, by days."""
    return _by_days(call, query, {"Sent": lambda counts: _of(counts, "accepted")})


def show_complaints(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count complaints, by days."""
    return _by_days(call, query, {"SpamComplaint": lambda counts: _of(counts, "complaints")})


def show_tracked(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count mail whose opens are seen, by days."""
    return _by_days(call, query, {"Tracked": lambda counts: _of(counts, "opens_tracked")})


def show_opens(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count openings, by days."""
    return _by_days(
        call,
        query,
        {"Opens": lambda counts: _of(counts, "opens"), "Unique": lambda counts: _of(counts, "unique_opens")},
    )


def show_clicks(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count clicks, by days."""
    return _by_days(
        call,
        query,
        {
            "Clicks": lambda counts: _of(counts, "clicks"),
            "Unique": lambda counts: _of(counts, "unique_clicks"),
        },
    )


def show_bounces(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count what has come back, by types and days."""
    return _told(_types(call, query), _TYPES)


def show_platforms(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count first openings by the device, by days."""
    return _told(_by_agent(call, query, "open", lambda agent: agent.device), (*_DEVICES, "WebMail"))


def show_clients(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count first openings by the program, by days."""
    return _told(_by_agent(call, query, "open", lambda agent: agent.client.family or "Unknown"))


def show_click_platforms(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count first clicks by the device, by days."""
    return _told(_by_agent(call, query, "click", lambda agent: agent.device), _DEVICES)


def show_browsers(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count first clicks by the program, by days."""
    return _told(_by_agent(call, query, "click", lambda agent: agent.client.family or "Unknown"))


def show_places(call: PostmarkCall, query: StatsQuery) -> dict[str, Any]:
    """Count first clicks by the part in which the link stands, by days."""
    found = read_by_people(call, "click", _mail(query), *_period(call, query))
    told = _counted((each.at, "Text" if each.details.get("part") == "text" else "HTML") for each in found)
    return _told(told, ("HTML", "Text"))


_DEVICES: Final = ("Desktop", "Mobile", "Unknown")
_TYPES: Final = ("HardBounce", "SoftBounce", "Transient", "SMTPApiError")


def _types(call: PostmarkCall, query: StatsQuery) -> dict[str, Counter[str]]:
    """Count what has come back by type and day; of the types that Postmark does not tell here each is the nearest."""
    since, until = _period(call, query)
    found = newest_first(call.events, all_of(_mail(query)), call.whose, since=since)
    return _counted((each.at, _type(each)) for each in found if each.at < until)


def _type(happening: Happening) -> str:
    type = bounce_of(happening).postmark
    if type in _TYPES or type in ("SpamComplaint", "Unsubscribe", "AutoResponder", ""):
        return type
    return "Transient" if type == "DnsError" else "SoftBounce"


def _by_agent(
    call: PostmarkCall, query: StatsQuery, kind: Kind, name: Callable[[Any], str]
) -> dict[str, Counter[str]]:
    found = read_by_people(call, kind, _mail(query), *_period(call, query))
    return _counted((each.at, name(read_agent(str(each.details.get("agent", ""))))) for each in found)


def _counted(found: Iterable[tuple[float, str]]) -> dict[str, Counter[str]]:
    """Return how many there are, by name and day."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in _TYPES}
    for at, name in found:
        counts.setdefault(name, Counter())[day(at)] += 1
    return counts


def _told(counts: Mapping[str, Counter[str]], names: Iterable[str] = ()) -> dict[str, Any]:
    """Return counts as Postmark tells them: those of *names*, or of whatever there is, and days that have any."""
    shown = tuple(names) or tuple(name for name, by_day in counts.items() if by_day)
    days = sorted({each for name in shown for each in counts.get(name, ())})
    rows = [
        {
            "Date": each,
            **{name: counts.get(name, Counter())[each] for name in shown if names or counts[name][each]},
        }
        for each in days
    ]
    return {"Days": rows, **{name: counts.get(name, Counter()).total() for name in shown}}


def _by_days(
    call: PostmarkCall, query: StatsQuery, shown: Mapping[str, Callable[[Counts], int]]
) -> dict[str, Any]:
    report = _report(call, query, by_day=True)

    def row(each: ReportRow) -> dict[str, Any]:
        return {name: count(each.counts) for name, count in shown.items()}

    days = [{"Date": day(each.at or 0.0), **row(each)} for each in report.rows if any(row(each).values())]
    return {"Days": days, **row(report.total)}


def _report(call: PostmarkCall, query: StatsQuery, *, by_day: bool) -> MailReport:
    since, until = _period(call, query)
    asked = ReportQuery(
        since,
        until,
        per="day" if by_day else None,
        zone=eastern(),
        node=all_of(_mail(query)),
        scope=call.whose,
        tells_tracked=True,
    )
    return call.reports.report(asked, call.clock.now())


def _period(call: PostmarkCall, query: StatsQuery) -> tuple[float, float]:
    now = call.clock.now()
    since, until = call.bounds(query.from_date, query.to_date, QUERY)
    since = now - _LONGEST_S if since is None else since
    until = now + 1.0 if until is None else until
    if since >= until:
        raise PostmarkProblem(QUERY, "The 'fromdate' must not be after the 'todate'.")
    return max(since, until - _LONGEST_S), until


def _mail(query: StatsQuery) -> list[Node]:
    said = (("tag", query.tag), ("stream", query.message_stream))
    return [Equal(field, folded(text)) for field, text in said if text is not None]


def _bounced(counts: Counts) -> int:
    return _of(counts, "bounced") + _of(counts, "late_bounces")


def _of(counts: Counts, name: str) -> int:
    return counts.get(name) or 0


def _percent(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 2) if whole else 0.0
