"""The manage API: what has come back, what has followed from it, and suppressions that are held."""

import time
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Final

import msgspec

from angarium.core.ids import format_id, parse_id
from angarium.events.port import Happening
from angarium.feedback.bounces import (
    Bounce,
    BounceCount,
    Group,
    bounce_numbered,
    bounce_of,
    newest_first,
    summarise,
    undo,
)
from angarium.feedback.occurrences import BOUNCE_TYPES
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.bodies import Body, Id
from angarium.http.manage.call import Call
from angarium.http.manage.happened import MailAsked, OneQuery, meant
from angarium.http.manage.shapes import BounceTypes, EventNumber
from angarium.query.nodes import Everything
from angarium.sql.errors import Invalid, NotFound
from angarium.suppressions.address import address_of
from angarium.suppressions.notes import HeldBurst, Note, NoteFilter
from angarium.suppressions.records import Cause, CauseFilter

_MOST_COUNTED: Final = 20_000

Days = Annotated[int, msgspec.Meta(ge=1, le=400)]


class BouncesQuery(MailAsked):
    """What has come back of such mail, before the one with the id `after`; of these `types`, parted by commas."""

    after: EventNumber | None = None
    types: BounceTypes = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class SummaryQuery(MailAsked):
    """What has come back of such mail within so many `days`, counted by what it has in common."""

    by: Group = "class"
    types: BounceTypes = ""
    days: Days = 7


class BounceView(msgspec.Struct, frozen=True):
    """One thing that has come back about one recipient. *follows* is what follows from it by itself, and *why*."""

    id: int
    type: str
    at: datetime
    message: str | None
    index: int | None
    address: str
    domain: str
    provider: str
    account: int
    server: int
    stream: str
    reply: str
    reason: str
    class_number: int
    class_name: str
    category: str
    rule: str
    postmark: str
    follows: str
    why: str


class BouncesPage(msgspec.Struct, frozen=True):
    """The newest first. *next* is the path of the page after it, null at the end."""

    data: list[BounceView]
    next: str | None


class BounceCauseView(msgspec.Struct, frozen=True):
    """A suppression of the address. *stands*: it suppresses; *is_of_it*: by this bounce, and no other."""

    id: int
    reason: str
    scope: str
    at: datetime
    note: str
    stands: bool
    is_of_it: bool


class NoteView(msgspec.Struct, frozen=True):
    """What is remembered of an address, or held. *message* is the one that it failed with."""

    id: int
    state: str
    account: int
    address: str
    at: datetime
    message: str
    rule: str
    why: str
    reply: str
    burst: str


class BounceStory(msgspec.Struct, frozen=True):
    """One bounce, what is known of it (*details*: the attempt, or the mail that it came by), and what has followed."""

    bounce: BounceView
    details: dict[str, Any]
    suppressions: list[BounceCauseView]
    notes: list[NoteView]


class BounceCountView(msgspec.Struct, frozen=True):
    """How many have the same *key*, when the last of them was, and a reply of one."""

    key: str
    count: int
    last_at: datetime
    example: str


class BounceSummaryView(msgspec.Struct, frozen=True):
    """How many there were, the most first. *is_cut*: there were more, and the latest alone are counted."""

    total: int
    groups: list[BounceCountView]
    is_cut: bool


class Activated(msgspec.Struct, frozen=True):
    """How many suppressions were undone, and whether something else still suppresses the address."""

    undone: int
    suppressed: bool


class HeldView(msgspec.Struct, frozen=True):
    """What is held under one key: how many, of the time between, and an answer as an example."""

    burst: str
    count: int
    first_at: datetime
    last_at: datetime
    reply: str


class HeldList(msgspec.Struct, frozen=True):
    """The most first."""

    data: list[HeldView]


class DecideBody(Body):
    """The `burst` whose suppressions are decided upon, without it all that are held; of one `account`, without it of
    all that the key may see.
    """

    burst: str | None = None
    account: Id | None = None


class Decided(msgspec.Struct, frozen=True):
    """How many were released or discarded."""

    changed: int


def list_bounces(call: Call, query: BouncesQuery) -> BouncesPage:
    """List what has come back: failures, complaints, unsubscriptions, automatic answers; newest first."""
    scope = call.whose(query.account)
    types = _types(query.types)
    found = newest_first(call.events, meant(call, query), scope, types=types, before=query.after)
    page = list(islice(found, query.limit + 1))
    shown = [bounce_view(bounce_of(each)) for each in page[: query.limit]]
    return BouncesPage(shown, call.next_path(shown[-1].id) if len(page) > query.limit else None)


def summarise_bounces(call: Call, query: SummaryQuery) -> BounceSummaryView:
    """Count what has come back by class, provider, domain, reply …; the most first."""
    since = time.time() - query.days * 86_400.0
    types = _types(query.types)
    found = newest_first(call.events, meant(call, query), call.whose(query.account), since=since, types=types)
    counted = summarise(found, query.by, _MOST_COUNTED)
    return BounceSummaryView(
        counted.total, [_count_view(each) for each in counted.groups[:500]], counted.is_cut
    )


def show_bounce(call: Call, bounce: int, query: OneQuery) -> BounceStory:
    """Tell of one bounce, with what has followed from it."""
    happening, told, what = _found(call, bounce, query.account)
    causes, notes = list[Cause](), list[Note]()
    if what is not None:
        causes = call.store.suppressions.page(CauseFilter(what=what, accounts=(told.account,)))
        notes = call.store.suppression_notes.page(NoteFilter(account=told.account, what=what))
    return BounceStory(
        bounce_view(told),
        happening.details,
        [_cause_view(each, told) for each in causes],
        [note_view(each) for each in notes],
    )


def activate_bounce(call: Call, bounce: int, query: OneQuery) -> Activated:
    """Undo what has followed from one bounce: the address gets mail again, unless something else suppresses it."""
    _, told, what = _found(call, bounce, query.account)
    if what is None:
        return Activated(0, False)
    store = call.store
    undone, left = undo(told, what, store.suppressions, store.suppression_notes, actor=call.actor)
    return Activated(undone, bool(left))


def list_held(call: Call, query: OneQuery) -> HeldList:
    """List suppressions that are held, since very much of what a provider was sent failed at once."""
    held = call.store.suppression_notes.held(call.listed(query.account))
    return HeldList([_held_view(each) for each in held])


def release_held(call: Call, body: DecideBody) -> Decided:
    """Have what is held suppress, as if it had not come in a burst."""
    chosen = NoteFilter(state="held", burst=body.burst, account=call.listed(body.account))
    return Decided(call.store.suppression_notes.release(chosen, actor=call.actor))


def discard_held(call: Call, body: DecideBody) -> Decided:
    """Forget what is held: the provider had failed, and the addresses are good."""
    chosen = NoteFilter(state="held", burst=body.burst, account=call.listed(body.account))
    return Decided(call.store.suppression_notes.discard(chosen, actor=call.actor))


def _types(text: str) -> list[str]:
    """Return the types that are named. Raises HttpProblem."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in BOUNCE_TYPES:
            said = f"{name} is no type of these; known are: {', '.join(BOUNCE_TYPES)}"
            raise HttpProblem("invalid", f"types: {said}", [FieldError("types", said)])
    return names


def _found(call: Call, number: int, account: int | None) -> tuple[Happening, Bounce, str | None]:
    """Return a bounce, and its address as it is compared; None where that is no address. Raises NotFound."""
    happening = None
    if 0 < number < 1 << 62:
        happening = bounce_numbered(call.events, Everything(), call.whose(account), number)
    if happening is None:
        raise NotFound(f"bounce {number}")
    try:
        what = address_of(happening.address)
    except Invalid:
        what = None
    return happening, bounce_of(happening), what


def bounce_view(bounce: Bounce) -> BounceView:
    """Return a bounce as it is shown."""
    return BounceView(**{**msgspec.structs.asdict(bounce), "at": _moment(bounce.at)})


def note_view(note: Note) -> NoteView:
    """Return a note as it is shown."""
    return NoteView(
        note.id,
        note.state,
        note.account,
        note.what,
        _moment(note.at),
        format_id(note.message),
        note.rule,
        note.why,
        note.reply,
        note.burst,
    )


def _cause_view(cause: Cause, bounce: Bounce) -> BounceCauseView:
    is_of_it = bounce.message is not None and cause.message == parse_id(bounce.message)
    at, stands = _moment(cause.at), cause.stands(time.time())
    return BounceCauseView(cause.id, cause.reason, cause.scope, at, cause.note, stands, is_of_it)


def _count_view(counted: BounceCount) -> BounceCountView:
    return BounceCountView(counted.key, counted.count, _moment(counted.last_at), counted.example)


def _held_view(held: HeldBurst) -> HeldView:
    return HeldView(held.burst, held.count, _moment(held.first_at), _moment(held.last_at), held.reply)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
