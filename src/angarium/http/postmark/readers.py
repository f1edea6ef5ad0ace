"""Postmark's API: who has opened mail and followed links. What programs do is left out, as in all numbers here."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Literal

from angarium.dialects.agents import AgentName, UserAgent, read_agent
from angarium.dialects.postmark.dates import moment
from angarium.dialects.postmark.events import clicked, opened
from angarium.events.port import Happening
from angarium.feedback.bounces import newest_first
from angarium.http.postmark.call import MOST_LISTED, Paged, PostmarkCall, Within, page_of
from angarium.http.postmark.of_message import MessageFinder
from angarium.query.nodes import Equal, Node
from angarium.query.parser import all_of
from angarium.query.words import folded

QUERY: Final = 700
_READ_AT_MOST: Final = 50_000

Kind = Literal["open", "click"]


class OfMessageAsked(Paged):
    """How much of what was done with one message."""


class ReadersAsked(Within):
    """Which are listed."""

    recipient: str | None = None
    client_name: str | None = None
    client_company: str | None = None
    client_family: str | None = None
    os_name: str | None = None
    os_company: str | None = None
    os_family: str | None = None
    platform: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None


def list_opens(call: PostmarkCall, query: ReadersAsked) -> dict[str, Any]:
    """List the first openings of mail by each recipient, the newest first."""
    return _listed(call, "open", query, call.mail(query))


def list_opens_of(call: PostmarkCall, message: str, query: OfMessageAsked) -> dict[str, Any]:
    """List the first openings of one message."""
    return _of_message(call, "open", message, query)


def list_clicks(call: PostmarkCall, query: ReadersAsked) -> dict[str, Any]:
    """List the first clicks on each link by each recipient, the newest first."""
    return _listed(call, "click", query, call.mail(query))


def list_clicks_of(call: PostmarkCall, message: str, query: OfMessageAsked) -> dict[str, Any]:
    """List the first clicks in one message."""
    return _of_message(call, "click", message, query)


def read_by_people(
    call: PostmarkCall, kind: Kind, parts: list[Node], since: float, until: float
) -> list[Happening]:
    """Return what people did then with such mail, each thing for the first time, the newest first."""
    found: dict[tuple[Any, ...], Happening] = {}
    for each in _newest(call, kind, parts, since):
        if each.at < until and "machine" not in each.details:
            found[each.message, each.index, each.details.get("url")] = each
    return sorted(found.values(), key=lambda each: each.number, reverse=True)


def _newest(call: PostmarkCall, kind: Kind, parts: list[Node], since: float) -> Iterator[Happening]:
    found = newest_first(call.events, all_of(parts), call.whose, since=since, types=(kind,))
    return islice(found, _READ_AT_MOST)


def _of_message(call: PostmarkCall, kind: Kind, message: str, query: OfMessageAsked) -> dict[str, Any]:
    asked = ReadersAsked(count=query.count, offset=query.offset)
    return _listed(call, kind, asked, [Equal("id", folded(message))])


def _listed(call: PostmarkCall, kind: Kind, query: ReadersAsked, parts: list[Node]) -> dict[str, Any]:
    count, offset = page_of(query, QUERY)
    found = read_by_people(call, kind, parts, *call.period(query, QUERY))
    meant = [each for each in found if _is_asked(each, query)][:MOST_LISTED]
    finder = MessageFinder(call)
    shown = [_view(kind, each, finder) for each in meant[offset : offset + count]]
    return {"TotalCount": len(meant), "Opens" if kind == "open" else "Clicks": shown}


def _view(kind: Kind, happening: Happening, finder: MessageFinder) -> dict[str, Any]:
    said = str(happening.details.get("agent", ""))
    of, agent, at = finder.of(happening.message), read_agent(said), moment(happening.at)
    if kind == "open":
        return opened(of, recipient=happening.address, agent=agent, user_agent=said, at=at, is_first=True)
    return clicked(
        of,
        recipient=happening.address,
        agent=agent,
        user_agent=said,
        at=at,
        link=str(happening.details.get("url", "")),
        is_html=happening.details.get("part") != "text",
    )


def _is_asked(happening: Happening, query: ReadersAsked) -> bool:
    """Whether it is what *query* is about. Where somebody was is not known: whoever asks for a place finds nothing."""
    if query.country or query.region or query.city:
        return False
    if query.recipient is not None and query.recipient.lower() not in happening.address.lower():
        return False
    agent = read_agent(str(happening.details.get("agent", "")))
    return _is_of(agent, query)


def _is_of(agent: UserAgent, query: ReadersAsked) -> bool:
    asked = (
        (agent.client, query.client_name, query.client_company, query.client_family),
        (agent.system, query.os_name, query.os_company, query.os_family),
    )
    is_device = query.platform is None or query.platform.lower() == agent.device.lower()
    return is_device and all(_is_named(named, *words) for named, *words in asked)


def _is_named(named: AgentName, *words: str | None) -> bool:
    return all(
        said is None or said.lower() == known.lower() for known, said in zip(named, words, strict=True)
    )
