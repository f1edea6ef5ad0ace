"""The manage API: who must not get mail."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import msgspec

from angarium.core.ids import format_id
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.bodies import Body, Id
from angarium.http.manage.call import Call
from angarium.http.manage.shapes import Line, Run, Scope, Suppressed
from angarium.http.manage.views import Page
from angarium.identity import checks
from angarium.sql.errors import Invalid, NotFound
from angarium.suppressions.address import what_of
from angarium.suppressions.records import EVERYTHING, Cause, CauseFilter, NewCause, Origin, Reason

_DAY_S: Final = 86_400.0
_BATCH: Final = 500
_CUSTOMERS: Final[tuple[Reason, ...]] = tuple(each for each in get_args(Reason) if each != "compliance")

Days = Annotated[int, msgspec.Meta(ge=1, le=3_650)]


class SuppressionsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which are meant: of an `account` or all that the key may see; those that suppress now, or with `history` also
    what is undone, lifted or expired. `address` may be a domain or a pattern; `text` is a part of it.
    """

    account: Id | None = None
    address: Suppressed | None = None
    text: Line | None = None
    domain: Line | None = None
    scope: Scope | None = None
    reason: Reason | None = None
    origin: Origin | None = None
    run: Line | None = None
    history: bool = False


class SuppressionsQuery(SuppressionsAsked):
    """A page of them, behind the one with the id `after`."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    after: Id | None = None


class SuppressionsExport(SuppressionsAsked):
    """All of them; one that broke off goes on behind the id `after`."""

    after: Id | None = None


class SuppressionNew(Body):
    """One to be added: an address, a domain (`example.com`, `*.example.com`) or a pattern in slashes; of which mail
    (`scope`), why, and for how many `days`: null is until it is undone. `compliance` is the operator's.
    """

    address: Suppressed
    scope: Scope = EVERYTHING
    reason: Reason = "manual"
    days: Days | None = None
    note: Line = ""


class SuppressionsBody(Body):
    """Those to be added, all or none; what stands already is not added again. `run` names them for an undo in one go.
    `node`: for the mail of all accounts, by the operator.
    """

    suppressions: Annotated[tuple[SuppressionNew, ...], msgspec.Meta(min_length=1, max_length=1000)]
    account: Id | None = None
    run: Run = ""
    node: bool = False


class RemovalBody(Body):
    """What is to be taken off its lists: what had happened by now counts no more. In the scope `*` it is taken off all
    lists of the account.
    """

    addresses: Annotated[tuple[Suppressed, ...], msgspec.Meta(min_length=1, max_length=1000)]
    scope: Scope = EVERYTHING
    account: Id | None = None
    node: bool = False


class UndoBody(Body):
    """What is to be as if it had never been: those with these `ids`, or of which all holds that is said. `removals`:
    undo removals instead. `dry_run` counts them only.
    """

    RULE: ClassVar = {
        "anyOf": [
            {"properties": {field: {"type": kind}}, "required": [field]}
            for field, kind in (
                *(("ids", "array"), ("address", "string"), ("run", "string"), ("event", "integer")),
                *(("provider", "string"), ("bounce_class", "integer"), ("reason", "string")),
            )
        ]
    }

    ids: Annotated[tuple[Id, ...], msgspec.Meta(max_length=1000)] | None = None
    address: Suppressed | None = None
    run: Line | None = None
    event: Id | None = None
    provider: Line | None = None
    bounce_class: Annotated[int, msgspec.Meta(ge=0, le=1_000)] | None = None
    reason: Reason | None = None
    account: Id | None = None
    removals: bool = False
    dry_run: bool = False


class SuppressionView(msgspec.Struct, frozen=True):
    """An entry of the ledger. *account* null: of the node. *stands*: it suppresses now."""

    id: int
    account: int | None
    kind: Literal["address", "domain", "pattern"]
    address: str
    scope: str
    effect: Literal["suppress", "allow"]
    reason: Reason
    origin: Origin
    at: datetime
    made_at: datetime
    expires_at: datetime | None
    stands: bool
    by: str
    message: str | None
    sent_to: str
    event: int | None
    reply: str
    bounce_class: int | None
    provider: str
    run: str
    note: str
    lifted_by: int | None
    undone_at: datetime | None
    undone_by: str


class SuppressionsAdded(msgspec.Struct, frozen=True):
    """The ids of those added, and how many were there already."""

    ids: list[int]
    known: int


class SuppressionsLifted(msgspec.Struct, frozen=True):
    """How many no longer suppress."""

    lifted: int


class SuppressionsUndone(msgspec.Struct, frozen=True):
    """How many were undone, or would be."""

    undone: int
    dry_run: bool


def list_suppressions(call: Call, query: SuppressionsQuery) -> Page[SuppressionView]:
    """List what suppresses now, the oldest first."""
    rows = call.store.suppressions.page(_meant(call, query), query.after, query.limit + 1)
    shown = rows[: query.limit]
    next = call.next_path(shown[-1].id) if len(rows) > query.limit else None
    return Page([_view(call, each) for each in shown], next)


async def export_suppressions(call: Call, query: SuppressionsExport) -> AsyncIterator[SuppressionView]:
    """Tell all of them, the oldest first, one a line."""
    chosen, after = _meant(call, query), query.after
    while page := await asyncio.to_thread(call.store.suppressions.page, chosen, after, _BATCH):
        for each in page:
            yield _view(call, each)
        after = page[-1].id


def show_suppression(call: Call, suppression: int) -> SuppressionView:
    """Show one entry, whether it stands or not."""
    cause = call.store.suppressions.get(suppression)
    call.sees(cause.account, f"suppression {suppression}")
    return _view(call, cause)


def add_suppressions(call: Call, body: SuppressionsBody) -> SuppressionsAdded:
    """Suppress addresses, domains or patterns: mail to them is taken, and ends as suppressed."""
    account, now = _owner(call, body.account, body.node), time.time()
    if any(each.reason == "compliance" for each in body.suppressions):
        call.operators_only("the reason compliance")
    new = [
        NewCause(
            account=account,
            what=each.address,
            scope=_scope(call, each.scope, account),
            reason=each.reason,
            origin="api",
            at=now,
            expires_at=now + each.days * _DAY_S if each.days is not None else None,
            note=checks.text("note", each.note),
            run=checks.text("run", body.run, 60),
        )
        for each in body.suppressions
    ]
    added = call.store.suppressions.add(new, actor=call.actor)
    return SuppressionsAdded(list(added.ids), added.known)


def remove_suppressions(call: Call, body: RemovalBody) -> SuppressionsLifted:
    """Take addresses off their lists; what happens to them from now on suppresses again."""
    account, now = _owner(call, body.account, body.node), time.time()
    scope = _scope(call, body.scope, account)
    reason: Reason = "compliance" if call.operator else "manual"
    entries = [
        NewCause(account=account, what=each, scope=scope, reason=reason, origin="api", at=now)
        for each in body.addresses
    ]
    return SuppressionsLifted(call.store.suppressions.allow(entries, actor=call.actor))


def undo_suppressions(call: Call, body: UndoBody) -> SuppressionsUndone:
    """Make it as if some had never been; what another one suppresses stays suppressed."""
    said: dict[str, Any] = {
        "ids": body.ids,
        "what": _named(body.address),
        "run": _line("run", body.run),
        "event": body.event,
        "provider": _line("provider", body.provider),
        "bounce_class": body.bounce_class,
        "reasons": (body.reason,) if body.reason is not None else None,
    }
    if all(value is None for value in said.values()):
        told = "say which: ids, address, run, event, provider, bounce_class or reason"
        raise HttpProblem("invalid", told, [FieldError("ids", told)])
    if not call.operator:
        said["reasons"] = (body.reason,) if body.reason in _CUSTOMERS else _CUSTOMERS
    chosen = CauseFilter(
        **said,
        accounts=_accounts(call, body.account),
        effect="allow" if body.removals else "suppress",
        undone=False,
    )
    ledger = call.store.suppressions
    count = ledger.count(chosen) if body.dry_run else ledger.undo(chosen, actor=call.actor)
    return SuppressionsUndone(count, body.dry_run)


def _meant(call: Call, asked: SuppressionsAsked) -> CauseFilter:
    return CauseFilter(
        accounts=_accounts(call, asked.account),
        what=_named(asked.address),
        text=_line("text", asked.text),
        domain=_line("domain", asked.domain),
        scopes=(asked.scope,) if asked.scope is not None else None,
        reasons=(asked.reason,) if asked.reason is not None else None,
        origins=(asked.origin,) if asked.origin is not None else None,
        run=_line("run", asked.run),
        standing_at=None if asked.history else time.time(),
    )


def _named(address: str | None) -> str | None:
    """Return what is asked for by its name. Raises HttpProblem for what is neither address, domain nor pattern: there
    is none of that name.
    """
    try:
        return None if address is None else what_of(address).text
    except Invalid as error:
        raise HttpProblem("not-found", str(error)) from error


def _line(field: str, value: str | None) -> str | None:
    return None if value is None else checks.text(field, value)


def _accounts(call: Call, wanted: int | None) -> tuple[int | None, ...] | None:
    account = call.listed(wanted)
    return None if account is None else (account,)


def _owner(call: Call, wanted: int | None, node: bool) -> int | None:
    """Return the account that something is written for; None is the node."""
    if node:
        call.operators_only("the list of the node")
        return None
    return call.store.accounts.get(call.account_of(wanted)).id


def _scope(call: Call, scope: str, account: int | None) -> str:
    """Return *scope*. Raises NotFound where it names a stream that is not the account's."""
    server, _, stream = scope.partition("/")
    if server.isdecimal():
        if account is None or call.store.servers.get(int(server)).account != account:
            raise NotFound(f"server {server}")
        call.store.streams.get(int(server), stream)
    return scope


def _view(call: Call, cause: Cause) -> SuppressionView:
    fields: dict[str, Any] = {name: getattr(cause, name, None) for name in SuppressionView.__struct_fields__}
    shown = {
        "address": cause.what,
        "at": _moment(cause.at),
        "made_at": _moment(cause.made_at),
        "expires_at": _moment(cause.expires_at),
        "undone_at": _moment(cause.undone_at),
        "stands": cause.stands(time.time()),
        "message": format_id(cause.message) if cause.message is not None else None,
        "by": call.called(cause.actor),
        "undone_by": call.called(cause.undone_by),
    }
    return SuppressionView(**{**fields, **shown})


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
