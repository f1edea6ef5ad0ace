"""The manage API: what became of messages, and everything that happened, as the recorder has kept it."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from angarium.core.ids import parse_id
from angarium.events.fields import MAIL
from angarium.events.port import FoundMail, Happening, NoSuchPlace
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.bodies import Id
from angarium.http.manage.call import Call, LimitQuery
from angarium.http.manage.shapes import EventNumber, MessagePlace, QueryText
from angarium.http.manage.views import Page
from angarium.query.nodes import Node
from angarium.query.parser import parse
from angarium.query.problem import QueryProblem
from angarium.query.values import Now
from angarium.sql.errors import NotFound

MOST_COUNTED: Final = 10_000


class MailQuery(LimitQuery):
    """What mail is looked for; without `query` all of it. With `count`, how much there is, as well."""

    query: QueryText = ""
    after: MessagePlace | None = None
    account: Id | None = None
    count: bool = False


class EventsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What happened after the event numbered `after`, to mail that `query` finds."""

    query: QueryText = ""
    after: EventNumber = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    account: Id | None = None


class OneQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose message it is; without `account` one that the key may see."""

    account: Id | None = None


class MailView(msgspec.Struct, frozen=True):
    """One recipient of one message. *index* is its number in the message; *reason* says in a word why it failed."""

    message: str
    index: int
    accepted_at: datetime
    address: str
    sender: str
    author: str
    subject: str
    message_id: str
    size: int
    account: int
    server: int
    stream: str
    campaign: str
    tags: list[str]
    metadata: dict[str, Any]
    domain: str
    binding: str
    listener: str
    status: str
    changed_at: datetime
    next_try_at: datetime | None
    attempts: int
    reply: str
    reason: str


class Total(msgspec.Struct, frozen=True):
    """How many there are, counted up to 10,000; *is_more* says that there are more."""

    count: int
    is_more: bool


class MailPage(msgspec.Struct, frozen=True):
    """The newest first. *next* is the path of the page after it, null at the end; *total* is told when asked for."""

    data: list[MailView]
    next: str | None
    total: Total | None


class EventView(msgspec.Struct, frozen=True):
    """One thing that happened. *index* and *address* are the recipient's, null and empty where it is about all of the
    message, or none. *account*, *server* and *stream* say whose mail it is, 0 and empty for nobody's, *domain* and
    *binding* the queue, *provider* whose host was tried. *details* are what its type says.
    """

    number: int
    type: str
    at: datetime
    message: str | None
    index: int | None
    address: str
    reply: str
    reason: str
    details: dict[str, Any]
    account: int
    server: int
    stream: str
    domain: str
    binding: str
    provider: str


class MessageView(msgspec.Struct, frozen=True):
    """All that is known of one message: its recipients, and everything that happened, in order."""

    id: str
    recipients: list[MailView]
    events: list[EventView]


def list_messages(call: Call, query: MailQuery) -> MailPage:
    """Search mail, newest first, in the language of docs/search.md."""
    node, whose = _meant(query.query), call.whose(query.account)
    try:
        page = call.events.search(node, whose, limit=query.limit, after=query.after)
    except NoSuchPlace as error:
        raise HttpProblem("invalid", str(error), [FieldError("after", str(error))]) from error
    count = call.events.count(node, whose, most=MOST_COUNTED + 1) if query.count else None
    total = None if count is None else Total(min(count, MOST_COUNTED), count > MOST_COUNTED)
    return MailPage([mail_view(mail) for mail in page.found], page.next and call.next_path(page.next), total)


def show_message(call: Call, message: str, query: OneQuery) -> MessageView:
    """Tell all that is known of a message. It is named by its id, as 32 hex digits or as a UUID."""
    try:
        name = parse_id(message)
    except ValueError as error:
        raise NotFound(f"message {message}") from error
    found = call.events.timeline(name, call.whose(query.account))
    if found is None:
        raise NotFound(f"message {message}")
    recipients = [mail_view(mail) for mail in found.recipients]
    return MessageView(name.hex(), recipients, [event_view(each) for each in found.happenings])


def list_events(call: Call, query: EventsQuery) -> Page[EventView]:
    """List what happened, oldest first: to all mail, or to mail that a query finds.

    Each event has a number that only grows: who asks again after the last that he has got misses nothing and gets
    nothing twice.
    """
    found = call.events.log(
        _meant(query.query), call.whose(query.account), after=query.after, limit=query.limit
    )
    more = len(found) == query.limit
    return Page([event_view(each) for each in found], call.next_path(found[-1].number) if more else None)


def mail_view(mail: FoundMail) -> MailView:
    """Return a recipient of a message as it is shown."""
    fields = msgspec.structs.asdict(mail)
    at, due_at, status = fields.pop("at"), fields.pop("due_at"), fields.pop("state")
    fields["changed_at"] = _moment(mail.changed_at)
    next_try_at = None if due_at is None else _moment(due_at)
    return MailView(**fields, accepted_at=_moment(at), status=status, next_try_at=next_try_at)


def event_view(happening: Happening) -> EventView:
    """Return something that happened as it is shown."""
    return EventView(**{**msgspec.structs.asdict(happening), "at": _moment(happening.at)})


def _meant(text: str) -> Node:
    """Return what a query means, with days of UTC. Raises HttpProblem, which points at what is wrong."""
    try:
        return parse(text, MAIL, Now(time.time()))
    except QueryProblem as problem:
        wrong = FieldError("query", str(problem), problem.at, problem.pointed())
        raise HttpProblem("invalid", f"query: {problem}", [wrong]) from problem


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
