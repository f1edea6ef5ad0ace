"""Postmark's API: what is kept of somebody's mail, erased. Nobody is told by mail when it is done."""

from typing import Any, Final

from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.events.erasing import Erasure, TooManyErasures
from angarium.http.postmark.call import PostmarkCall
from angarium.sql.errors import Invalid
from angarium.suppressions.address import address_of

INVALID: Final = 1300
MISSING: Final = 1301
TOO_MANY: Final = 1302


class RemovalAsked(Given):
    """Whose mail is to be forgotten, and who wants that."""

    requested_by: str | None = None
    requested_for: str | None = None
    notify_when_completed: bool | None = None


def create_removal(call: PostmarkCall, body: RemovalAsked) -> dict[str, Any]:
    """Have all that is kept of the account's mail to an address erased."""
    try:
        address_of(body.requested_for or "")
    except Invalid as error:
        raise PostmarkProblem(INVALID, "The 'RequestedFor' must be an email address.") from error
    address = (body.requested_for or "").strip()
    mark = call.store.erasures.mark(address)
    call.store.erasures.asked(mark, call.account, actor=call.actor)
    erasure = Erasure(
        address=address, asked_at=call.clock.now(), by=call.actor, mark=mark, account=call.account
    )
    try:
        return _view(call.erasures.ask(erasure), erasure)
    except TooManyErasures as error:
        raise PostmarkProblem(TOO_MANY, str(error)) from error


def show_removal(call: PostmarkCall, removal: int) -> dict[str, Any]:
    """Tell whether it is done."""
    found = call.erasures.read(removal) if removal else None
    if found is None or found.account != call.account:
        raise PostmarkProblem(MISSING, f"The data removal {removal} was not found.")
    return _view(removal, found)


def _view(number: int, erasure: Erasure) -> dict[str, Any]:
    return {"ID": number, "Status": "Pending" if erasure.ended_at is None else "Done"}
