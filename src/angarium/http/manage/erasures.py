"""The manage API: recipients taken out of all that is kept of their mail."""

import time
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import msgspec

from angarium.events.erasing import Erasure, TooManyErasures
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.bodies import Body, Id
from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.shapes import Email
from angarium.http.manage.views import Page
from angarium.query.words import words
from angarium.sql.errors import NotFound

_LONGEST: Final = 320


class ErasureBody(Body):
    """Whose mail is to be forgotten: that to `address`, of an account. `node`: of all accounts, by the operator."""

    address: Email
    account: Id | None = None
    node: bool = False


class ErasureView(msgspec.Struct, frozen=True):
    """How far an erasure has come. *recipient* is what the audit log calls the address, which is not told. *account* is
    null where it is about all mail of the node; *recipients* of messages and kept *texts* were erased so far,
    *days_done* of *days* were gone through; *problem* is why it does not go on at the moment.
    """

    id: int
    status: Literal["pending", "done"]
    recipient: str
    account: int | None
    by: str
    asked_at: datetime
    ended_at: datetime | None
    days_done: int
    days: int
    recipients: int
    texts: int
    problem: str


class _Numbered(NamedTuple):
    """An erasure with its number."""

    number: int
    erasure: Erasure


def erase_recipient(call: Call, body: ErasureBody) -> ErasureView:
    """Have all that is kept of the mail to an address erased: the address, replies, what was written to nobody else,
    and its kept texts. The recorder does it, a day of mail at a time; sums stay, and so do suppressions.
    """
    address = body.address.strip()
    if "@" not in address or not words(address) or len(address) > _LONGEST:
        said = f"{address[:_LONGEST]!r} is no address; write it whole, as in bob@example.com"
        raise HttpProblem("invalid", f"address: {said}", [FieldError("address", said)])
    account = _owner(call, body)
    mark = call.store.erasures.mark(address)
    call.store.erasures.asked(mark, account, actor=call.actor)
    erasure = Erasure(address=address, asked_at=time.time(), by=call.actor, mark=mark, account=account)
    try:
        number = call.erasures.ask(erasure)
    except TooManyErasures as error:
        raise HttpProblem("too-many", str(error)) from error
    return _view(call, number, erasure)


def list_erasures(call: Call, query: AccountQuery) -> Page[ErasureView]:
    """List erasures, the newest first: those of the account, or all that the key may see."""
    wanted, shown = call.listed(query.account), list[_Numbered]()
    for number in call.erasures.all():
        if (query.after is None or number < query.after) and len(shown) <= query.limit:
            erasure = call.erasures.read(number)
            if erasure is not None and wanted in (None, erasure.account):
                shown.append(_Numbered(number, erasure))
    return call.page(shown, query, lambda each: _view(call, *each), lambda each: each.number)


def show_erasure(call: Call, erasure: int) -> ErasureView:
    """Show how far an erasure has come."""
    found = call.erasures.read(erasure)
    if found is None:
        raise NotFound(f"erasure {erasure}")
    call.sees(found.account, f"erasure {erasure}")
    return _view(call, erasure, found)


def _owner(call: Call, body: ErasureBody) -> int | None:
    if not body.node:
        return call.account_of(body.account)
    call.operators_only("an erasure in the mail of all accounts")
    if body.account is not None:
        raise HttpProblem("invalid", "say account or node, not both", [FieldError("node", "leave one out")])
    return None


def _view(call: Call, number: int, erasure: Erasure) -> ErasureView:
    return ErasureView(
        id=number,
        status="pending" if erasure.ended_at is None else "done",
        recipient=erasure.mark,
        account=erasure.account,
        by=call.called(erasure.by),
        asked_at=datetime.fromtimestamp(erasure.asked_at, UTC),
        ended_at=None if erasure.ended_at is None else datetime.fromtimestamp(erasure.ended_at, UTC),
        days_done=len(erasure.done),
        days=erasure.days,
        recipients=erasure.found,
        texts=erasure.texts,
        problem=erasure.problem,
    )
