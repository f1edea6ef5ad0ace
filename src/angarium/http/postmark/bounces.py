"""Postmark's API: what has come back."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from angarium.dialects.postmark.events import BounceType, bounce
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.events.port import Happening
from angarium.events.reports.model import ReportQuery
from angarium.feedback.bounces import Bounce, bounce_numbered, bounce_of, newest_first, undo
from angarium.feedback.vendors import PostmarkType, postmark_types
from angarium.http.postmark.call import MOST_LISTED, PostmarkCall, Within, page_of
from angarium.http.postmark.of_message import MessageFinder
from angarium.http.postmark.suppressions import is_suppressed
from angarium.query.nodes import Equal, Everything
from angarium.query.parser import all_of
from angarium.query.words import folded
from angarium.sql.errors import Invalid
from angarium.suppressions.address import address_of
from angarium.suppressions.records import CauseFilter

QUERY: Final = 1000
MISSING: Final = 1001
_NO_ACTIVATION: Final = 1003
_DIALOGUE: Final = "dialogue"


class BouncesAsked(Within):
    """Which bounces are listed."""

    type: str | None = None
    inactive: bool | None = None
    email_filter: str | None = None
    message_id: str | None = None


def list_bounces(call: PostmarkCall, query: BouncesAsked) -> dict[str, Any]:
    """List bounces and complaints, the newest first."""
    count, offset = page_of(query, QUERY)
    found = list(islice(_asked(call, query), MOST_LISTED))
    finder = MessageFinder(call)
    shown = [bounce_view(call, each, finder) for each in found[offset : offset + count]]
    return {"TotalCount": len(found), "Bounces": shown}


def show_bounce(call: PostmarkCall, bounce: int) -> dict[str, Any]:
    """Show a bounce, with what was said."""
    found = _found(call, bounce)
    return {**bounce_view(call, found, MessageFinder(call)), "Content": dump_of(found)}


def dump_bounce(call: PostmarkCall, bounce: int) -> dict[str, Any]:
    """Tell the conversation with the peer that refused, or the answer where that is all that is known."""
    return {"Body": dump_of(_found(call, bounce))}


def activate_bounce(call: PostmarkCall, bounce: int) -> dict[str, Any]:
    """Let an address have mail again."""
    found = _found(call, bounce)
    told = bounce_of(found)
    if told.postmark == "SpamComplaint":
        raise PostmarkProblem(_NO_ACTIVATION, "This address has complained and cannot be activated.")
    try:
        what = address_of(found.address)
    except Invalid as error:
        raise PostmarkProblem(
            _NO_ACTIVATION, "This bounce names no address that could be activated."
        ) from error
    undo(told, what, call.store.suppressions, call.store.suppression_notes, actor=call.actor)
    return {"Message": "OK", "Bounce": bounce_view(call, found, MessageFinder(call))}


def list_tags(call: PostmarkCall) -> list[str]:
    """List the tags of mail that has bounced."""
    now = call.clock.now()
    report = call.reports.report(ReportQuery(0.0, now, by="tag", scope=call.whose), now)
    return sorted(row.value for row in report.rows if row.value and row.counts.get("bounced"))


def show_delivery_stats(call: PostmarkCall) -> dict[str, Any]:
    """Count bounces by their type, and the addresses that get no mail."""
    named: Counter[str] = Counter()
    for each in islice(_asked(call, BouncesAsked()), MOST_LISTED):
        named[bounce_of(each).postmark] += 1
    types = postmark_types()
    rows = [
        {"Type": name, "TypeCode": types[name].code, "Name": types[name].title, "Count": count}
        for name, count in sorted(named.items(), key=lambda item: types[item[0]].code)
    ]
    inactive = CauseFilter(accounts=(call.account,), effect="suppress", standing_at=call.clock.now())
    everything = {"Type": "All", "TypeCode": 0, "Name": "All", "Count": named.total()}
    return {"InactiveMails": call.store.suppressions.count(inactive), "Bounces": [everything, *rows]}


def bounce_view(call: PostmarkCall, happening: Happening, finder: MessageFinder) -> dict[str, Any]:
    """Return a bounce as Postmark shows it."""
    told = bounce_of(happening)
    type = postmark_types()[told.postmark]
    return bounce(
        finder.of(told.message),
        id=told.id,
        type=BounceType(type.name, type.code, type.title),
        reply=told.reply,
        email=told.address,
        at=told.at,
        is_inactive=is_suppressed(call, told.address, told.stream),
        has_dump=bool(dump_of(happening)),
    )


def dump_of(happening: Happening) -> str:
    """Return what was said, line by line; of mail that came back the beginning of its text."""
    attempt = happening.details.get("attempt")
    lines = attempt.get(_DIALOGUE) if isinstance(attempt, dict) else None
    if lines:
        return "\n".join(str(line) for line in lines)
    return str(happening.details.get("text") or happening.reply)


def _asked(call: PostmarkCall, query: BouncesAsked) -> Iterator[Happening]:
    parts = call.mail(query)
    if query.message_id is not None:
        parts.append(Equal("id", folded(query.message_id)))
    since, until = call.period(query, QUERY)
    wanted = _type(query.type)
    for happening in newest_first(call.events, all_of(parts), call.whose, since=since):
        if happening.at < until and _is_asked(call, query, happening, wanted):
            yield happening


def _is_asked(call: PostmarkCall, query: BouncesAsked, happening: Happening, wanted: str | None) -> bool:
    if query.email_filter is not None and query.email_filter.lower() not in happening.address.lower():
        return False
    told: Bounce = bounce_of(happening)
    if not told.postmark or wanted not in (None, told.postmark):
        return False
    return query.inactive is None or is_suppressed(call, told.address, told.stream) == query.inactive


def _type(said: str | None) -> str | None:
    if said is None or said.lower() == "all":
        return None
    by_name: dict[str, PostmarkType] = {name.lower(): type for name, type in postmark_types().items()}
    by_code = {str(type.code): type for type in postmark_types().values()}
    found = by_name.get(said.lower()) or by_code.get(said)
    if found is None:
        raise PostmarkProblem(QUERY, f"{said[:40]!r} is no type of bounce, such as HardBounce.")
    return found.name


def _found(call: PostmarkCall, number: int) -> Happening:
    found = bounce_numbered(call.events, Everything(), call.whose, number) if 0 < number < 1 << 62 else None
    if found is None or not bounce_of(found).postmark:
        raise PostmarkProblem(MISSING, f"The bounce {number} was not found.")
    return found
