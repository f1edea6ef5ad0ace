"""The manage API: what became of messages, and everything that happened, as the recorder has kept it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from angarium.core.ids import MessageId, parse_id
from angarium.core.records import TERMINAL
from angarium.core.suggest import closest
from angarium.events.catalogue import KINDS
from angarium.events.exporting import all_events, all_mail
from angarium.events.fields import MAIL
from angarium.events.port import NoSuchPlace
from angarium.events.views import EventView, MailView, event_view, mail_view
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.bodies import Id
from angarium.http.manage.call import Call
from angarium.http.manage.shapes import EventNumber, EventTypes, MessagePlace, QueryText, ZoneName
from angarium.http.manage.waiting import WaitView, waits_of
from angarium.query.nodes import Equal, Node
from angarium.query.parser import parse
from angarium.query.problem import QueryProblem
from angarium.query.values import Now
from angarium.query.words import folded
from angarium.sql.errors import NotFound

T = TypeVar("T")

MOST_COUNTED: Final = 10_000
LONGEST_WAIT_S: Final = 60

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Wait = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_S)]


class MailAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What mail it is about; without `query` all of it. Days in it are those of `zone`, such as `Europe/Berlin`;
    without, those of the account that it is about, or that the key is of.
    """

    query: QueryText = ""
    zone: ZoneName = ""
    account: Id | None = None


class MailQuery(MailAsked):
    """What mail is looked for. With `count`, how much there is, as well."""

    after: MessagePlace | None = None
    limit: Limit = 100
    count: bool = False


class EventsAsked(MailAsked):
    """What happened after the event numbered `after`, of these `types` (parted by commas; without, of all)."""

    after: EventNumber = 0
    types: EventTypes = ""


class EventsQuery(MailAsked):
    """A page of what happened after the event numbered `after`, of these `types`. Where there is nothing, it is waited
    for, up to `wait` seconds.
    """

    after: EventNumber = 0
    types: EventTypes = ""
    limit: Limit = 100
    wait: Wait = 0


class OneQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose message it is; without `account` one that the key may see."""

    account: Id | None = None


class Total(msgspec.Struct, frozen=True):
    """How many there are, counted up to 10,000; *is_more* says that there are more."""

    count: int
    is_more: bool


class MailPage(msgspec.Struct, frozen=True):
    """The newest first. *next* is the path of the page after it, null at the end; *total* is told when asked for."""

    data: list[MailView]
    next: str | None
    total: Total | None


class EventsPage(msgspec.Struct, frozen=True):
    """The oldest first. *next* is the path that goes on behind it, whenever it is asked; *last* is the number up to
    which all has been told; *is_more* says that there is more already.
    """

    data: list[EventView]
    next: str
    last: int
    is_more: bool


class MessageView(msgspec.Struct, frozen=True):
    """All that is known of one message: its recipients, and everything that happened, in order. *waits* says of those
    that have not ended what holds them now, and *problems* what is missing of that.
    """

    id: str
    recipients: list[MailView]
    events: list[EventView]
    waits: list[WaitView] = []
    problems: list[str] = []


def list_messages(call: Call, query: MailQuery) -> MailPage:
    """Search mail, newest first, in the language of docs/search.md."""
    node, whose = meant(call, query), call.whose(query.account)
    try:
        page = call.events.search(node, whose, limit=query.limit, after=query.after)
    except NoSuchPlace as error:
        raise HttpProblem("invalid", str(error), [FieldError("after", str(error))]) from error
    count = call.events.count(node, whose, most=MOST_COUNTED + 1) if query.count else None
    total = None if count is None else Total(min(count, MOST_COUNTED), count > MOST_COUNTED)
    return MailPage([mail_view(mail) for mail in page.found], page.next and call.next_path(page.next), total)


async def export_messages(call: Call, query: MailAsked) -> AsyncIterator[MailView]:
    """Tell all mail that a query finds, newest first, one recipient a line."""
    node, whose = await asyncio.to_thread(meant, call, query), call.whose(query.account)
    async for page in _threaded(all_mail(call.events, node, whose)):
        for mail in page:
            yield mail_view(mail)


async def show_message(call: Call, message: str, query: OneQuery) -> MessageView:
    """Tell all that is known of a message, and what holds it now. It is named by its id, as 32 hex digits or as a UUID,
    or by its Message-ID; of several that have the same, the newest is told.
    """
    story = await asyncio.to_thread(story_of, call, message, query)
    if all(each.status in TERMINAL for each in story.recipients):
        return story
    waits = await waits_of(call.asking, parse_id(story.id), is_operator=call.operator)
    return msgspec.structs.replace(story, **waits._asdict())


def story_of(call: Call, message: str, query: OneQuery) -> MessageView:
    """Return what was recorded of a message. Raises NotFound."""
    name = _named(call, message, query)
    found = call.events.timeline(name, call.whose(query.account))
    if found is None:
        raise NotFound(f"message {message}")
    recipients = [mail_view(mail) for mail in found.recipients]
    return MessageView(name.hex(), recipients, [event_view(each) for each in found.happenings])


async def show_text(call: Call, message: str, query: OneQuery) -> AsyncIterator[bytes]:
    """Give a message as it was received, where its text is kept (`keep_body_days`)."""
    try:
        name = parse_id(message)
    except ValueError as error:
        raise NotFound(f"message {message}") from error
    kept = await asyncio.to_thread(call.texts.read, name, call.whose(query.account))
    if kept is None:
        raise NotFound(f"text of message {message} that is kept")
    async for piece in _threaded(kept.pieces):
        yield piece


def _named(call: Call, message: str, query: OneQuery) -> MessageId:
    try:
        return parse_id(message)
    except ValueError:
        wanted = Equal("id", folded(message.strip("<>")))
    page = call.events.search(wanted, call.whose(query.account), limit=1)
    if not page.found:
        raise NotFound(f"message {message}")
    return parse_id(page.found[0].message)


async def list_events(call: Call, query: EventsQuery) -> EventsPage:
    """List what happened, oldest first: to all mail, or to mail that a query finds.

    Each event has a number that only grows: who goes on with `next`, at once or some day, misses nothing and gets
    nothing twice.
    """
    until = asyncio.get_running_loop().time() + query.wait
    after = query.after
    while True:
        coming = call.news.coming()
        page = await asyncio.to_thread(_events, call, query, after)
        after = page.last
        left_s = until - asyncio.get_running_loop().time()
        if page.data or not await call.news.wait(coming, left_s):
            return page


async def export_events(call: Call, query: EventsAsked) -> AsyncIterator[EventView]:
    """Tell everything that happened up to now, oldest first, one event a line."""
    node, whose, types = (
        await asyncio.to_thread(meant, call, query),
        call.whose(query.account),
        _types(query.types),
    )
    upto = await asyncio.to_thread(call.events.last)
    pages = all_events(call.events, node, whose, after=query.after, upto=upto, types=types)
    async for page in _threaded(pages):
        for each in page:
            yield event_view(each)


def _events(call: Call, query: EventsQuery, after: int) -> EventsPage:
    node, whose, types = meant(call, query), call.whose(query.account), _types(query.types)
    last = call.events.last()
    found = call.events.log(node, whose, after=after, limit=query.limit, types=types)
    is_more = len(found) == query.limit
    last = found[-1].number if is_more else max([last, after, *(each.number for each in found[-1:])])
    return EventsPage([event_view(each) for each in found], call.next_path(last), last, is_more)


async def _threaded(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield *items*, each of which is waited for in a thread."""
    none = object()
    while (item := await asyncio.to_thread(next, items, none)) is not none:
        yield item  # type: ignore[misc]


def zone_of(call: Call, asked: MailAsked) -> ZoneInfo:
    """Return the time zone that is asked for, else that of the account that it is about. Raises HttpProblem."""
    name = asked.zone or call.zone(asked.account)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        said = f"{name!r} is no time zone that is known here; write one such as Europe/Berlin"
        raise HttpProblem("invalid", f"zone: {said}", [FieldError("zone", said)]) from error


def meant(call: Call, asked: MailAsked) -> Node:
    """Return what a query means. Raises HttpProblem, which points at what is wrong."""
    zone = zone_of(call, asked)
    try:
        return parse(asked.query, MAIL, Now(time.time(), zone))
    except QueryProblem as problem:
        wrong = FieldError("query", str(problem), problem.at, problem.pointed())
        raise HttpProblem("invalid", f"query: {problem}", [wrong]) from problem


def _types(text: str) -> Sequence[str]:
    """Return the types that are named. Raises HttpProblem."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        near = closest(unknown[0], KINDS)
        said = f"{unknown[0]} is no type of event; " + (
            f"did you mean {near}?" if near else f"known are: {', '.join(KINDS)}"
        )
        raise HttpProblem("invalid", f"types: {said}", [FieldError("types", said)])
    return names
